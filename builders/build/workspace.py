"""The folder of one run, and what is left of runs that died.

A run holds a lock on its folder for as long as it lives. A killed process holds none, so whoever
gets the lock of a folder may clear it away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builders.container import scratch
from builders.core.errors import ScratchError
from builders.core.runid import RunId

_LOCK, _NEW_LOCK = "lock", "lock.new"


@contextmanager
def workspace(root: Path, run: RunId) -> Iterator[Path]:
    """Make the folder of `run` below `root`; it is gone, mounts and all, on every path out."""
    folder = root / run
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
        lock = (folder / _NEW_LOCK).open("wb")
    except OSError as error:
        raise ScratchError(
            "the folder of the run cannot be made",
            got=f"{error.strerror}: {folder}",
            todo="Free some space, or set SAMEBITS_HOME to a folder that can be written",
        ) from error
    with lock:
        # Held before it has its name: nobody can find it free and take the run for dead.
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / _NEW_LOCK).rename(folder / _LOCK)
        try:
            yield folder
        finally:
            clear(folder)


def clear(folder: Path) -> None:
    """Unmount whatever is mounted below `folder`, and delete it."""
    for image in sorted(folder.rglob(scratch.IMAGE)):
        scratch.release(image.parent)
    if mounted := _mounts_below(folder):
        raise ScratchError(
            "a scratch space is still mounted", got=mounted[0], todo="`samebits reap` tries again"
        )
    shutil.rmtree(folder, ignore_errors=False)


def dead(root: Path) -> Iterator[Path]:
    """Yield the folders of runs that no living process holds; each is locked while yielded."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        try:
            lock = (folder / _LOCK).open("r+b")
        except (FileNotFoundError, NotADirectoryError):  # its owner has just removed it
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder


def alive(root: Path, run: str) -> bool:
    """Say whether a living process holds the folder of `run`."""
    path = root / run / _LOCK
    if "/" in run or run in {"", ".", ".."}:
        return False
    try:
        lock = path.open("r+b")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _mounts_below(folder: Path) -> list[str]:
    inside = f"{os.path.realpath(folder)}/"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [p for p in (line.split()[4] for line in lines) if p.startswith(inside)]
