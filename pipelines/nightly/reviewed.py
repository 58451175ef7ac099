"""Whether a verdict of an earlier night still rests on enough reviews.

A withdrawn review, a revoked reviewer and a policy that demands more come without any change to the
release itself. Whatever cannot be told counts as not reviewed: a whole verification then says so.
"""

from __future__ import annotations

from datetime import UTC, datetime

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from builders.core.runid import parse_run_id
from pipelines.evidence.records import RunName, read_report
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.report import Report
from pipelines.policy.reviews.gate import review_status, review_target
from pipelines.storage.store import DamagedError
from pipelines.verify.job import Job
from pipelines.verify.session import Session


def still_reviewed(session: Session, job: Job, claim: Digest, run: str | None) -> bool:
    """Count the reviews of what `run` of an earlier night was made from, under today's policy.

    Raises `PolicyError` for a policy that does not count, and `StoreError`.
    """
    recipe, now = job.recipe, datetime.now(UTC)
    policy = session.policy(now)
    if policy.demand(recipe.kind, recipe.reviews.minimum if recipe.reviews else 0) == 0:
        return True
    report = _report(session, job, run)
    if report is None or report.claim != claim:
        return False
    store = session.store
    sources = [s.source_digest for s in report.environment.sources if s.source_digest]
    reviewed = review_target(recipe, claim, sources, store)
    return review_status(recipe, reviewed, policy=policy, store=store, now=now).enough


def _report(session: Session, job: Job, run: str | None) -> Report | None:
    """Return the whole report of a run of ours; None where it cannot be had."""
    if run is None:
        return None
    try:
        name = RunName(
            release=ReleaseName.parse(job.release), center=job.center, run=parse_run_id(run)
        )
        return Report.model_validate(read_report(session.store, name, whole=True))
    except (NotFoundError, DamagedError, ValueError):  # no such run, rubbish, no run id or report
        return None
