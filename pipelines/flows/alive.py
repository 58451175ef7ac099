"""Which flow runs live on this machine: each holds a lock on a file of its id.

A killed process holds none and leaves its file: a file that is not locked belongs to a run that
ended without reporting it.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.center.center import Center

_ID = re.compile(r"[0-9a-f-]{36}")


@contextmanager
def living(center: Center, flow_run: str) -> Iterator[None]:
    """Hold the lock of a flow run; its file goes when the run has ended by itself.

    A run that is stopped from outside leaves its file, as a killed one does.
    """
    if not _ID.fullmatch(flow_run):  # called without a scheduler
        yield
        return
    path = _folder(center) / flow_run
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        except Exception:
            path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)


@contextmanager
def died(center: Center) -> Iterator[list[str]]:
    """Hold, and name, the flow runs of this machine that ended without saying so.

    No other process gets them while the block lasts; `forget` those that are handled.
    """
    locks = []
    try:
        names = []
        folder = _folder(center)
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            try:
                lock = path.open("r+b")
            except FileNotFoundError:  # it has just ended
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            locks.append(lock)
            if path.exists():
                names.append(path.name)
        yield names
    finally:
        for lock in locks:
            lock.close()


def forget(center: Center, flow_run: str) -> None:
    """Remove the file of a flow run that is dealt with."""
    (_folder(center) / flow_run).unlink(missing_ok=True)


def _folder(center: Center) -> Path:
    return center.home / "flow-runs"
