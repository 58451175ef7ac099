"""Serving requests in one process: look, run what is open, answer.

A flow that gives every request a run of its own calls `pending`, `held` and `answer` itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import CancelledError, NotFoundError, SamebitsError, StoreError
from pipelines.evidence.report import Report
from pipelines.requests.desk import (
    Desk,
    OpenRequest,
    Served,
    answer,
    give_up,
    read_receipt,
    settled,
)
from pipelines.requests.look import pending
from pipelines.requests.records import LAST

Run = Callable[[Path], Report]
"""Verifies the release of a recipe, and stores what it found."""


def serve(
    desk: Desk, run: Run, clock: Callable[[], datetime], *, leave: Container[Digest] = ()
) -> list[Served]:
    """Answer every request that is there, and return what became of each.

    `clock` gives the time in UTC. A run that raises `SamebitsError` leaves its request open for
    another try, until it expires; `CancelledError` ends the serving. What another server of this
    center is running is left to it, and those in `leave` are left for later. Raises what `pending`
    raises.
    """
    seen = pending(desk, clock())
    served = list(seen.refused)
    for item in seen.open:
        if item.digest in leave:
            continue
        with held(desk, item) as mine:
            if mine:
                served.append(_served(desk, item, run, clock))
    return served


@contextmanager
def held(desk: Desk, item: OpenRequest) -> Iterator[bool]:
    """Hold a request while it is run; yields False when somebody else on this machine does.

    The hold ends with its process, however that ends. On two machines both may run; only one of
    them answers. Raises `StoreError`.
    """
    path = desk.home / "held" / str(item.digest)
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


def _served(desk: Desk, item: OpenRequest, run: Run, clock: Callable[[], datetime]) -> Served:
    try:
        told = read_receipt(desk, item.asked, LAST)
    except NotFoundError:
        pass
    else:  # somebody was faster
        return settled(desk, item.asked, item.requester, told)
    try:
        return answer(desk, item, run(item.recipe), clock())
    except CancelledError:
        raise
    except SamebitsError as error:
        return give_up(desk, item, str(error)[:1000], clock())
