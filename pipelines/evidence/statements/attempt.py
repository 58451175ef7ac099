"""Statement E: one attempt at a rebuild, whatever its outcome; subjects = the published digests.

A run that ended without an attempt of that outcome (an input that nobody serves, an image that does
not match) has one statement of purpose `run`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from builders.core.enums import Outcome
from builders.rebuild.rebuild_result import RebuildResult
from pipelines.evidence.report import Purpose
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    Count,
    DigestSet,
    RunPredicate,
    Statement,
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


class RebuildAttempt(RunPredicate):
    """How one attempt went. Sizes are bytes, times milliseconds."""

    number: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)]
    purpose: Purpose
    outcome: Outcome
    reason: FailureReason | None = None
    exit_code: Annotated[int | None, Field(ge=0, le=255)] = None
    signal: Annotated[int | None, Field(ge=1, le=127)] = None
    oom_killed: bool
    peak_memory: Count | None = None
    wall_milliseconds: Count | None = None
    log: DigestSet | None = None
    log_truncated: bool
    seal: DigestSet | None = None
    """Of the run; only with the attempt that was judged."""
    started_on: Time
    finished_on: Time
    """When the run started and finished, not the attempt alone."""


class AttemptStatement(Statement, kind="attempt", predicate_type=f"{NAMESPACE}rebuild-attempt/v1"):
    """Statement E."""

    predicate: RebuildAttempt


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
