"""One release in a few fields: all that lists, counts, badges and feeds need of it.

A generation keeps the lines, so that a release of which nothing has changed is not joined again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from functools import cached_property

from pydantic import AwareDatetime

from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome, Verdict
from builders.core.frozen_model import FrozenModel
from builders.recipe.recipe import ProductName, ProductVersion
from pipelines.audit.center_finding import CenterFinding, newest_findings
from pipelines.consensus.consensus_result import Consensus
from pipelines.consensus.join import join
from pipelines.consensus.joined_result import Result
from pipelines.consensus.release_consensus import JoinedRelease
from pipelines.evidence.release_name import ReleaseName
from pipelines.judge.finding import worst_verdict
from pipelines.portal.run_times import began
from pipelines.portal.standing import Standing, standing_of, worst_standing

MAX_STEPS = 50
"""Runs that said something new, the newest ones, of which it is told what each changed."""


class ArtefactLine(FrozenModel):
    """One artefact and its result."""

    name: str
    sha256: Digest
    """As published."""
    result: Result
    standing: Standing


class CenterRun(FrozenModel):
    """The newest run of one center."""

    center: str
    operator: str
    region: str
    run: str
    verdict: Verdict
    """The worst of its artefacts; NOT_CHECKED where nothing was built."""
    outcome: Outcome

    @property
    def started(self) -> datetime | None:
        """When it began, UTC; None where its id does not say so."""
        return began(self.run)


class StandingStep(FrozenModel):
    """From when on a release had a standing."""

    at: AwareDatetime
    """When the run began that brought it, UTC, or when it was first seen, if that is earlier."""
    standing: Standing
    run: str
    center: str


class ReleaseLine(FrozenModel):
    """One release, as lists show it."""

    vendor: ProductName
    product: ProductName
    version: ProductVersion
    kind: Kind | None = None
    """None where this center has no recipe of it."""
    private: bool = False
    standing: Standing
    artefacts: tuple[ArtefactLine, ...] = ()
    matched: tuple[str, ...] = ()
    """The operators that match on every artefact."""
    dissenting: tuple[str, ...] = ()
    """The operators that dissent on any artefact."""
    runs: tuple[CenterRun, ...] = ()
    """By center."""
    steps: tuple[StandingStep, ...] = ()
    """How its standing changed, oldest first; the last one is the present one."""

    @cached_property
    def release(self) -> ReleaseName:
        """The release."""
        return ReleaseName(vendor=self.vendor, product=self.product, version=self.version)

    @property
    def since(self) -> datetime | None:
        """Since when it has its standing, UTC; None without any run."""
        return self.steps[-1].at if self.steps else None


def release_line(joined: JoinedRelease) -> ReleaseLine:
    """Return the line of a release that was joined.

    Of a private release only artefacts are named that a center has published a finding on.
    """
    recipe = joined.recipe.recipe if joined.recipe else None
    private = is_private(joined)
    found = shown_artefacts(joined)
    standing = worst_standing(map(standing_of, found))
    return ReleaseLine(
        **dict(zip(("vendor", "product", "version"), joined.read.release.parts, strict=True)),
        kind=recipe.kind if recipe else None,
        private=private,
        standing=standing,
        artefacts=tuple(
            ArtefactLine(
                name=one.subject.artefact,
                sha256=one.subject.published,
                result=one.result,
                standing=standing_of(one),
            )
            for one in found
        ),
        matched=tuple(o for o in found[0].matched if all(o in one.matched for one in found))
        if found
        else (),
        dissenting=tuple(sorted({name for one in found for name in one.dissenting})),
        runs=tuple(newest_runs(joined)),
        steps=tuple(_steps(joined, found, standing)),
    )


def seen_at(line: ReleaseLine, before: ReleaseLine | None, now: datetime) -> ReleaseLine:
    """Return a line of which no step is later than when it was first seen; times are UTC.

    `before` is the line of the generation before, and `now` when this one is built. So a center
    that dates its runs in the future is no longer the newest one than any other.
    """
    if all(step.at <= now for step in line.steps):
        return line
    known = {(step.run, step.center): step.at for step in before.steps} if before else {}
    steps: list[StandingStep] = []
    for step in line.steps:
        at = min(step.at, known.get((step.run, step.center), now), now)
        at = max(at, steps[-1].at) if steps else at  # they stay in their order
        steps.append(step.model_copy(update={"at": at}))
    return line.model_copy(update={"steps": tuple(steps)})


def is_private(joined: JoinedRelease) -> bool:
    """Return whether the source of a release is closed: its recipe or its findings say so."""
    if joined.recipe is not None and joined.recipe.recipe.visibility == "private":
        return True
    return any(f.claim.sha256 is None for f in joined.read.findings)


def shown_artefacts(joined: JoinedRelease) -> list[Consensus]:
    """Return the artefacts that pages name: of a private release those with a finding."""
    artefacts = joined.consensus.artefacts
    if not is_private(joined):
        return list(artefacts)
    published = {(f.artefact, f.published) for f in joined.read.findings}
    return [one for one in artefacts if (one.subject.artefact, one.subject.published) in published]


def newest_runs(joined: JoinedRelease) -> Iterator[CenterRun]:
    """Yield the newest run of each center, by center."""
    for newest in newest_findings(joined.read.findings):
        of_run = [
            f
            for f in joined.read.findings
            if (f.center.id, f.run) == (newest.center.id, newest.run)
        ]
        yield CenterRun(
            center=newest.center.id,
            operator=newest.center.operator,
            region=newest.center.region,
            run=newest.run,
            verdict=worst_verdict(f.verdict for f in of_run),
            outcome=newest.outcome,
        )


def _steps(joined: JoinedRelease, found: list[Consensus], now: Standing) -> Iterator[StandingStep]:
    """Yield what runs changed: the findings are joined again, as they were up to each of them.

    What is known of the base of an update, and of proofs of work, is that of now.
    """
    runs = _telling_runs(joined.read.findings)[-MAX_STEPS:]
    before: Standing | None = None
    for run, center in runs:
        last = (run, center) == runs[-1]
        at = now if last else worst_standing(_until(run, joined, found))
        if at is not before and (start := began(run)):
            yield StandingStep(at=start, standing=at, run=run, center=center)
            before = at


def _telling_runs(findings: Iterable[CenterFinding]) -> list[tuple[str, str]]:
    """Return the runs that say something else than the run of their center before, in order.

    Most runs say what is known already, and can change no standing.
    """
    by_run: dict[tuple[str, str], set[Hashable]] = defaultdict(set)
    for f in findings:
        said = (f.artefact, f.published, f.claim, f.scope, f.outcome, f.verdict, f.served, f.built)
        by_run[f.run, f.center.id].add(said)
    known: dict[str, set[Hashable]] = {}
    telling = []
    for run, center in sorted(by_run):
        if known.get(center) != by_run[run, center]:
            telling.append((run, center))
            known[center] = by_run[run, center]
    return telling


def _until(run: str, joined: JoinedRelease, found: list[Consensus]) -> Iterator[Standing]:
    for one in found:
        about: list[CenterFinding] = [
            f for f in joined.read.findings if f.artefact == one.subject.artefact and f.run <= run
        ]
        yield standing_of(join(one.subject, about, one.rules, base=one.base))
