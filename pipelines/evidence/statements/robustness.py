"""Statement F, robustness: a second rebuild of a run in a moved environment.

Predicate type `https://samebits.example/robustness/v1`, subjects = the published digests. It names
the attempt that was judged, and says of every artefact whether the moved rebuild left the same
bytes. It is about a build, not about what was shipped: no verdict is in it, and none follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from builders.build.result import OutputKind as OutputPart
from builders.build.robustness import Factor, KeptReason
from builders.core.enums import Outcome
from pipelines.evidence.moved import MovedRebuild, Robustness
from pipelines.evidence.statements.attempt import Cut, attempts, cut
from pipelines.evidence.statements.statement import (
    Count,
    DigestSet,
    Identifier,
    Line,
    Part,
    Release,
    RunName,
    Statement,
    Time,
    Uri,
    subject,
)

if TYPE_CHECKING:
    from builders.build.result import RebuildResult
    from pipelines.evidence.statements.run import Run

ROBUSTNESS = "https://samebits.example/robustness/v1"
_MAX_LISTED = 20_000


class Moved(Part):
    """A factor that was moved, from what the judged rebuild saw to something else."""

    factor: Factor
    before: Annotated[Line, Field(alias="from")]
    after: Annotated[Line, Field(alias="to")]

    @model_validator(mode="after")
    def _elsewhere(self) -> Self:
        if self.before == self.after:
            message = f"{self.factor} was moved to where it was"
            raise ValueError(message)
        return self


class Kept(Part):
    """A factor that was not moved, and why."""

    factor: Factor
    why: KeptReason

    @model_validator(mode="after")
    def _cores_alone(self) -> Self:
        if self.why is KeptReason.ALONE and self.factor is not Factor.CORES:
            message = f"{self.factor} has somewhere to go: only cores can be alone"
            raise ValueError(message)
        return self


class Outlived(Part):
    """What both rebuilds left of one artefact, if they did."""

    name: Line
    judged: DigestSet | None = None
    moved: DigestSet | None = None
    same: bool

    @model_validator(mode="after")
    def _of_its_digests(self) -> Self:
        if self.same is not (self.judged == self.moved):
            message = f"{self.name} is the same or not, as its digests are"
            raise ValueError(message)
        return self


class RobustnessTest(Part):
    """How the moved rebuild went, and what it left."""

    release: Release
    center: Identifier
    builder: Uri
    run: RunName
    purpose: Literal["robustness"] = "robustness"
    judged: DigestSet
    """Of the statement about the attempt that was judged."""
    claim: DigestSet
    moved: Annotated[tuple[Moved, ...], Field(min_length=1)]
    kept: tuple[Kept, ...]
    outcome: Outcome
    reason: Cut | None = None
    wall_milliseconds: Count | None = None
    log: DigestSet | None = None
    result: Robustness
    artefacts: Annotated[tuple[Outlived, ...], Field(min_length=1, max_length=_MAX_LISTED)]
    tested_on: Time

    @model_validator(mode="after")
    def _every_factor(self) -> Self:
        for found in ([m.factor for m in self.moved], [k.factor for k in self.kept]):
            if found != [f for f in Factor if f in found]:
                message = "expected each factor once, in order"
                raise ValueError(message)
        told = [*(m.factor for m in self.moved), *(k.factor for k in self.kept)]
        if sorted(told) != sorted(Factor):
            message = "expected every factor, moved or kept"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _result_of_its_parts(self) -> Self:
        built = self.outcome is Outcome.BUILT
        if not built and any(artefact.moved for artefact in self.artefacts):
            message = f"{self.outcome} leaves nothing to compare"
            raise ValueError(message)
        same = all(artefact.same for artefact in self.artefacts)
        if self.result is not Robustness.of(built=built, same=same):
            message = "the result is not that of the artefacts"
            raise ValueError(message)
        return self


class RobustnessStatement(Statement):
    """A robustness test; its subjects are those of the attempt that was judged."""

    predicate_type: Literal["https://samebits.example/robustness/v1"] = (
        "https://samebits.example/robustness/v1"
    )
    predicate: RobustnessTest


def robustness(run: Run, again: MovedRebuild) -> RobustnessStatement:
    """Return what a moved rebuild says of a run; raises `ValueError` for one that was not built."""
    judged = run.judged
    if not run.built or judged is None or run.report.claim is None:
        message = "there is no judged rebuild to compare with"
        raise ValueError(message)
    sealed = [s for s in attempts(run) if s.predicate.seal is not None]
    made = again.rebuild
    before, after = _left(run, judged), _left(run, made)
    artefacts = tuple(
        Outlived(
            name=a.name,
            judged=before.get(a.name),
            moved=after.get(a.name),
            same=before.get(a.name) == after.get(a.name),
        )
        for a in run.loaded.recipe.artefacts
    )
    wall = made.wall_seconds
    return RobustnessStatement(
        subject=tuple(subject(a.name, a.shipped.sha256) for a in run.loaded.recipe.artefacts),
        predicate=RobustnessTest(
            release=run.report.release,
            center=run.center.id,
            builder=run.center.builder_id,
            run=run.report.run,
            judged=DigestSet(sha256=sealed[-1].digest()),
            claim=run.told(run.report.claim),
            moved=tuple(
                Moved(factor=m.factor, before=m.before, after=m.after) for m in again.moved
            ),
            kept=tuple(Kept(factor=k.factor, why=k.why) for k in again.kept),
            outcome=made.outcome,
            reason=cut(made),
            wall_milliseconds=None if wall is None else round(wall * 1000),
            log=run.told(made.log) if made.log else None,
            result=Robustness.of(
                built=made.outcome is Outcome.BUILT, same=all(a.same for a in artefacts)
            ),
            artefacts=artefacts,
            tested_on=again.tested_on,
        ),
    )


def _left(run: Run, rebuild: RebuildResult) -> dict[str, DigestSet]:
    return {o.name: run.told(o.sha256) for o in rebuild.outputs if o.part is OutputPart.ARTEFACT}
