"""Files that are whole and durable, or not there: half a policy says nothing."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builders.errors import InfrastructureError


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` in one step, over what is there; raises `InfrastructureError`."""
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                os.fchmod(stream.fileno(), 0o644)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
        _sync(path.parent)
    except OSError as error:
        raise _broken(path, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the one lock of a folder, made if it is missing; raises `InfrastructureError`."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _broken(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _broken(path: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"{path} cannot be written",
        got=error.strerror or error,
        todo="Check its permissions, and free disk space",
    )
