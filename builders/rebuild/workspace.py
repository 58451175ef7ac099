"""The folder of one run, and the folders left behind by killed runs.

A run locks a file in its folder for as long as it lives. The lock of a killed process is released
by the kernel, so a folder whose lock is free may be removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from builders.container import scratch
from builders.core.errors import ScratchError
from builders.core.runid import RunId

_LOCK, _NEW_LOCK, _RELEASE, _KEPT = "lock", "lock.new", "release", "kept"


@contextmanager
def workspace(root: Path, run: RunId) -> Iterator[Path]:
    """Make the folder of `run` below `root`, and remove it, mounts included, on every path out.

    Only a folder that is kept (`keep_folder`) stays.
    """
    folder = root / run
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
        lock = (folder / _NEW_LOCK).open("wb")
    except OSError as error:
        raise ScratchError(
            "the folder of the run cannot be made",
            got=f"{error.strerror}: {folder}",
            todo="Free some space, or set SAMEBITS_HOME to a writable folder",
        ) from error
    with lock:
        # Locked before it gets its name, so that nobody can find it free while the run starts.
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / _NEW_LOCK).rename(folder / _LOCK)
        try:
            yield folder
        finally:
            if not (folder / _KEPT).exists():
                remove_folder(folder)


def keep_folder(folder: Path) -> None:
    """Keep the folder of a run beyond the end of its process, however that ends."""
    (folder / _KEPT).touch()


def release_folder(folder: Path) -> None:
    """Let the folder of a run be removed when its process ends."""
    (folder / _KEPT).unlink(missing_ok=True)


def note_release(folder: Path, release: str) -> None:
    """Note in the folder of a run which release it rebuilds, for `living_runs`."""
    (folder / _RELEASE).write_text(release)


def living_runs(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the runs of living processes on this machine: the id, and the release or nothing."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if is_alive(root, folder.name):
            release = ""
            with suppress(OSError):  # it has not got so far, or has just ended
                release = (folder / _RELEASE).read_text()
            yield folder.name, release


def remove_folder(folder: Path) -> None:
    """Unmount all that is mounted below `folder`, and delete it."""
    for image in sorted(folder.rglob(scratch.IMAGE)):
        scratch.release(image.parent)
    inside = f"{os.path.realpath(folder)}/"
    mounts = [part.mountpoint for part in psutil.disk_partitions(all=True)]
    if left := [mount for mount in mounts if mount.startswith(inside)]:
        what = "a scratch space is still mounted"
        raise ScratchError(what, got=left[0], todo="`samebits reap` tries again")
    shutil.rmtree(folder, ignore_errors=False)


def abandoned_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of runs whose process has ended; each is locked while it is yielded."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        with _try_lock(folder) as locked:
            if locked:
                yield folder


def is_alive(root: Path, run: str) -> bool:
    """Say whether a living process holds the folder of `run`."""
    if "/" in run or run in {"", ".", ".."}:
        return False
    with _try_lock(root / run) as locked:
        return locked is False


@contextmanager
def _try_lock(folder: Path) -> Iterator[bool | None]:
    """Lock a run's folder if no process holds it; yields None if it is no folder of a run."""
    try:
        lock = (folder / _LOCK).open("r+b")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        yield None
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
