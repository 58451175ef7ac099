"""Small files that are made or replaced in one durable step, lock files, and cached files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError


def replace(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write `data` to the file `path`: after a crash it holds the old bytes or these.

    Raises `InfrastructureError`.
    """
    try:
        with _complete(path, data, mode) as complete:
            complete.replace(path)
        folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise write_error(path, error) from error


def create(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Make the file `path` complete, or not at all; False when one is there. Raises `OSError`."""
    if path.exists():
        return False
    with _complete(path, data, mode) as complete:
        try:
            path.hardlink_to(complete)
        except FileExistsError:
            return False
    return True


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, made with its folder, against threads and processes.

    Raises `InfrastructureError`.
    """
    lock = FileLock(path, mode=0o600)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(poll_interval=0.01)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield
    finally:
        lock.release()


class FolderCache:
    """A `ContentsCache`: one file for each digest; a lost file is a cache miss."""

    def __init__(self, folder: Path) -> None:
        """Keep the files in `folder`, which is made when needed."""
        self._folder = folder

    def get(self, digest: Digest) -> bytes | None:
        """Return what was stored for `digest`, or None."""
        try:
            return (self._folder / digest.hex).read_bytes()
        except OSError:
            return None

    def put(self, digest: Digest, row: bytes) -> None:
        """Store `row` for `digest`, if this user may write there."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as partial:
                partial.write(row)
            Path(partial.name).replace(self._folder / digest.hex)


@contextmanager
def _complete(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """Write a durable file beside `path`, which goes unless it is moved."""
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name[:60]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def write_error(path: Path, error: OSError) -> InfrastructureError:
    """Return the error for a file that this user cannot write."""
    return InfrastructureError(
        f"cannot write {path}",
        got=error.strerror or type(error).__name__,
        expected="a file that this user can write",
        todo="Check permissions and free space there",
    )
