"""Building many releases in two processes: this one, and another one like it.

Each has its own view of the center; both write into the folder of the generation. What the other
process returns are the values that the state keeps, and nothing is shared. Where no thread but this
one is there, it is a fork of this process, which has imported what it needs.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from pipelines.audit.log_index import LogIndex
from pipelines.center.center import Center
from pipelines.consensus.release_consensus import ConsensusView
from pipelines.portal.dependencies import Dependencies
from pipelines.portal.release_builder import BuiltRelease, DueRelease, ReleaseBuilder
from pipelines.portal.site_writer import SiteWriter
from pipelines.verify.session import Session

KNOWN = 400
"""Recipes from which on another process is begun: before it is known how many releases are due."""
MANY = 40
"""Releases that are due from which on it builds some of them."""
_BATCHES, _SMALLEST, _LARGEST = 24, 4, 100
"""A batch is one of so many of the releases that are left; the fewest and the most of one."""
_WAITING = 2
"""Batches that the other process has at hand."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class OtherProcess:
    """What the other process needs to build releases of the same generation."""

    center: Center
    now: datetime
    number: int
    folder: Path
    current: Path


@contextmanager
def other_process(other: OtherProcess, known: int) -> Iterator[ProcessPoolExecutor | None]:
    """Begin another process, and yield it; None where `known` releases are too few for one.

    It is ready when it is known which releases are due, and ends with the block.
    """
    if known < KNOWN or os.cpu_count() == 1:
        yield None
        return
    # Of several threads a fork has one, and waits for ever for what another one has locked.
    context = get_context("fork" if threading.active_count() == 1 else "spawn")
    pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(other,))
    pool.submit(int)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def read_logs_of_all(view: ConsensusView, pool: ProcessPoolExecutor | None) -> None:
    """Read the logs of all centers, each in one of the two processes; what is read is kept.

    What is wrong with a log is told when it is used. Without another process nothing is read yet.
    """
    if pool is not None:
        centers = [one.center for one in view.sources]
        there = pool.submit(_read_logs, centers[1::2])
        _keep_logs(view, centers[::2])
        there.result()


def get_ready(pool: ProcessPoolExecutor | None) -> None:
    """Let the other process read the logs, once this one has: two at once overtake each other.

    What this one has read of them is kept, and not read again.
    """
    if pool is not None:
        pool.submit(_get_ready)


def build_releases(
    builder: ReleaseBuilder, due: Sequence[DueRelease], pool: ProcessPoolExecutor | None
) -> Iterator[BuiltRelease]:
    """Yield releases once their files are written; of many, some by the other process, which ends.

    Raises as `ReleaseBuilder.build` does.
    """
    if pool is None or len(due) < MANY:
        if pool is not None:
            pool.shutdown(wait=False)
        yield from builder.build(due)
        return
    left = deque(due)
    waiting: deque[Future[list[BuiltRelease]]] = deque()
    while left or waiting:
        while left and len(waiting) < _WAITING:
            waiting.append(pool.submit(_build, _batch(left), builder.writer.prepared))
        if left and not waiting[0].done():
            yield from builder.build(_batch(left))
        else:
            yield from waiting.popleft().result()
    pool.shutdown(wait=False)


def _batch(left: deque[DueRelease]) -> list[DueRelease]:
    """Take the next batch; they become smaller, so that both processes end at the same time."""
    size = min(max(len(left) // _BATCHES, _SMALLEST), _LARGEST)
    return [left.popleft() for _ in range(min(size, len(left)))]


class _Begun:
    """The other process, once it has begun."""

    other: OtherProcess
    view: ConsensusView
    writer: SiteWriter
    builder: ReleaseBuilder | None = None


def _begin(other: OtherProcess) -> None:
    """Open the view of the center in this process, which lives no longer than its parent."""
    _die_with_parent()
    _Begun.other, _Begun.builder = other, None
    _Begun.view = _opened_view()
    _Begun.writer = SiteWriter(folder=other.folder, current=other.current)


def _die_with_parent() -> None:
    CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _opened_view() -> ConsensusView:
    other = _Begun.other
    return replace(Session(other.center).consensus_view(other.now), public_only=True)


def _read_logs(centers: Sequence[str]) -> None:
    """Read logs within budgets of their own: those for releases are still whole."""
    _keep_logs(_opened_view(), centers)


def _keep_logs(view: ConsensusView, centers: Sequence[str]) -> None:
    sources = {one.center: one for one in view.sources if one.center in centers}
    LogIndex(sources, view.policy.policy, view.kept, view.sources).read_ahead()


def _get_ready() -> None:
    _Begun.builder = _builder()


def _builder() -> ReleaseBuilder:
    return ReleaseBuilder(
        depends=Dependencies.now(_Begun.view),
        writer=_Begun.writer,
        number=_Begun.other.number,
        now=_Begun.other.now,
    )


def _build(due: Sequence[DueRelease], prepared: Path | None) -> list[BuiltRelease]:
    _Begun.writer.prepared = prepared
    builder = _Begun.builder or _builder()  # raises once more why it is not ready
    return list(builder.build(due))
