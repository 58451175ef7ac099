"""Folders reached one segment at a time, by descriptor, so that no symbolic link is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from builders.core.errors import UsageError
from pipelines.storage.names import MAX_SEGMENT, decode

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened_folder(
    root: Path, segments: Sequence[str] = (), *, create: int | None = None
) -> Iterator[int]:
    """Open the folder `segments` below `root` and yield its descriptor.

    With `create`, missing folders below `root` are made with that mode, durably. Only `root`
    itself may be a symbolic link. Raises OSError.
    """
    fd = os.open(root, _FOLDER)
    try:
        for segment in segments:
            if create is not None:
                _make(segment, create, fd)
            child = os.open(segment, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = child
        yield fd
    finally:
        os.close(fd)


def open_file(name: str, folder: int) -> int:
    """Open the regular file `name` for reading and return its descriptor.

    Raises FileNotFoundError when nothing, or a folder, has that name; OSError for a symbolic link
    and other trouble.
    """
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError
    return fd


def walk(folder: int) -> Iterator[str]:
    """Yield the relative names of all regular files below `folder`, in order of their bytes.

    Only one folder a level is held in memory. What no key can name (links, devices, names with
    other characters) is passed over. Raises OSError.
    """
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name + "/" * entry.is_dir(follow_symlinks=False)
            for entry in entries
            if _is_segment(entry.name)
            and (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False))
        )
    for name in names:
        if not name.endswith("/"):
            yield name
            continue
        with suppress(FileNotFoundError):
            child = os.open(name[:-1], _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            try:
                for below in walk(child):
                    yield name + below
            finally:
                os.close(child)


def _make(segment: str, mode: int, folder: int) -> None:
    try:
        os.mkdir(segment, mode, dir_fd=folder)
    except FileExistsError:
        return
    os.fsync(folder)


def _is_segment(name: str) -> bool:
    try:
        return len(name) <= MAX_SEGMENT and bool(decode(name))
    except UsageError:
        return False
