"""Several runs of one session at once, in threads of this process, and their cancellation.

How much is built at once is not decided here, but by the ledger of the machine.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from threading import Thread, current_thread
from types import FrameType
from typing import TypeVar

from builders.core.errors import EXIT_INTERRUPTED
from pipelines.verify.session import Session

T = TypeVar("T")
R = TypeVar("R")
_HEED = 0.5
"""Seconds; how long a wait may delay a signal that came just before it."""
_ONE_PRESS = 1.0
"""Seconds; shells and wrappers may hand one Ctrl-C on more than once."""


def in_lanes(
    session: Session, work: Callable[[T], R], items: Sequence[T], *, lanes: int
) -> list[R]:
    """Call `work` for each item, `lanes` at a time; returns what it returned, in their order.

    What `work` raises for one of several items, and what interrupts the wait, cancels the session
    and is raised once every lane has ended at its next step and removed what it made. Of a single
    item it is raised alone: others may share the session.
    """
    begun: list[Thread] = []

    def one(item: T) -> R:
        session.raise_if_cancelled()
        return work(item)

    pool = ThreadPoolExecutor(lanes, initializer=lambda: begun.append(current_thread()))
    try:
        futures = [pool.submit(copy_context().run, one, item) for item in items]
        while (state := wait(futures, timeout=_HEED, return_when=FIRST_EXCEPTION)).not_done:
            for ended in state.done:
                ended.result()  # raises what `work` raised, while the others run
        return [future.result() for future in futures]
    except BaseException as error:
        if len(items) > 1 or not isinstance(error, Exception):
            session.cancelled.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for lane in begun:  # a pool that is stopped while it starts one does not wait for that
            lane.join()


@contextmanager
def cancelled_by_signals(session: Session) -> Iterator[None]:
    """Cancel the session at the first SIGINT or SIGTERM, and end this process at a later one."""
    first: float | None = None

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if first is None:
            first = now
            session.cancelled.set()
            _tell("cancelling, and removing what was begun; press Ctrl-C again to end at once")
            raise KeyboardInterrupt
        if now - first > _ONE_PRESS:
            _tell("ended at once; `samebits reap` removes what was left behind")
            os._exit(EXIT_INTERRUPTED)

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    """Write to stderr as a signal handler may: the stream itself could be in use."""
    os.write(2, f"samebits: {text}\n".encode())
