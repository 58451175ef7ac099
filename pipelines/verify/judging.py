"""The judge's steps: fetch what was shipped, judge it, explain what differs.

The verdict comes first and from digests alone. Explaining starts afterwards and can only add.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from builders.archives import ArchiveError, members
from builders.core.digest import Digest, digest_file
from builders.core.enums import Outcome, Verdict
from builders.core.errors import InputUnavailableError, RebuildError, UsageError
from builders.inputs.input_file import InputFile
from builders.locators import FetchRequest, FileLocator
from builders.rebuild.staging import OUTPUTS
from builders.recipe.recipe import Artefact
from pipelines.evidence.report import Attempt
from pipelines.explain.differ import HTML, JSON, DifferLimits, explain, run_in_container
from pipelines.explain.quickdiff import named_causes, quick_diff
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.copied import CheckedInput, Contents, carried, contents, input_fault
from pipelines.judge.finding import (
    Carried,
    Explanation,
    ExplanationStatus,
    FileFact,
    Finding,
    VaultFile,
)
from pipelines.storage.names import Visibility
from pipelines.verify.fetched import fetch_time, note_fetch
from pipelines.verify.session import Job, Session
from pipelines.verify.steps import provide_once

DIFFER_IMAGE = "differ"
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
    scanned = list(_scan(session, job, inputs, attempt)) if attempt and outputs else []
    published = {a.name: _published(a, shipped.get(a.name)) for a in job.recipe.artefacts}
    facts = Facts(
        outcome=outcome,
        outcome_reason=reason,
        declared=tuple(Declared(name=n, published=d) for n, d in published.items()),
        rebuilt=outputs,
        served=shipped,
        input_fault=input_fault(scanned, published),
    )
    return compare(facts)


def file_folders(job: Job, attempt: Attempt) -> tuple[Path, Path]:
    """Return the folders of the shipped files that were read, and of the rebuilt ones."""
    return job.folder / _SHIPPED, job.attempt(attempt.number) / OUTPUTS


def _published(artefact: Artefact, served: FileFact | Unreachable | None) -> Digest:
    """Return the published digest; of an artefact that has none yet, that of its candidate."""
    if artefact.shipped is None and isinstance(served, FileFact):
        return served.sha256
    return artefact.published.sha256


def look(
    session: Session,
    job: Job,
    inputs: tuple[InputFile, ...],
    attempt: Attempt,
    findings: tuple[Finding, ...],
) -> tuple[Finding, ...]:
    """Take a first look at every artefact that differs, and name the causes it shows."""
    scanned: list[tuple[CheckedInput, Contents]] | None = None
    looked = []
    for finding in findings:
        if finding.rebuilt is None or finding.verdict is Verdict.NOT_CHECKED:
            looked.append(finding)
            continue
        if scanned is None:
            scanned = list(_scan(session, job, inputs, attempt))
        rebuilt = job.attempt(attempt.number) / OUTPUTS / finding.name
        explanation = finding.explanation.model_copy(update={"carried": _carried(rebuilt, scanned)})
        found = finding.causes
        if finding.verdict is Verdict.DIFFERENT:
            with rebuilt.open("rb") as ours, _shipped(session, job, finding).open("rb") as theirs:
                seen = quick_diff(theirs, ours)
            explanation = explanation.model_copy(update={"first_look": seen})
            found = (*found, *named_causes(seen))
        looked.append(finding.model_copy(update={"explanation": explanation, "causes": found}))
    return tuple(looked)


def explain_difference(
    session: Session, job: Job, finding: Finding, attempt: Attempt
) -> Explanation:
    """Run diffoscope on one DIFFERENT artefact; whatever happens to it is part of the answer."""
    session.progress.step(job.release, f"explaining {finding.name}")
    cancelled = session.cancellation(job.run)
    try:
        image = provide_once(session, job, DIFFER_IMAGE)
        runner = partial(
            run_in_container,
            engine=session.engine,
            image=image.reference,
            workdir=job.folder,
            labels=job.labels,
            cancelled=cancelled,
        )
        outputs = Path(tempfile.mkdtemp(dir=job.folder, prefix="explained-"))
        limits = DifferLimits()
        with session.budget.share(cpus=1, memory=limits.memory, cancelled=cancelled):
            session.raise_if_cancelled(job.run)
            explanation = explain(
                finding.explanation,
                shipped=_shipped(session, job, finding),
                rebuilt=job.attempt(attempt.number) / OUTPUTS / finding.name,
                outputs=outputs,
                runner=runner,
                limits=limits,
            )
    except RebuildError as error:
        return finding.explanation.model_copy(
            update={"status": ExplanationStatus.CRASHED, "note": str(error)}
        )
    for kept, digest in ((JSON, explanation.json_diff), (HTML, explanation.html_diff)):
        if digest is not None:
            session.store.put_cas(Visibility.PRIVATE, outputs / kept)
    return explanation


def keep_shipped(session: Session, job: Job, findings: tuple[Finding, ...]) -> None:
    """Store the shipped bytes of whatever did not match, as evidence."""
    for finding in findings:
        if finding.verdict in {Verdict.DIFFERENT, Verdict.SHIPPED_MISMATCH}:
            session.store.put_cas(Visibility.PRIVATE, _shipped(session, job, finding))


def _shipped(session: Session, job: Job, finding: Finding) -> Path:
    """Return a checked copy of what was served for an artefact, in the folder of the run."""
    if finding.shipped is None or finding.shipped.sha256 is None:
        message = f"nothing was served for {finding.name}"
        raise ValueError(message)
    folder = job.folder / _SHIPPED
    folder.mkdir(exist_ok=True)
    path = folder / finding.name
    if not path.exists():
        session.vault.stage(finding.shipped.sha256, path)
    return path


def _scan(
    session: Session, job: Job, inputs: tuple[InputFile, ...], attempt: Attempt
) -> Iterator[tuple[CheckedInput, Contents]]:
    """Look into the staged inputs, whose digests were checked when they were staged."""
    staged = job.attempt(attempt.number) / "inputs"
    for item in inputs:
        path = staged / item.role / item.name
        checked = CheckedInput(
            role=item.role, name=item.name, digest=item.sha256, open=partial(_opened, path)
        )
        yield checked, contents(checked, cache=session.contents)


def _carried(path: Path, scanned: list[tuple[CheckedInput, Contents]]) -> tuple[Carried, ...]:
    try:
        with path.open("rb") as stream:
            return carried(list(members(stream)), scanned)
    except ArchiveError:
        return ()


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")
