"""One release of a night: rebuild it, or look at what is shipped; exactly one result a night.

Some are rebuilt once more in another environment than the judged one, which tells how firm a
verdict stands. What comes of that is signed beside the evidence of the run, and told in the record
of the night. Nothing of it changes a verdict, an exit code, or whether a release counts as done.

The result is a record that is created once. Whoever is given a release that has its result already
returns that; two who are given it at once wait for each other where they share a machine, and of
two machines the first result counts. Every run's own evidence is kept in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import (
    CancelledError,
    NotFoundError,
    RebuildError,
    SamebitsError,
    StoreConflictError,
    StoreError,
)
from builders.rebuild.rebuild_result import RebuildResult
from builders.rebuild.robustness_plan import plan_robustness
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report, Robustness, RobustnessRebuild, changed_artefacts
from pipelines.evidence.stored_runs import RunName, stored_report
from pipelines.judge.compare import Unreachable
from pipelines.judge.finding import FileFact
from pipelines.nightly.night_plan import DueRelease
from pipelines.nightly.record import (
    MAX_ERROR,
    ArtefactVerdict,
    DueReason,
    Mode,
    NightEntry,
    RobustnessResult,
    error_key,
    read_result,
    result_key,
)
from pipelines.policy.reviews.review_records import review_status, review_target
from pipelines.storage.files import held
from pipelines.storage.store import DamagedError
from pipelines.verify import judging, steps
from pipelines.verify.publish import publish_robustness
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for

Verify = Callable[[Session, Job], Report]
_FOLDER = "moved"


def run_release(
    session: Session,
    night: str,
    due: DueRelease,
    *,
    verifier: Verify,
    flow_run: str = "",
) -> NightEntry:
    """Do what is due for one release and record it; returns the record that counts.

    Raises `UsageError` for a recipe that has become unusable, `StoreError`, and `CancelledError`
    for a night that was stopped; then no result is recorded, and whoever is given the release again
    does it again. The first error is kept for the record of the night.
    """
    center, store = session.center, session.store
    key = result_key(center.id, night, due.release)
    with held(center.home / "locks" / Digest.of(due.release.encode()).hex[:32]):
        if (there := read_result(store, key)) is not None:
            return there
        try:
            entry = _do(session, due, flow_run, verifier)
        except CancelledError:
            raise
        except Exception as error:
            with suppress(StoreError):  # the first reason stays; a later try may give a result
                reason = f"{type(error).__name__}: {error}".encode(errors="backslashreplace")
                store.put_record(error_key(center.id, night, due.release), reason[:MAX_ERROR])
            raise
        if entry.verdict is Verdict.NOT_CHECKED:  # what came to a verdict is published, and counts
            session.raise_if_cancelled()
        try:
            store.put_record(key, entry.model_dump_json(exclude_none=True).encode())
        except StoreConflictError:  # another machine was first
            return read_result(store, key) or entry
    return entry


def _do(session: Session, due: DueRelease, flow_run: str, verifier: Verify) -> NightEntry:
    path = session.center.recipes / due.recipe
    why = due.why
    if not due.rebuild and due.before is not None:
        with job_for(session, path, flow_run=flow_run) as job:
            reviewed = still_reviewed(session, job, due.claim, due.before.run)
            changed = _look(session, job) if reviewed else None
        if reviewed and not changed:
            return _looked(due, due.before, checked=changed is False)
        # A whole verification signs what is served now, or that nobody vouches for the source.
        why = DueReason.SHIPPED_CHANGED if reviewed else DueReason.NOT_REVIEWED
    with job_for(session, path, flow_run=flow_run) as job:
        report = verifier(session, job)
        shown = rebuild_for_robustness(session, job, report) if due.robustness else None
    return _rebuilt(due, report, why, shown)


def _look(session: Session, job: Job) -> bool | None:
    """Fetch what is shipped now; says whether it has changed, None where it cannot be had."""
    published = {a.name: a.published.sha256 for a in job.recipe.artefacts}
    try:
        served = judging.fetch_shipped(session, job, fresh=True)
    except StoreError:
        raise
    except RebuildError:
        return None
    if any(isinstance(f, FileFact) and f.sha256 != published[n] for n, f in served.items()):
        return True
    return None if any(isinstance(f, Unreachable) for f in served.values()) else False


def _looked(due: DueRelease, before: NightEntry, *, checked: bool) -> NightEntry:
    verdict = before.verdict if checked else Verdict.NOT_CHECKED
    kept = before.only("outcome", "run", "rebuilt", "settled", "seconds")
    return due.entry(Mode.FRESH, verdict, **kept)


def _rebuilt(
    due: DueRelease, report: Report, why: DueReason, shown: RobustnessResult | None
) -> NightEntry:
    settled = due.before.settled if due.before else None
    return due.entry(
        Mode.REBUILT,
        report.verdict,
        why=why,
        outcome=report.outcome,
        artefacts=tuple(ArtefactVerdict(name=f.name, verdict=f.verdict) for f in report.artefacts),
        run=report.run,
        rebuilt=due.number,
        settled=settled if report.verdict is Verdict.NOT_CHECKED else report.verdict,
        seconds=round(report.timings.get("total", 0.0), 1),
        robustness=shown.result if shown else None,
        moved=shown,
    )


def rebuild_for_robustness(session: Session, job: Job, report: Report) -> RobustnessResult | None:
    """Rebuild what `report` judged once more elsewhere, sign and store what that showed.

    None where nothing was built to compare with, and for a run that was cancelled by itself. Raises
    `CancelledError` with the session; whatever else goes wrong is FAILED, and told in the log.
    """
    judged = report.judged
    if report.outcome is not Outcome.BUILT or judged is None:
        return None
    session.raise_if_cancelled()
    if session.cancellation(job.run).is_set():
        return None
    sink = session.progress
    sink.step(job.release, "rebuilding in a varied environment")
    try:
        again = rebuild_elsewhere(session, job)
        publish_robustness(session, job, report, again, job.folder / _FOLDER)
    except CancelledError:
        raise
    except (SamebitsError, OSError) as error:
        sink.step(job.release, f"the robustness rebuild left no record: {error}")
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


def rebuild_elsewhere(session: Session, job: Job) -> RobustnessRebuild:
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


def still_reviewed(session: Session, job: Job, claim: Digest, run: str | None) -> bool:
    """Count the reviews of what `run` of an earlier night was made from, under today's policy.

    Raises `PolicyError` for a policy that does not count, and `StoreError`.
    """
    recipe, now = job.recipe, datetime.now(UTC)
    policy = session.policy(now)
    if policy.demand(recipe.kind, recipe.reviews.minimum if recipe.reviews else 0) == 0:
        return True
    report = _whole_report(session, job, run)
    if report is None or report.claim != claim:
        return False
    store = session.store
    sources = [s.source_digest for s in report.environment.sources if s.source_digest]
    reviewed = review_target(recipe, claim, sources, store)
    return review_status(recipe, reviewed, policy=policy, store=store, now=now).enough


def _whole_report(session: Session, job: Job, run: str | None) -> Report | None:
    """Return the whole report of a run of ours; None where it cannot be had."""
    if run is None:
        return None
    try:
        name = RunName.of(ReleaseName.parse(job.release), job.center, run)
        return stored_report(session.store, name, whole=True)
    except (NotFoundError, DamagedError, ValueError):  # no such run, rubbish, no run id or report
        return None
