"""The judge's steps: fetch what was shipped, and judge it, from digests alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from builders.archives import SoughtFile
from builders.core.digest import Digest, chunks, digest_file
from builders.core.enums import Outcome, Role, Verdict
from builders.core.errors import InputUnavailableError, UsageError
from builders.inputs.input_file import InputFile
from builders.locators import FetchRequest, FileLocator
from builders.rebuild.staging import OUTPUTS
from builders.recipe.artefact import Artefact
from pipelines.audit.base_runs import checked_bases, first_logged_sight
from pipelines.evidence.report import Attempt
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.copied import CheckedInput, Contents, contents, input_fault
from pipelines.judge.finding import FileFact, Finding, VaultFile
from pipelines.judge.grafting import with_grafts
from pipelines.judge.updates.external_signatures import with_external_signatures
from pipelines.storage.names import Visibility
from pipelines.verify.fetched import fetch_time, note_fetch
from pipelines.verify.session import Job, Session

_SHIPPED = "shipped"


Shipped = Mapping[str, FileFact | Unreachable]
"""What was served for each artefact, by name, or why nothing was."""


def fetch_shipped(session: Session, job: Job, *, fresh: bool = False) -> Shipped:
    """Fetch every shipped file into the vault, under the digest that it really has.

    A published file that the vault already holds is not fetched again, unless `fresh`, and is then
    a `VaultFile`; files beside the recipe always are fetched.
    """
    session.progress.step(job.release, "fetching shipped files")
    return {a.name: _fetch(session, job, a, fresh=fresh) for a in job.recipe.artefacts}


def shipped_want(artefact: Artefact, folder: Path) -> FetchRequest:
    """Return what to fetch for an artefact; `file:` locators start at `folder`."""
    return FetchRequest(
        locator=artefact.published.locator,
        name=artefact.name,
        sha256=artefact.published.sha256,
        folder=folder,
    )


def _fetch(
    session: Session, job: Job, artefact: Artefact, *, fresh: bool
) -> FileFact | Unreachable:
    shipped = artefact.published
    beside = isinstance(shipped.locator, FileLocator)
    if session.vault.has(shipped.sha256) and not beside and not fresh:
        return VaultFile(
            sha256=shipped.sha256,
            size=session.vault.verify(shipped.sha256),
            fetched_on=fetch_time(session.store, shipped.sha256),
        )
    want = shipped_want(artefact, job.loaded.folder)
    session.workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=session.workdir, prefix="shipped-") as folder:
        try:
            (path,) = session.fetcher.fetch([want], Path(folder))
        except InputUnavailableError as error:
            return Unreachable(reason=str(error))
        fact = FileFact(sha256=digest_file(path), size=path.stat().st_size)
        session.vault.add(path, fact.sha256, what=artefact.name)
        note_fetch(session.store, fact.sha256)
    return fact


def take_candidates(session: Session, job: Job, folder: Path) -> Shipped:
    """Copy the candidate of every artefact into the folder of the run: they are what is judged.

    Raises `UsageError` for one that cannot be read.
    """
    session.progress.step(job.release, "taking the candidates")
    taken = job.folder / _SHIPPED
    taken.mkdir(exist_ok=True)
    found: dict[str, FileFact | Unreachable] = {}
    for artefact in job.recipe.artefacts:
        path = taken / artefact.name
        try:
            shutil.copyfile(folder / artefact.name, path)
        except OSError as error:
            raise UsageError(
                f"candidate {folder / artefact.name} cannot be read", got=error.strerror
            ) from error
        found[artefact.name] = FileFact(sha256=digest_file(path), size=path.stat().st_size)
    return found


def judge(
    session: Session,
    job: Job,
    inputs: tuple[InputFile, ...],
    attempt: Attempt | None,
    shipped: Shipped,
    *,
    outcome: Outcome,
    reason: str | None,
) -> tuple[Finding, ...]:
    """Give every artefact its verdict."""
    session.progress.step(job.release, "judging")
    outputs = attempt.rebuild.outputs if attempt else ()
    served = {n: fact.sha256 for n, fact in shipped.items() if isinstance(fact, FileFact)}
    scanned = (
        list(scanned_inputs(session, job, inputs, attempt, served)) if attempt and outputs else []
    )
    published = {a.name: _published(a, shipped.get(a.name)) for a in job.recipe.artefacts}
    facts = Facts(
        outcome=outcome,
        outcome_reason=reason,
        declared=tuple(Declared.of(a, published[a.name]) for a in job.recipe.artefacts),
        rebuilt=outputs,
        served=shipped,
        input_fault=input_fault(scanned, published),
    )
    shipped_file = partial(_shipped_file, session, job)
    rebuilt_file = partial(_rebuilt_file, job, attempt)
    if pinned := job.recipe.signatures:
        session.progress.step(job.release, "looking at signatures")
        facts = with_grafts(
            facts,
            pinned,
            session.jail,
            shipped=shipped_file,
            rebuilt=rebuilt_file,
            scanned=scanned,
        )
    if declared := job.recipe.normalizers:
        from pipelines.judge.masking import with_masks  # noqa: PLC0415  # few recipes need it

        session.progress.step(job.release, "looking at fields that may be masked")
        facts = with_masks(
            facts,
            declared,
            pinned,
            session.jail,
            shipped=shipped_file,
            rebuilt=rebuilt_file,
            scanned=scanned,
        )
    bases = checked_bases(job.recipe, session.store, job.center, session.is_own)
    if deltas := job.recipe.deltas:
        from pipelines.judge.updates.check_deltas import with_deltas  # noqa: PLC0415

        session.progress.step(job.release, "applying deltas")
        facts = with_deltas(
            facts,
            deltas,
            bases,
            session.jail,
            shipped=shipped_file,
            rebuilt=rebuilt_file,
            base=partial(_base_file, job, inputs, attempt),
        )
    if manifests := job.recipe.manifests:
        from pipelines.judge.updates.recomputing import (  # noqa: PLC0415  # few recipes need it
            ManifestFiles,
            with_manifests,
        )

        session.progress.step(job.release, "reading manifests")
        facts = with_manifests(
            facts,
            manifests,
            pinned,
            bases,
            session.jail,
            ManifestFiles(
                shipped=shipped_file,
                rebuilt=rebuilt_file,
                base=partial(_base_file, job, inputs, attempt),
            ),
            version=job.recipe.version,
            first_seen={
                name: _first_seen(session, job, served[name])
                for name in manifests
                if name in served
            },
        )
    return compare(with_external_signatures(facts, pinned, manifests))


def _first_seen(session: Session, job: Job, sha256: Digest) -> datetime:
    """Return when this center first compared a file, by its log: now, where that has nothing."""
    store, is_own = session.store, session.is_own
    first = first_logged_sight(store, job.center, job.release, sha256, is_own)
    return first or datetime.now(UTC).replace(microsecond=0)


def _base_file(
    job: Job, inputs: tuple[InputFile, ...], attempt: Attempt | None, sha256: Digest
) -> BinaryIO:
    """Open a staged input of role base, whose digest was checked when it was staged."""
    if attempt is None:
        raise ValueError("nothing was built from a base")
    name = next(i.name for i in inputs if i.role is Role.BASE and i.sha256 == sha256)
    return (job.attempt(attempt.number) / "inputs" / Role.BASE / name).open("rb")


def _shipped_file(session: Session, job: Job, name: str, sha256: Digest) -> BinaryIO:
    return _staged(session, job, name, sha256).open("rb")


def _rebuilt_file(job: Job, attempt: Attempt | None, name: str, _: Digest) -> BinaryIO:
    if attempt is None:
        raise ValueError(f"nothing was built that could be {name}")
    return (job.attempt(attempt.number) / OUTPUTS / name).open("rb")


def file_folders(job: Job, attempt: Attempt) -> tuple[Path, Path]:
    """Return the folders of the shipped files that were read, and of the rebuilt ones."""
    return job.folder / _SHIPPED, job.attempt(attempt.number) / OUTPUTS


def _published(artefact: Artefact, served: FileFact | Unreachable | None) -> Digest:
    """Return the published digest; of an artefact that has none yet, that of its candidate."""
    if artefact.shipped is None and isinstance(served, FileFact):
        return served.sha256
    return artefact.published.sha256


def keep_shipped(session: Session, job: Job, findings: tuple[Finding, ...]) -> None:
    """Store the shipped bytes of whatever did not match, as evidence."""
    for finding in findings:
        if finding.verdict in {Verdict.DIFFERENT, Verdict.EQUIVALENT, Verdict.SHIPPED_MISMATCH}:
            session.store.put_cas(Visibility.PRIVATE, shipped_copy(session, job, finding))


def shipped_copy(session: Session, job: Job, finding: Finding) -> Path:
    """Return a checked copy of what was served for an artefact, in the folder of the run."""
    if finding.shipped is None or finding.shipped.sha256 is None:
        message = f"nothing was served for {finding.name}"
        raise ValueError(message)
    return _staged(session, job, finding.name, finding.shipped.sha256)


def _staged(session: Session, job: Job, name: str, sha256: Digest) -> Path:
    folder = job.folder / _SHIPPED
    folder.mkdir(exist_ok=True)
    path = folder / name
    if not path.exists():
        session.vault.stage(sha256, path)
    return path


def scanned_inputs(
    session: Session,
    job: Job,
    inputs: tuple[InputFile, ...],
    attempt: Attempt,
    served: Mapping[str, Digest | None],
) -> Iterator[tuple[CheckedInput, Contents]]:
    """Look into the staged inputs, whose digests were checked when they were staged.

    They are searched for the published files among those that were `served`, artefact by artefact,
    and for the rebuilt ones that may count though they are others.
    """
    staged = job.attempt(attempt.number) / "inputs"
    sought = tuple(_sought(session, job, attempt, served))
    opaque = {(i.role, i.sha256) for i in job.recipe.inputs if i.opaque}
    for item in inputs:
        path = staged / item.role / item.name
        checked = CheckedInput(
            role=item.role,
            name=item.name,
            digest=item.sha256,
            open=partial(_opened, path),
            opaque=(item.role, item.of or item.sha256) in opaque,
        )
        yield checked, contents(checked, session.jail, sought=sought, cache=session.contents)


def _sought(
    session: Session, job: Job, attempt: Attempt, served: Mapping[str, Digest | None]
) -> Iterator[SoughtFile]:
    files: list[SoughtFile | None] = []
    for artefact in job.recipe.artefacts:
        digest = served.get(artefact.name)
        if digest is None or (artefact.shipped and artefact.shipped.sha256 != digest):
            continue
        if session.vault.has(digest):
            files.append(SoughtFile.of(session.vault.pieces(digest), digest))
        elif (path := job.folder / _SHIPPED / artefact.name).is_file():
            with path.open("rb") as candidate:
                files.append(SoughtFile.of(chunks(candidate), digest))
        # Of a trial, which publishes no verdict, the digest alone is known.
    for output in attempt.rebuild.outputs:
        if output.name in job.recipe.altered:
            with _rebuilt_file(job, attempt, output.name, output.sha256) as rebuilt:
                files.append(SoughtFile.of(chunks(rebuilt), output.sha256))
    yield from (file for file in files if file is not None)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")
