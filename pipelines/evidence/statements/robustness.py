"""A robustness test: a second rebuild of a run, with factors of the environment moved.

Subjects = the published digests. The statement names the attempt that was judged, and says of every
artefact whether the second rebuild left the same bytes. It is about a build, not about what was
shipped: no verdict is in it, and none follows.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builders.core.enums import Outcome
from builders.rebuild.robustness_factors import Factor, KeptReason
from pipelines.evidence.robustness import Robustness
from pipelines.evidence.statements.attempt import FailureReason
from pipelines.evidence.statements.statement import (
    MAX_LISTED,
    NAMESPACE,
    Count,
    DigestSet,
    Line,
    RunPredicate,
    Statement,
    StatementPart,
    Time,
)


class VariedEntry(StatementPart):
    """A factor that was moved, from what the judged rebuild saw to something else."""

    factor: Factor
    before: Annotated[Line, Field(alias="from")]
    after: Annotated[Line, Field(alias="to")]

    @model_validator(mode="after")
    def _elsewhere(self) -> Self:
        if self.before == self.after:
            raise ValueError(f"{self.factor} was moved to where it was")
        return self


class KeptEntry(StatementPart):
    """A factor that was not moved, and why."""

    factor: Factor
    why: KeptReason

    @model_validator(mode="after")
    def _cores_alone(self) -> Self:
        if self.why is KeptReason.ALONE and self.factor is not Factor.CORES:
            raise ValueError(f"{self.factor} has somewhere to go: only cores can be alone")
        return self


class ComparedArtefact(StatementPart):
    """What both rebuilds left of one artefact, if they did."""

    name: Line
    judged: DigestSet | None = None
    moved: DigestSet | None = None
    same: bool

    @model_validator(mode="after")
    def _of_its_digests(self) -> Self:
        if self.same is not (self.judged == self.moved):
            raise ValueError(f"{self.name} is the same or not, as its digests are")
        return self


class RobustnessTest(RunPredicate):
    """How the second rebuild went, and what it left."""

    purpose: Literal["robustness"] = "robustness"
    judged: DigestSet
    """Of the statement about the attempt that was judged."""
    claim: DigestSet
    moved: Annotated[tuple[VariedEntry, ...], Field(min_length=1)]
    kept: tuple[KeptEntry, ...]
    outcome: Outcome
    reason: FailureReason | None = None
    wall_milliseconds: Count | None = None
    log: DigestSet | None = None
    result: Robustness
    artefacts: Annotated[tuple[ComparedArtefact, ...], Field(min_length=1, max_length=MAX_LISTED)]
    tested_on: Time

    @model_validator(mode="after")
    def _every_factor(self) -> Self:
        for found in ([m.factor for m in self.moved], [k.factor for k in self.kept]):
            if found != [f for f in Factor if f in found]:
                raise ValueError("expected each factor once, in order")
        factors = [*(m.factor for m in self.moved), *(k.factor for k in self.kept)]
        if sorted(factors) != sorted(Factor):
            raise ValueError("expected every factor, moved or kept")
        return self

    @model_validator(mode="after")
    def _result_of_its_parts(self) -> Self:
        built = self.outcome is Outcome.BUILT
        if not built and any(artefact.moved for artefact in self.artefacts):
            raise ValueError(f"{self.outcome} leaves nothing to compare")
        same = all(artefact.same for artefact in self.artefacts)
        if self.result is not Robustness.of(built=built, same=same):
            raise ValueError("the result is not that of the artefacts")
        return self


class RobustnessStatement(Statement, kind="robustness", predicate_type=f"{NAMESPACE}robustness/v1"):
    """A robustness test; its subjects are those of the attempt that was judged."""

    predicate: RobustnessTest
