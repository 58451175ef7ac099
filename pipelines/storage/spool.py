"""Files on their way into a directory store.

A file is written beside its final place and gets its name only when it is complete. Each is
locked by its writer, so that a sweep can tell the leavings of a dead process from work under way.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pipelines.storage.folders import open_file

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class SpoolFile:
    """A file being written."""

    name: str
    fd: int
    folder: int
    """Descriptor of the folder it stands in."""

    def write(self, piece: bytes) -> None:
        """Append `piece`, all of it."""
        view = memoryview(piece)
        while view:
            view = view[os.write(self.fd, view) :]

    def seal(self) -> None:
        """Make the content durable and read-only."""
        os.fchmod(self.fd, 0o444)
        os.fsync(self.fd)

    def publish(self, name: str, folder: int) -> bool:
        """Give the file its final name, durably; False when that name is taken, and left alone."""
        try:
            os.link(
                self.name,
                name,
                src_dir_fd=self.folder,
                dst_dir_fd=folder,
                follow_symlinks=False,
            )
        except FileExistsError:
            return False
        finally:
            os.fsync(folder)  # a racing writer's link is as durable as ours when we return
        return True

    def replace(self, name: str, folder: int) -> None:
        """Give the file its final name, durably, in place of the file that has it."""
        os.replace(self.name, name, src_dir_fd=self.folder, dst_dir_fd=folder)
        os.fsync(folder)


@contextmanager
def spooled(folder: int) -> Iterator[SpoolFile]:
    """Yield a new empty file; its spool name is gone afterwards, whatever happens."""
    name, fd = _create(folder)
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
            continue  # finished meanwhile, or not one of ours
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        finally:
            os.close(fd)
        removed += 1
    return removed


def _create(folder: int) -> tuple[str, int]:
    while True:
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        fd = os.open(name, _CREATE, 0o600, dir_fd=folder)
        # Between these lines a sweep may take the file for a dead one: then make another.
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
