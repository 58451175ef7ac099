"""One verification from recipe to report: the order of the steps, and what each failure means.

The report is final at the verdict, and is published before anything is explained.

A scheduler can wrap each step that takes long in a task of its own; the order, and every decision,
is here and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import EngineError, InfrastructureError, RebuildError, StoreError
from builders.core.runid import new_run_id, run_started
from builders.images.provide import claimed_digest
from builders.rebuild.workspace import note_release, release_folder, workspace
from builders.recipe.claim import claim_of
from builders.recipe.recipe import load_recipe
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.report import Purpose, Report, ReviewFact
from pipelines.judge.compare import Unreachable
from pipelines.judge.finding import Finding
from pipelines.policy import Policy
from pipelines.policy.reviews.review_records import review_status, review_target
from pipelines.signer.opened_evidence import MAX_RUN
from pipelines.verify import judging, steps
from pipelines.verify.cancellation import cancellable_run
from pipelines.verify.current_run import PLAIN, CurrentRun, Wrap
from pipelines.verify.explaining import explain_published, explain_run
from pipelines.verify.judging import Shipped
from pipelines.verify.publish import Published, bill_of_materials, publish, run_folder
from pipelines.verify.sealed_run import (
    SealedRun,
    drop_kept_report,
    keep_report,
    read_kept_explanation,
    read_kept_report,
)
from pipelines.verify.session import Job, Session
from pipelines.verify.unpublished import Unpublished, UnpublishedReport

_OF_THE_CLOCK = frozenset({"times", "figures"})
"""Checks of the signer that a wrong clock fails."""

_PREPARED = 0.5
"""Seconds after which the container of a rebuild has usually started."""


@contextmanager
def job_for(
    session: Session, recipe: Path, *, flow_run: str = "", unshipped: bool = False
) -> Iterator[Job]:
    """Open a run of `session`: its id, its folder, and the removal of what it leaves running.

    `unshipped` takes artefacts without `shipped` too. Raises `RecipeError`.
    """
    run, center = new_run_id(), session.center
    with workspace(center.runs, run) as folder:
        loaded = load_recipe(recipe, unshipped=unshipped)
        note_release(folder, loaded.recipe.release)
        job = Job(loaded=loaded, center=center.id, run=run, folder=folder, flow_run=flow_run)
        try:
            yield job
        finally:
            with suppress(EngineError):  # `samebits reap` removes it once the engine is back
                session.sweep(run)


def verify_recipe(
    session: Session, recipe: Path, wrap: Wrap = PLAIN, *, flow_run: str = "", fresh: bool = False
) -> Report:
    """Verify the release of a recipe in a run of its own; see `job_for` and `verify`."""
    with job_for(session, recipe, flow_run=flow_run) as job:
        return verify(session, job, wrap, fresh=fresh)


def verify(session: Session, job: Job, wrap: Wrap = PLAIN, *, fresh: bool = False) -> Report:
    """Verify one release, store the evidence, and return the report.

    `fresh` fetches shipped files again, even those in the vault. Raises `UsageError` for a recipe
    that cannot be used, `StoreError` when nothing can be stored, and `CancelledError` for a session
    that was cancelled before the commitment. A run whose commitment could not be logged for certain
    raises `InfrastructureError`, and is left to be completed. Every other failure is an outcome in
    the report. So is the cancellation of this run alone, by its id.
    """
    run = CurrentRun(session=session, job=job, wrap=wrap)
    session.check_store()  # a store that cannot be written fails before anything is built
    policy = session.policy(datetime.now(UTC))
    _ = session.signer  # as does a center without its keys
    session.progress.step(job.release, f"begins as run {job.run}")
    with cancellable_run(
        session.store,
        job.center,
        job.run,
        session.cancellation(job.run),
        release=job.release,
        flow_run=job.flow_run,
    ):
        report = _verified(run, policy, fresh=fresh)
        keep_report(job, report)
        with run.timed("publish"):
            published = run.step("publish", publish, report)
        if explain_published(run, report, published):
            release_folder(job.folder)
    session.progress.done(job.release, report.verdict)
    return report


def complete(session: Session, job: Job, sealed: SealedRun) -> Report:
    """Complete a run that was cut off after it was sealed, and return its report.

    The commitment is logged if it was not. A run that had its report is published, and one that is
    published is explained. Raises as `verify` does, and `InfrastructureError` for a run that is not
    explained yet.
    """
    session.progress.step(job.release, f"completing the run {job.run}, which was cut off")
    run = CurrentRun(
        session=session,
        job=job,
        wrap=PLAIN,
        claim=sealed.claim,
        image=sealed.image,
        inputs=sealed.inputs,
        sources=sealed.sources,
        reviews=sealed.reviews,
        attempt=sealed.attempts[-1],
        seal=sealed.seal,
        committing=True,
        outcome=Outcome.BUILT,
    )
    if (report := read_kept_report(job.folder)) is None:
        steps.return_to(session, job, sealed.attempts, sealed.inputs)
        steps.commit_seal(session, job, sealed.claim, sealed.seal)
        findings = _judge(run, fresh=False)
        run.timings["total"] = _taken(job, sealed)
        report = run.report(findings)
        keep_report(job, report)
        published = _publish_kept(session, job, report)
    else:
        published = _publish_kept(session, job, report)
        if read_kept_explanation(job.folder) is None:
            steps.return_to(session, job, sealed.attempts, sealed.inputs)
    if not explain_published(run, report, published):
        raise InfrastructureError(
            "it is published, and not explained yet",
            got=f"{report.verdict}, statements {'logged' if published.logged else 'not logged'}",
            todo="Run `samebits reap` once the store of the center answers",
        )
    session.progress.done(job.release, report.verdict)
    return report


def _taken(job: Job, sealed: SealedRun) -> float:
    """Return the seconds from a run's start until now, as the signer can accept them.

    The clock may have been set since, and the run may be completed late: no fewer than its rebuilds
    took, and no more than a run may take.
    """
    taken = (datetime.now(UTC) - run_started(job.run)).total_seconds()
    rebuilt = sum(attempt.rebuild.wall_seconds or 0 for attempt in sealed.attempts)
    return round(max(rebuilt, min(taken, MAX_RUN.total_seconds())), 3)


def _publish_kept(session: Session, job: Job, report: Report) -> Published:
    """Publish the kept report of a run; raises as `publish` does.

    One that the signer refuses for its times is made anew by the next try, unless a part of it is
    stored: the clock that it was made by was wrong, and the report would stay refused.
    """
    try:
        return publish(session, job, report)
    except RefusedError as error:
        if error.check in _OF_THE_CLOCK and not any(session.store.list(run_folder(report))):
            drop_kept_report(job.folder)
        raise


def verify_unpublished(
    session: Session,
    recipe: Path,
    wrap: Wrap = PLAIN,
    *,
    candidates: Path | None = None,
    fresh: bool = False,
    seen: Callable[[Report, Path, Path], object] | None = None,
) -> UnpublishedReport:
    """Verify the release of a recipe, and leave no evidence of it.

    The files in the folder `candidates` are judged in the place of shipped ones. Differences are
    named and confirmed, but no diffoscope report is made. `seen` is called with the report and the
    folders of shipped and rebuilt files, which are removed at the end. Raises as `verify` does,
    `StoreError` and what a signer raises apart.
    """
    why = Unpublished.DRY_RUN if candidates is None else Unpublished.CANDIDATE
    with job_for(session, recipe, unshipped=candidates is not None) as job:
        run = CurrentRun(
            session=session, job=job, wrap=wrap, published=False, candidates=candidates
        )
        report = _verified(run, session.made_policy(datetime.now(UTC)), fresh=fresh)
        if seen is not None and run.attempt is not None:
            seen(report, *judging.file_folders(job, run.attempt))
        explanation = explain_run(run, report, {})
    session.progress.done(job.release, report.verdict)
    return UnpublishedReport(unpublished=why, report=report, explanation=explanation)


def _verified(run: CurrentRun, policy: Policy | None, *, fresh: bool) -> Report:
    """Rebuild and judge; raises as `verify` does."""
    start = time.monotonic()
    try:
        _rebuild(run, policy)
    except StoreError:
        raise
    except RebuildError as error:
        if run.committing:  # the log may have the commitment, after which no failure may be stated
            raise
        run.outcome, run.reason = error.outcome, str(error)
    findings = _judge(run, fresh=fresh)
    run.timings["total"] = round(time.monotonic() - start, 3)
    report = run.report(findings)
    if report.verdict is Verdict.NOT_CHECKED and not run.committing:
        run.session.raise_if_cancelled()  # that everything was cancelled says nothing of a release
    return report


def _rebuild(run: CurrentRun, policy: Policy | None) -> None:
    """Rebuild, seal and commit; nothing here has seen a shipped byte."""
    session, job = run.session, run.job
    claimed = claimed_digest(job.recipe.build.image, session.images)
    run.claim = claim = claim_of(job.loaded, claimed).digest
    with run.timed("inputs"):
        run.inputs = run.step("fetch-inputs", steps.fetch_inputs)
    with run.timed("source"):
        run.sources = steps.source_facts(session, job, run.inputs)
        _require_reviews(run, claim, policy)
    with run.timed("image"):
        run.image = image = run.step("provide-image", steps.provide_image)
    meanwhile = _meanwhile(bill_of_materials, session, job) if run.published else nullcontext()
    with run.timed("rebuild"), meanwhile:
        run.attempt = run.step("rebuild", steps.run_rebuild, run.inputs, run.image, Purpose.JUDGED)
    run.outcome, run.reason = run.attempt.rebuild.outcome, run.attempt.rebuild.reason
    if run.outcome is Outcome.BUILT and run.published:
        with run.timed("seal"):
            seal = run.step("seal", steps.seal_outputs, run.attempt)
        with run.timed("commit"):
            SealedRun(
                path=job.loaded.path,
                claim=claim,
                seal=seal,
                attempts=steps.attempts(job),
                image=image,
                inputs=run.inputs,
                sources=run.sources,
                reviews=run.reviews,
            ).keep(job)
            run.committing = True
            run.step("commit", steps.commit_seal, claim, seal)
        run.seal = seal


@contextmanager
def _meanwhile(
    work: Callable[[Session, Job], object], session: Session, job: Job
) -> Iterator[None]:
    """Do `work`, whose result is cached, beside the block; it fails where it is needed.

    It begins once the container runs, by the clock: before that, it would hold up its preparation.
    """

    def tried() -> None:
        with suppress(Exception):
            work(session, job)

    timer = Timer(_PREPARED, tried)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _require_reviews(run: CurrentRun, claim: Digest, policy: Policy | None) -> None:
    """Note who has reviewed; raises `SourceNotReviewedError` when those are not enough.

    Without a policy only the recipe can demand reviews.
    """
    recipe, store = run.job.recipe, run.session.store
    if policy is None:
        if recipe.reviews is None:
            return
        policy = run.session.policy(datetime.now(UTC))
    digests = [source.source_digest for source in run.sources if source.source_digest]
    reviewed = review_target(recipe, claim, digests, store, make_salt=run.published)
    found = review_status(recipe, reviewed, policy=policy, store=store, now=datetime.now(UTC))
    run.reviews = tuple(ReviewFact(name=c.reviewer, key=c.keyid) for c in found.count.counted)
    found.require()


def _judge(run: CurrentRun, *, fresh: bool) -> tuple[Finding, ...]:
    """Fetch what was shipped, give the verdicts, and keep what did not match."""
    session, job = run.session, run.job
    shipped: Shipped = {}
    if run.candidates is not None:
        shipped = judging.take_candidates(session, job, run.candidates)
    elif run.outcome is Outcome.BUILT:
        with run.timed("shipped"):
            shipped = _shipped(run, fresh=fresh)
    with run.timed("judge"):
        findings = run.step(
            "judge",
            judging.judge,
            run.inputs,
            run.attempt,
            shipped,
            outcome=run.outcome,
            reason=run.reason,
        )
    if run.published and run.outcome is Outcome.BUILT:
        judging.keep_shipped(session, job, findings)
    return findings


def _shipped(run: CurrentRun, *, fresh: bool) -> Shipped:
    """Fetch what was shipped; whatever goes wrong there, the rebuild is not lost for it."""
    try:
        return run.step("fetch-shipped", judging.fetch_shipped, fresh=fresh)
    except StoreError:
        raise
    except RebuildError as error:
        names = [artefact.name for artefact in run.job.recipe.artefacts]
        return dict.fromkeys(names, Unreachable(reason=str(error)))
