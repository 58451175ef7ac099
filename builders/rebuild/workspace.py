"""The folder of one run, and the folders left behind by killed runs.

A run locks a file in its folder for as long as it lives. The lock of a killed process is released
by the kernel, so a folder whose lock is free may be removed.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from builders.container import scratch
from builders.core.errors import ScratchError
from builders.core.run_tool import run_tool
from builders.core.runid import RunId, is_run_id

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
    """Discard the scratch spaces below `folder`, and delete it, however deep it is.

    Nothing is deleted where something else is mounted. Raises `ScratchError`.
    """
    discard_scratch(folder)
    if left := scratch.mounts_below(folder):
        what = "something is still mounted in a folder to be removed"
        raise ScratchError(what, got=left[0], todo="Unmount it; `samebits reap` tries again")
    # Of trees that are too deep for a recursion, and never into another file system.
    done = run_tool(
        ["rm", "--recursive", "--force", "--one-file-system", "--", str(folder)],
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        timeout=600,
        error=ScratchError,
        todo="Install coreutils",
    )
    if done.exit_code:
        raise ScratchError(
            "a folder was not removed",
            got=done.error_text[:300],
            todo="Mend what it says; `samebits reap` tries again",
        )


def discard_scratch(folder: Path) -> None:
    """Discard the scratch spaces that are mounted below `folder`; raises `ScratchError`."""
    for mount in reversed(scratch.mounts_below(folder)):
        if mount.name == scratch.MOUNT_POINT and (mount.parent / scratch.IMAGE).is_file():
            scratch.discard(mount.parent)


def abandoned_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of runs whose process has ended; each is locked while it is yielded."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        with suppress(OSError), try_lock(folder) as locked:  # `reap` says why it is not looked at
            if locked:
                yield folder


def is_alive(root: Path, run: str) -> bool:
    """Say whether a living process holds the folder of `run`."""
    if not is_run_id(run):
        return False
    with try_lock(root / run) as locked:
        return locked is False


@contextmanager
def try_lock(folder: Path) -> Iterator[bool | None]:
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
