"""A second rebuild in another environment than the judged one: it tells how firm a verdict stands.

What comes of it is signed beside the evidence of the run, and told in the record of the night.
Nothing of it changes a verdict, an exit code, or whether a release counts as done.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from builders.core.enums import Outcome
from builders.core.errors import CancelledError, RebuildError, SamebitsError
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.robustness_plan import plan_robustness
from pipelines.evidence.report import Report, Robustness, RobustnessRebuild, changed_artefacts
from pipelines.nightly.record import RobustnessResult
from pipelines.verify import steps
from pipelines.verify.job import Job
from pipelines.verify.publish import publish_robustness
from pipelines.verify.session import Session

_FOLDER = "moved"


def rebuild_for_robustness(session: Session, job: Job, report: Report) -> RobustnessResult | None:
    """Rebuild what `report` judged once more elsewhere, sign and store what that showed.

    None where nothing was built to compare with. Raises `CancelledError`; whatever else goes wrong
    is FAILED, and told in the log.
    """
    judged = report.judged
    if report.outcome is not Outcome.BUILT or judged is None:
        return None
    sink = session.progress
    sink.step(job.release, "rebuilding in a moved environment")
    try:
        again = _rebuild(session, job)
        publish_robustness(session, job, report, again, job.folder / _FOLDER)
    except CancelledError:
        raise
    except (SamebitsError, OSError) as error:
        sink.step(job.release, f"the moved rebuild is not told: {error}")
        return RobustnessResult(result=Robustness.FAILED)
    built = again.rebuild.outcome is Outcome.BUILT
    odd = changed_artefacts(judged.rebuild, again.rebuild) if built else ()
    return RobustnessResult(
        result=Robustness.of(built=built, same=not odd),
        outcome=again.rebuild.outcome,
        moved=tuple(m.factor for m in again.moved),
        kept=again.kept,
        changed=odd,
    )


def _rebuild(session: Session, job: Job) -> RobustnessRebuild:
    """Return how the rebuild went; raises `RebuildError` where not even a plan could be made."""
    inputs, image = steps.fetch_inputs(session, job), steps.provide_image(session, job)
    moving = plan_robustness(job.loaded, inputs, cores=session.engine.info().cpus, run=job.run)
    moved = replace(job, loaded=moving.loaded)
    try:
        made = steps.run_plan(session, moved, moving.plan, inputs, image, job.folder / _FOLDER)
    except CancelledError:
        raise
    except RebuildError as error:
        made = RebuildResult(outcome=error.outcome, reason=str(error))
    # The second that has begun counts as over: a run's own end is rounded up too.
    ended = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    return RobustnessRebuild(moved=moving.varied, kept=moving.kept, rebuild=made, tested_on=ended)
