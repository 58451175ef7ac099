"""Building many releases in two processes: this one, and another one like it.

Each has its own view of the center; both write into the folder of the generation. What the other
process returns are the values that the state keeps, and nothing is shared.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from pipelines.center.center import Center
from pipelines.portal.dependencies import Dependencies
from pipelines.portal.release_builder import BuiltRelease, DueRelease, ReleaseBuilder
from pipelines.portal.site_folder import SiteWriter
from pipelines.verify.session import Session

MANY = 400
"""Releases from which on a second process is worth its start."""
_BATCH = 100
_WAITING = 2
"""Batches that the other process has at hand."""


@dataclass(frozen=True, kw_only=True)
class OtherProcess:
    """What the other process needs to build releases of the same generation."""

    center: Center
    now: datetime
    number: int
    folder: Path
    current: Path | None


def build_releases(
    builder: ReleaseBuilder, due: Sequence[DueRelease], other: OtherProcess
) -> Iterator[BuiltRelease]:
    """Yield releases once their files are written; of many, some by another process.

    Raises as `ReleaseBuilder.build` does.
    """
    if len(due) < MANY or os.cpu_count() == 1:
        yield from builder.build(due)
        return
    batches = deque(due[start : start + _BATCH] for start in range(0, len(due), _BATCH))
    waiting: deque[Future[list[BuiltRelease]]] = deque()
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=(other,))
    try:
        while batches or waiting:
            while batches and len(waiting) < _WAITING:
                waiting.append(pool.submit(_build, batches.popleft()))
            if batches and not waiting[0].done():
                yield from builder.build(batches.popleft())
            else:
                yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Begun:
    """The other process, once it has begun."""

    builder: ReleaseBuilder
    writer: SiteWriter


def _begin(other: OtherProcess) -> None:
    """Open the view of the center in this process, for as long as it lives."""
    view = replace(Session(other.center).consensus_view(other.now), public_only=True)
    _Begun.writer = SiteWriter(folder=other.folder, current=other.current)
    _Begun.builder = ReleaseBuilder(
        depends=Dependencies.now(view), writer=_Begun.writer, number=other.number, now=other.now
    )


def _build(due: Sequence[DueRelease]) -> list[BuiltRelease]:
    _Begun.writer.before = {path: one for _, files in due for path, one in files.items()}
    return list(_Begun.builder.build(due))
