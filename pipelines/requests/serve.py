"""Serve requests in one process: read what is new, run what is open, write receipts."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.errors import CancelledError, NotFoundError, SamebitsError, StoreError
from pipelines.center.center import Center
from pipelines.center.keys import public_keys
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.report import Report
from pipelines.policy import Policy
from pipelines.requests.handler import (
    OpenRequest,
    RequestHandler,
    RequestOutcome,
    answer,
    fail,
    is_cancelled,
    read_receipt,
    refuse_cancelled,
    settled,
)
from pipelines.requests.messages import LAST, note_run
from pipelines.requests.offer import publish_offer
from pipelines.requests.triage import pending
from pipelines.signer.orders import status_signer
from pipelines.storage.opening import open_store
from pipelines.verify.cancellation import cancelled_when
from pipelines.verify.session import Session
from pipelines.verify.verify import job_for, verify

Run = Callable[[OpenRequest], Report]
"""Verifies the release of a request, and stores what it found."""


def serve(
    handler: RequestHandler,
    run: Run,
    clock: Callable[[], datetime],
    *,
    leave: Container[Digest] = (),
) -> list[RequestOutcome]:
    """Answer every request that is there, and return what became of each.

    `clock` gives the time in UTC. A run that raises `SamebitsError` leaves its request open for
    another try, until it expires; `CancelledError` ends the serving. What another server of this
    center is running is left to it, and those in `leave` are left for later. A request that its
    requester cancels is not run, or its run is cancelled. Raises what `pending` raises.
    """
    seen = pending(handler, clock())
    served = list(seen.refused)
    for item in seen.open:
        if item.digest in leave:
            continue
        with held(handler, item) as mine:
            if mine:
                served.append(_served(handler, item, run, clock))
    return served


@contextmanager
def held(handler: RequestHandler, item: OpenRequest) -> Iterator[bool]:
    """Hold a request while it is run; yields False when another process of this machine does.

    The hold ends with its process, however that ends. On two machines both may run; only one of
    them answers. Raises `StoreError`.
    """
    path = handler.home / "held" / str(item.digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be made", got=error.strerror) from error
    try:
        if not _locked(fd, path):
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)  # while it is held, so that nobody else's is removed
    finally:
        os.close(fd)


def _locked(fd: int, path: Path) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(fd).st_ino == path.stat().st_ino  # else it was removed in between
    except (BlockingIOError, FileNotFoundError):
        return False


def _served(
    handler: RequestHandler, item: OpenRequest, run: Run, clock: Callable[[], datetime]
) -> RequestOutcome:
    try:
        receipt = read_receipt(handler, item.signed, LAST)
    except NotFoundError:
        pass
    else:  # somebody was faster
        return settled(handler, item.signed, item.requester, receipt)
    try:
        if is_cancelled(handler, item.signed, item.requester):
            return refuse_cancelled(handler, item, clock())
        report = run(item)
        if report.outcome is Outcome.CANCELLED and is_cancelled(
            handler, item.signed, item.requester
        ):
            return refuse_cancelled(handler, item, clock())
        return answer(handler, item, report, clock())
    except CancelledError:
        raise
    except SamebitsError as error:
        return fail(handler, item, str(error)[:1000], clock())


def serve_round(session: Session, *, leave: Container[Digest] = ()) -> list[RequestOutcome]:
    """Answer every signed request but those in `leave`; returns what became of each."""
    handler = open_handler(session, datetime.now(UTC))

    def run(item: OpenRequest) -> Report:
        cancelled = partial(is_cancelled, handler, item.signed, item.requester)
        with (
            job_for(session, item.recipe) as job,
            cancelled_when(cancelled, session.cancellation(job.run)),
        ):
            note_run(handler.store, handler.center, item.digest, job.run)
            return verify(session, job, fresh=True)

    publish_offer(handler, datetime.now(UTC))
    return serve(handler, run, lambda: datetime.now(UTC), leave=leave)


def serve_for_a_while(
    session: Session,
    *,
    seconds: float = 285.0,
    every: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
    reread: Callable[[], Center] | None = None,
) -> list[RequestOutcome]:
    """Answer requests, looking for new ones every few seconds, for some minutes.

    A look costs little and a flow run seconds of CPU, so one flow run looks many times. A request
    whose run failed is tried once in that time: each try is a rebuild, with a leaf in the log.
    A session that is cancelled ends at once. `reread` returns the center as its file has it at each
    look.
    """
    served, until = serve_round(session), clock() + seconds
    pause = sleep or session.cancelled.wait
    with ExitStack() as renewed:
        while clock() + every < until and not session.cancelled.is_set():
            pause(every)
            if reread is not None and (center := reread()) is not session.center:
                session = renewed.enter_context(session.renewed(center))
            served += serve_round(session, leave={one.digest for one in served if one.fault})
    return served


def open_handler(session: Session, now: datetime) -> RequestHandler:
    """Return the handler of a center, with the policy that holds at `now` (UTC).

    Raises `KeyFileError`, and what `load_policy` raises.
    """
    center, book, policy = session.center, session.logbook(), session.policy(now)
    return RequestHandler(
        center=center.id,
        store=open_store(center.store),
        reports=session.store,
        policy=policy,
        recipes=center.recipes / "releases",
        sign=status_signer(session.signer),
        keys=_keys(center, policy),
        home=center.home / "requests",
        log=lambda keys: book.settle(*keys),
    )


def _keys(center: Center, policy: Policy) -> tuple[PublicKey, ...]:
    """Return the key that signs now, and others of the center that the policy has not ended."""
    now = public_keys(center)["statements"]
    others = (k.key for c in policy.centers if c.id == center.id for k in c.keys if k.end is None)
    return now, *(key for key in others if key != now)
