"""Statement E: one attempt at a rebuild, whatever its outcome; subjects = the published digests.

Predicate type `https://samebits.example/rebuild-attempt/v1`. A run that ended without an attempt of
that outcome (an input that nobody serves, an image that does not match) has one of purpose `run`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from builders.core.enums import Outcome
from pipelines.evidence.statements.statement import (
    Count,
    DigestSet,
    Identifier,
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

ATTEMPT = "https://samebits.example/rebuild-attempt/v1"
MAX_ATTEMPTS = 1000


class Purpose(StrEnum):
    """What an attempt was made for."""

    JUDGED = "judged"
    RETRY = "retry"
    CONFIRMING = "confirming"
    RUN = "run"


class Cut(StrEnum):
    """What ended a build that did not succeed, where the outcome alone does not say."""

    EXIT_CODE = "exit-code"
    SIGNAL = "signal"
    OUTPUTS = "outputs-refused"
    DEADLINE = "deadline"
    MEMORY = "memory"
    SCRATCH = "scratch"
    PROCESSES = "processes"


class RebuildAttempt(Part):
    """How one attempt went. Sizes are bytes, times milliseconds."""

    release: Release
    center: Identifier
    builder: Uri
    run: RunName
    number: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)]
    purpose: Purpose
    outcome: Outcome
    reason: Cut | None = None
    exit_code: Annotated[int | None, Field(ge=0, le=255)] = None
    signal: Annotated[int | None, Field(ge=1, le=127)] = None
    oom_killed: bool
    peak_memory: Count | None = None
    wall_milliseconds: Count | None = None
    log: DigestSet | None = None
    log_truncated: bool
    claim: DigestSet | None = None
    seal: DigestSet | None = None
    """Of the run; only with the attempt that was judged."""
    started_on: Time
    finished_on: Time
    """When the run started and finished, not the attempt alone."""


class AttemptStatement(Statement):
    """Statement E."""

    predicate_type: Literal["https://samebits.example/rebuild-attempt/v1"] = (
        "https://samebits.example/rebuild-attempt/v1"
    )
    predicate: RebuildAttempt


def attempts(run: Run) -> tuple[AttemptStatement, ...]:
    """Return a statement for each attempt of a run; the last one carries the run's own outcome."""
    found = [
        _attempt(run, a.rebuild, number=a.number, purpose=Purpose(a.purpose))
        for a in run.report.attempts
    ]
    judged = run.judged
    if judged is None or judged.outcome is not run.report.outcome:
        found.append(_attempt(run, None, number=len(found) + 1, purpose=Purpose.RUN))
    return tuple(found)


def cut(rebuild: RebuildResult) -> Cut | None:
    """Return the word for what ended a rebuild; None where its outcome says all."""
    reason = rebuild.reason or ""
    match rebuild.outcome:
        case Outcome.TIMED_OUT:
            return Cut.DEADLINE
        case Outcome.OUT_OF_RESOURCES:
            found = (c for c in (Cut.MEMORY, Cut.SCRATCH, Cut.PROCESSES) if reason.startswith(c))
            return next(found, None)
        case Outcome.BUILD_FAILED if rebuild.signal:
            return Cut.SIGNAL
        case Outcome.BUILD_FAILED if rebuild.exit_code:
            return Cut.EXIT_CODE
        case Outcome.BUILD_FAILED:
            return Cut.OUTPUTS
        case _:
            return None


def _attempt(
    run: Run, rebuild: RebuildResult | None, *, number: int, purpose: Purpose
) -> AttemptStatement:
    report = run.report
    sealed = report.seal if rebuild is not None and rebuild is run.judged else None
    wall = rebuild.wall_seconds if rebuild else None
    return AttemptStatement(
        subject=tuple(subject(a.name, a.shipped.sha256) for a in run.loaded.recipe.artefacts),
        predicate=RebuildAttempt(
            release=report.release,
            center=run.center.id,
            builder=run.center.builder_id,
            run=report.run,
            number=number,
            purpose=purpose,
            outcome=rebuild.outcome if rebuild else report.outcome,
            reason=cut(rebuild) if rebuild else None,
            exit_code=rebuild.exit_code if rebuild else None,
            signal=rebuild.signal if rebuild else None,
            oom_killed=rebuild.oom_killed if rebuild else False,
            peak_memory=rebuild.peak_memory if rebuild else None,
            wall_milliseconds=None if wall is None else round(wall * 1000),
            log=run.told(rebuild.log) if rebuild and rebuild.log else None,
            log_truncated=rebuild.log_truncated if rebuild else False,
            claim=run.told(report.claim) if report.claim else None,
            seal=DigestSet(sha256=sealed) if sealed else None,
            started_on=run.started,
            finished_on=run.finished,
        ),
    )
