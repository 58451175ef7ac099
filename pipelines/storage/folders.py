"""Folders opened one segment at a time, by descriptor, and files written whole or not at all.

No symbolic link is followed. A file is written in a spool folder and linked to its name only when
it is complete. Its writer locks it, so that `sweep` can tell the files of dead processes.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from builders.core.errors import UsageError
from pipelines.storage.names import MAX_SEGMENT, decode

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPENAT2 = 437
"""The number of the system call on all platforms but alpha."""
_NO_SYMLINKS = 0x04
_BENEATH = 0x08
_WITHOUT_OPENAT2 = (errno.ENOSYS, errno.EPERM, errno.EAGAIN)
"""An old kernel, a filter of system calls, or a race with a rename."""
_libc = ctypes.CDLL(None, use_errno=True)
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened_folder(
    root: Path, segments: Sequence[str] = (), *, create: int | None = None
) -> Iterator[int]:
    """Open the folder `segments` below `root` as `open_folder` does, and yield its descriptor."""
    fd = open_folder(root, segments, create=create)
    try:
        yield fd
    finally:
        os.close(fd)


def open_folder(root: Path, segments: Sequence[str] = (), *, create: int | None = None) -> int:
    """Open the folder `segments` below `root` and return its descriptor.

    With `create`, missing folders below `root` are made durably, with that mode. Only `root`
    itself may be a symbolic link. Raises OSError.
    """
    fd = os.open(root, _FOLDER)
    if segments and create is None:
        try:
            return _open_at_once(fd, "/".join(segments))
        except OSError as error:
            if error.errno not in _WITHOUT_OPENAT2:
                os.close(fd)
                raise
    for segment in segments:
        try:
            if create is not None:
                _make(segment, create, fd)
            child = os.open(segment, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
        finally:
            os.close(fd)
        fd = child
    return fd


class _OpenHow(ctypes.Structure):
    """What openat2(2) is told."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_HOW = _OpenHow(_FOLDER, 0, _NO_SYMLINKS | _BENEATH)


def _open_at_once(root: int, path: str) -> int:
    """Open a folder below `root`, which is closed then, with one system call in place of many."""
    fd = _libc.syscall(_OPENAT2, root, os.fsencode(path), ctypes.byref(_HOW), ctypes.sizeof(_HOW))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    os.close(root)
    return int(fd)


def open_file(name: str, folder: int) -> int:
    """Open the regular file `name` for reading and return its descriptor.

    Raises FileNotFoundError for anything but a regular file, and OSError for a symbolic link.
    """
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError
    return fd


def walk(folder: int, most: int | None = None) -> Iterator[str]:
    """Yield the relative names of all regular files below `folder`, in order of their bytes.

    Only one folder a level is held in memory. Links, devices and names that no key can have are
    skipped. Raises OSError, also for a folder with more than `most` entries.
    """
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name + "/" * entry.is_dir(follow_symlinks=False)
            for entry in _at_most(most, entries)
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
                for below in walk(child, most):
                    yield name + below
            finally:
                os.close(child)


@dataclass(frozen=True, kw_only=True)
class SpoolFile:
    """A file being written."""

    name: str
    fd: int
    folder: int
    """Descriptor of the spool folder."""

    def write(self, piece: bytes) -> None:
        """Append `piece`, all of it."""
        view = memoryview(piece)
        while view:
            view = view[os.write(self.fd, view) :]

    def publish(self, name: str, folder: int, *, mode: int = 0o444) -> bool:
        """Link the file to its final name, durably; False when the name exists, which is kept."""
        self._seal(mode)
        try:
            os.link(
                self.name, name, src_dir_fd=self.folder, dst_dir_fd=folder, follow_symlinks=False
            )
        except FileExistsError:
            return False
        finally:
            os.fsync(folder)  # the link of a racing writer must be durable too
        return True

    def replace(self, name: str, folder: int, *, mode: int = 0o444) -> None:
        """Rename the file to its final name, durably; an existing file is replaced."""
        self._seal(mode)
        os.replace(self.name, name, src_dir_fd=self.folder, dst_dir_fd=folder)
        os.fsync(folder)

    def _seal(self, mode: int) -> None:
        """Make the content durable."""
        os.fchmod(self.fd, mode)
        os.fsync(self.fd)


@contextmanager
def spooled(folder: int, prefix: str = "") -> Iterator[SpoolFile]:
    """Yield a new empty file; its name in the spool folder is removed afterwards."""
    name, fd = _create(folder, prefix)
    try:
        yield SpoolFile(name=name, fd=fd, folder=folder)
    finally:
        try:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
        finally:
            os.close(fd)


def sweep(folder: int) -> int:
    """Remove the files whose writers are dead; returns how many."""
    removed = 0
    for name in os.listdir(folder):
        try:
            fd = open_file(name, folder)
        except OSError:
            continue  # completed meanwhile, or not a spool file
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        finally:
            os.close(fd)
        removed += 1
    return removed


def _at_most(most: int | None, entries: Iterator[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    for number, entry in enumerate(entries):
        if most is not None and number >= most:
            raise OSError(errno.EFBIG, f"more than {most} names in one folder")
        yield entry


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


def _create(folder: int, prefix: str) -> tuple[str, int]:
    while True:
        name = f"{prefix}{os.getpid()}-{secrets.token_hex(8)}"
        fd = os.open(name, _CREATE, 0o600, dir_fd=folder)
        # A sweep may remove the file before it is locked: then make another.
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        except BaseException:
            os.close(fd)
            raise
        if os.fstat(fd).st_nlink:
            return name, fd
        os.close(fd)
