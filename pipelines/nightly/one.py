"""One release of a night: rebuild it, or look at what is shipped; exactly one result a night.

The result is a record that is created once. Whoever is given a release that has its result already
returns that; two who are given it at once wait for each other where they share a machine, and of
two machines the first result counts. Every run's own evidence is kept in any case.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import NotFoundError, RebuildError, StoreConflictError, StoreError
from pipelines.center.center import Center
from pipelines.evidence.report import Report
from pipelines.nightly.due import Due
from pipelines.nightly.record import Entry, Judged, Mode, Moved, Why, result_key
from pipelines.nightly.reviewed import still_reviewed
from pipelines.storage.store import DamagedError, Store
from pipelines.verify import judging
from pipelines.verify.job import Job
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for, verify_fresh

Verify = Callable[[Session, Job], Report]
Test = Callable[[Session, Job, Report], Moved | None]
"""Rebuilds once more in a moved environment; None where there is nothing to compare with."""

_MAX_RESULT = 1 << 20


def run_one(
    session: Session,
    night: str,
    due: Due,
    *,
    flow_run: str = "",
    verifier: Verify = verify_fresh,
    tester: Test | None = None,
) -> Entry:
    """Do what is due for one release and record it; returns the record that counts.

    Raises `UsageError` for a recipe that has become unusable, `StoreError`, and `CancelledError`
    for a night that was stopped; then nothing is recorded, and whoever is given the release again
    does it again.
    """
    center, store = session.center, session.store
    key = result_key(center.id, night, due.release)
    with _alone(center, due.release):
        if (there := read_result(store, key)) is not None:
            return there
        entry = _do(session, due, flow_run=flow_run, verifier=verifier, tester=tester)
        session.raise_if_cancelled()
        try:
            store.put_record(key, entry.model_dump_json(exclude_none=True).encode())
        except StoreConflictError:  # another machine was first
            return read_result(store, key) or entry
    return entry


def read_result(store: Store, key: str) -> Entry | None:
    """Return what a night found for a release; None while there is nothing. Raises `StoreError`."""
    try:
        data = store.get(key, _MAX_RESULT)
    except NotFoundError:
        return None
    try:
        return Entry.model_validate_json(data)
    except ValidationError as error:
        raise DamagedError(
            f"{key} is damaged", got=f"{error.error_count()} faults", expected="a night's result"
        ) from error


def _do(
    session: Session, due: Due, *, flow_run: str, verifier: Verify, tester: Test | None
) -> Entry:
    path = session.center.recipes / due.recipe
    why = due.why
    if not due.rebuild and due.before is not None:
        with job_for(session, path, flow_run=flow_run) as job:
            reviewed = still_reviewed(session, job, due.claim, due.before.run)
            changed = _look(session, job) if reviewed else None
        if reviewed and changed is None:
            return _looked(due, due.before, checked=False)
        if reviewed and not changed:
            return _looked(due, due.before, checked=True)
        # A whole verification signs what is served now, or that nobody vouches for the source.
        why = Why.SHIPPED_CHANGED if reviewed else Why.NOT_REVIEWED
    with job_for(session, path, flow_run=flow_run) as job:
        report = verifier(session, job)
        shown = tester(session, job, report) if tester is not None and due.robustness else None
    return _rebuilt(due, report, why, shown)


def _look(session: Session, job: Job) -> bool | None:
    """Fetch what is shipped now; says whether it has changed, None where it cannot be had."""
    published = {a.name: a.shipped.sha256 for a in job.recipe.artefacts}
    try:
        served = judging.fetch_shipped(session, job, fresh=True)
    except StoreError:
        raise
    except RebuildError:
        return None
    if any(s.file is not None and s.file.sha256 != published[s.name] for s in served):
        return True
    return None if any(s.file is None for s in served) else False


def _looked(due: Due, before: Entry, *, checked: bool) -> Entry:
    verdict = before.verdict if checked else Verdict.NOT_CHECKED
    return before.model_copy(
        update={
            "mode": Mode.FRESH,
            "why": due.why,
            "expected": due.expected,
            "verdict": verdict,
            "artefacts": (),
            "robustness": None,
            "moved": None,
        }
    )


def _rebuilt(due: Due, report: Report, why: Why, shown: Moved | None) -> Entry:
    settled = due.before.settled if due.before else None
    return Entry(
        release=due.release,
        claim=due.claim,
        published=due.published,
        mode=Mode.REBUILT,
        why=why,
        verdict=report.verdict,
        outcome=report.outcome,
        artefacts=tuple(Judged(name=f.name, verdict=f.verdict) for f in report.artefacts),
        run=report.run,
        rebuilt=due.number,
        settled=settled if report.verdict is Verdict.NOT_CHECKED else report.verdict,
        expected=due.expected,
        seconds=round(report.timings.get("total", 0.0), 1),
        robustness=shown.result if shown else None,
        moved=shown,
    )


@contextmanager
def _alone(center: Center, release: str) -> Iterator[None]:
    """Hold the lock of one release on this machine; a dead holder holds nothing."""
    path: Path = center.home / "locks" / Digest.of(release.encode()).hex[:32]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
