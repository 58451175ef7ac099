"""Small files that are made or replaced in one durable step, lock files, and cached files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError
from pipelines.storage.folders import SpoolFile, opened_folder, spooled


def replace(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write `data` to the file `path`: after a crash it holds the old bytes or these.

    Raises `InfrastructureError`.
    """
    try:
        with _beside(path) as file:
            file.write(data)
            file.replace(path.name, file.folder, mode=mode)
    except OSError as error:
        raise write_error(path, error) from error


def create(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Make the file `path` complete, or not at all; False when one is there. Raises `OSError`."""
    if path.exists():
        return False
    with _beside(path) as file:
        file.write(data)
        return file.publish(path.name, file.folder, mode=mode)


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
def _beside(path: Path) -> Iterator[SpoolFile]:
    """Yield a new file in the folder of `path`."""
    prefix = f".{path.name[:60]}."
    with opened_folder(path.absolute().parent) as folder, spooled(folder, prefix) as file:
        yield file


def write_error(path: Path, error: OSError) -> InfrastructureError:
    """Return the error for a file that this user cannot write."""
    return InfrastructureError(
        f"cannot write {path}",
        got=error.strerror or type(error).__name__,
        expected="a file that this user can write",
        todo="Check permissions and free space there",
    )
