"""The statements about rebuilds: E, each attempt, and the robustness test.

Subjects = the published digests. A run that ended without an attempt of its outcome (an input that
nobody serves, an image that does not match) has one statement E of purpose `run`.

A robustness test is a second rebuild of a run, with factors of the environment moved. The statement
names the attempt that was judged, and says of every artefact whether the second rebuild left the
same bytes. It is about a build, not about what was shipped: no verdict is in it, and none follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builders.container.idmap import IdMap, hides_root
from builders.core.enums import Outcome
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.robustness_factors import Factor, KeptFactor
from pipelines.evidence.report import Purpose, Robustness
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

MAX_ATTEMPTS = 1000
_RANKS = {Purpose.JUDGED: 0, Purpose.RETRY: 0, Purpose.RUN: 1}


class FailureReason(StrEnum):
    """What ended a build that did not succeed, where the outcome alone does not say."""

    EXIT_CODE = "exit-code"
    SIGNAL = "signal"
    OUTPUTS = "outputs-refused"
    DEADLINE = "deadline"
    MEMORY = "memory"
    SCRATCH = "scratch"
    PROCESSES = "processes"


class RebuildFacts(RunPredicate):
    """How a rebuild of a run went."""

    outcome: Outcome
    reason: FailureReason | None = None
    wall_milliseconds: Count | None = None
    log: DigestSet | None = None


class RebuildAttempt(RebuildFacts):
    """One attempt. Sizes are bytes."""

    number: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)]
    purpose: Purpose
    exit_code: Annotated[int | None, Field(ge=0, le=255)] = None
    signal: Annotated[int | None, Field(ge=1, le=127)] = None
    oom_killed: bool
    peak_memory: Count | None = None
    log_truncated: bool
    uid_map: IdMap | None = None
    """What the user ids of the container were on the machine; None where no build began."""
    seal: DigestSet | None = None
    """Of the run; only with the attempt that was judged."""
    report: DigestSet | None = None
    """Of the run's public report, as it is stored; from version 2 on."""
    started_on: Time
    finished_on: Time
    """When the run started and finished, not the attempt alone."""

    @property
    def has_user_namespace(self) -> bool:
        """Whether no user of the container was root of the machine."""
        return hides_root(self.uid_map or ())

    @model_validator(mode="after")
    def _built_by_an_attempt(self) -> Self:
        if self.purpose is Purpose.RUN and self.outcome is Outcome.BUILT:
            raise ValueError("a run is only BUILT by an attempt")
        return self


class AttemptStatement(
    Statement,
    kind="attempt",
    predicate_type=f"{NAMESPACE}rebuild-attempt/v2",
    former=(f"{NAMESPACE}rebuild-attempt/v1",),
):
    """Statement E."""

    predicate: RebuildAttempt

    @model_validator(mode="after")
    def _names_its_report(self) -> Self:
        if (self.predicate.report is None) is not (self.version == 1):
            raise ValueError("expected the digest of the report from version 2 on, and only there")
        return self


def final_attempt(attempts: Iterable[AttemptStatement]) -> AttemptStatement | None:
    """Return the attempt with the outcome of the run: the run's own, else the one judged last."""
    return max(
        (a for a in attempts if a.predicate.purpose in _RANKS),
        key=lambda a: (_RANKS[a.predicate.purpose], a.predicate.number),
        default=None,
    )


def failure_reason(rebuild: RebuildResult) -> FailureReason | None:
    """Return what ended a rebuild; None where its outcome says all."""
    reason = rebuild.reason or ""
    match rebuild.outcome:
        case Outcome.TIMED_OUT:
            return FailureReason.DEADLINE
        case Outcome.OUT_OF_RESOURCES:
            resources = (FailureReason.MEMORY, FailureReason.SCRATCH, FailureReason.PROCESSES)
            return next((word for word in resources if reason.startswith(word)), None)
        case Outcome.BUILD_FAILED if rebuild.signal:
            return FailureReason.SIGNAL
        case Outcome.BUILD_FAILED if rebuild.exit_code:
            return FailureReason.EXIT_CODE
        case Outcome.BUILD_FAILED:
            return FailureReason.OUTPUTS
        case _:
            return None


def wall_milliseconds(rebuild: RebuildResult) -> int | None:
    """Return how long a rebuild took, if that is known."""
    return None if rebuild.wall_seconds is None else round(rebuild.wall_seconds * 1000)


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


class RobustnessTest(RebuildFacts):
    """How the second rebuild went, and what it left."""

    purpose: Literal["robustness"] = "robustness"
    judged: DigestSet
    """Of the statement about the attempt that was judged."""
    claim: DigestSet
    moved: Annotated[tuple[VariedEntry, ...], Field(min_length=1)]
    kept: tuple[KeptFactor, ...]
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
