"""The judge's steps: fetch what was shipped, judge it, explain what differs.

The verdict comes first and from digests alone. Explaining starts afterwards and can only add.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from builders.archives import ArchiveError, members
from builders.build.outputs import Part
from builders.build.plan import InputFile
from builders.build.rebuild import OUTPUTS
from builders.core.digest import digest_file
from builders.core.errors import InputUnavailableError, RebuildError
from builders.core.words import Outcome, Verdict
from builders.locators import FileLocator, Want
from builders.recipe.recipe import Artefact
from pipelines.evidence.report import Attempt, Record
from pipelines.explain.causes import causes
from pipelines.explain.container import ContainerToolRunner
from pipelines.explain.differ import HTML, JSON, DifferLimits, explain
from pipelines.explain.firstlook import first_look
from pipelines.judge.compare import compare, confirm
from pipelines.judge.copied import Contents, carried, check_inputs, contents
from pipelines.judge.copied import InputFile as CheckedInput
from pipelines.judge.facts import Coverage, Declared, Facts, InputCheck, Rebuilt, Unreachable
from pipelines.judge.finding import Carried, Explanation, ExplanationStatus, Finding
from pipelines.judge.look import FileFact
from pipelines.storage.foldercache import FolderCache
from pipelines.storage.names import Visibility
from pipelines.verify import progress
from pipelines.verify.job import Job
from pipelines.verify.steps import attempt_folder, provide_once

DIFFER_IMAGE = "differ"
_COVERAGE: dict[Part, Coverage] = {
    Part.ARTEFACT: "declared",
    Part.BY_PRODUCT: "by-product",
    Part.IGNORED: "ignored",
    Part.UNEXPECTED: "unexpected",
}


class ShippedFile(Record):
    """What was served for one artefact, or why nothing was."""

    name: str
    file: FileFact | None = None
    fault: str | None = None


def fetch_shipped(job: Job, *, fresh: bool = False) -> tuple[ShippedFile, ...]:
    """Fetch every shipped file into the vault, under the digest that it really has.

    A published file that the vault already holds is not fetched again, unless `fresh`; files beside
    the recipe always are.
    """
    progress.sink().step(job.release, "fetching shipped files")
    return tuple(_fetch(job, artefact, fresh=fresh) for artefact in job.loaded().recipe.artefacts)


def shipped_want(artefact: Artefact, folder: Path) -> Want:
    """Return what to fetch for an artefact; `file:` locators start at `folder`."""
    return Want(
        locator=artefact.shipped.locator,
        name=artefact.name,
        sha256=artefact.shipped.sha256,
        folder=folder,
    )


def _fetch(job: Job, artefact: Artefact, *, fresh: bool) -> ShippedFile:
    shop, shipped = job.shop(), artefact.shipped
    beside = isinstance(shipped.locator, FileLocator)
    if shop.vault.has(shipped.sha256) and not beside and not fresh:
        size = shop.vault.verify(shipped.sha256)
        return ShippedFile(name=artefact.name, file=FileFact(sha256=shipped.sha256, size=size))
    want = shipped_want(artefact, job.loaded().folder)
    shop.workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shop.workdir, prefix="shipped-") as folder:
        try:
            (path,) = shop.fetcher.fetch([want], Path(folder))
        except InputUnavailableError as error:
            return ShippedFile(name=artefact.name, fault=str(error))
        fact = FileFact(sha256=digest_file(path), size=path.stat().st_size)
        shop.vault.add(path, fact.sha256, what=artefact.name)
    return ShippedFile(name=artefact.name, file=fact)


def judge(
    job: Job,
    inputs: tuple[InputFile, ...],
    attempt: Attempt | None,
    shipped: tuple[ShippedFile, ...],
    *,
    outcome: Outcome,
    reason: str | None,
) -> tuple[Finding, ...]:
    """Give every artefact its verdict."""
    progress.sink().step(job.release, "judging")
    outputs = attempt.rebuild.outputs if attempt else ()
    scanned = list(_scan(job, inputs, attempt)) if attempt and outputs else []
    recipe = job.loaded().recipe
    published = {a.name: a.shipped.sha256 for a in recipe.artefacts}
    facts = Facts(
        outcome=outcome,
        outcome_reason=reason or "",
        declared=tuple(Declared(name=n, published=d) for n, d in published.items()),
        rebuilt=tuple(
            Rebuilt(
                name=o.name,
                file=FileFact(sha256=o.sha256, size=o.size),
                coverage=_COVERAGE[o.part],
            )
            for o in outputs
        ),
        served={s.name: s.file or Unreachable(reason=s.fault or "unknown") for s in shipped},
        inputs=check_inputs(scanned, published) if scanned else InputCheck(fault=None),
    )
    return compare(facts)


def look(
    job: Job, inputs: tuple[InputFile, ...], attempt: Attempt, findings: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """Take a first look at every artefact that differs, and name the causes it shows."""
    scanned: list[tuple[CheckedInput, Contents]] | None = None
    looked = []
    for finding in findings:
        if finding.rebuilt is None or finding.verdict is Verdict.NOT_CHECKED:
            looked.append(finding)
            continue
        if scanned is None:
            scanned = list(_scan(job, inputs, attempt))
        rebuilt = attempt_folder(job, attempt.number) / OUTPUTS / finding.name
        explanation = finding.explanation.model_copy(update={"carried": _carried(rebuilt, scanned)})
        found = finding.causes
        if finding.verdict is Verdict.DIFFERENT:
            with rebuilt.open("rb") as ours, _shipped(job, finding).open("rb") as theirs:
                seen = first_look(theirs, ours)
            explanation = explanation.model_copy(update={"first_look": seen})
            found = (*found, *causes(seen))
        looked.append(finding.model_copy(update={"explanation": explanation, "causes": found}))
    return tuple(looked)


def confirm_all(findings: tuple[Finding, ...], again: Attempt) -> tuple[Finding, ...]:
    """Add to every DIFFERENT what a second rebuild showed; no verdict changes."""
    digests = {o.name: o.sha256 for o in again.rebuild.outputs}
    return tuple(
        confirm(f, digests.get(f.name)) if f.verdict is Verdict.DIFFERENT else f for f in findings
    )


def explain_difference(job: Job, finding: Finding, attempt: Attempt) -> Explanation:
    """Run diffoscope on one DIFFERENT artefact; whatever happens to it is part of the answer."""
    progress.sink().step(job.release, f"explaining {finding.name}")
    shop = job.shop()
    try:
        image = provide_once(job, DIFFER_IMAGE)
        runner = ContainerToolRunner(
            shop.engine,
            image.reference,
            folder=job.folder,
            labels=job.labels(),
            cancelled=shop.cancelled,
        )
        outputs = Path(tempfile.mkdtemp(dir=job.folder, prefix="explained-"))
        limits = DifferLimits()
        with shop.budget.share(cpus=1, memory=limits.memory, cancelled=shop.cancelled):
            shop.go_on()
            explanation = explain(
                finding.explanation,
                name=finding.name,
                shipped=_shipped(job, finding),
                rebuilt=attempt_folder(job, attempt.number) / OUTPUTS / finding.name,
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
            shop.store.put_cas(Visibility.PRIVATE, outputs / kept)
    return explanation


def keep_shipped(job: Job, findings: tuple[Finding, ...]) -> None:
    """Store the shipped bytes of whatever did not match, as evidence."""
    for finding in findings:
        if finding.verdict in {Verdict.DIFFERENT, Verdict.SHIPPED_MISMATCH}:
            job.shop().store.put_cas(Visibility.PRIVATE, _shipped(job, finding))


def _shipped(job: Job, finding: Finding) -> Path:
    """Return a checked copy of what was served for an artefact, in the folder of the run."""
    if finding.shipped is None or finding.shipped.sha256 is None:
        message = f"nothing was served for {finding.name}"
        raise ValueError(message)
    folder = job.folder / "shipped"
    folder.mkdir(exist_ok=True)
    path = folder / finding.name
    if not path.exists():
        job.shop().vault.stage(finding.shipped.sha256, path)
    return path


def _scan(
    job: Job, inputs: tuple[InputFile, ...], attempt: Attempt
) -> Iterator[tuple[CheckedInput, Contents]]:
    """Look into the staged inputs, whose digests were checked when they were staged."""
    cache = FolderCache(job.center.home / "cache" / "contents")
    staged = attempt_folder(job, attempt.number) / "inputs"
    for item in inputs:
        path = staged / item.role / item.name
        checked = CheckedInput(
            role=item.role, name=item.name, digest=item.sha256, open=_Opener(path)
        )
        yield checked, contents(checked, cache=cache)


def _carried(path: Path, scanned: list[tuple[CheckedInput, Contents]]) -> tuple[Carried, ...]:
    try:
        with path.open("rb") as stream:
            return carried(list(members(stream)), scanned)
    except ArchiveError:
        return ()


class _Opener:
    """Opens one path for reading, as a context."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def __call__(self) -> Iterator[BinaryIO]:
        with self._path.open("rb") as stream:
            yield stream
