"""The store interface: objects written once, named by their content or as records.

No object is ever replaced, except the newest checkpoint of the log (`names.is_mutable`). A
named record is created in one step or not at all, and readers get its oldest version. Every
implementation passes the contract tests of `tests/storage/test_store_contract.py`.

All methods raise `UsageError` for a key or prefix that `names` refuses and `StoreError` when the
store cannot be reached, read or written; a failed write leaves nothing that can be read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreConflictError, StoreError
from builders.inputs.vault import ByteStore
from pipelines.storage.names import Visibility, content_digest

_SMALL = 64 << 10
"""Bytes that most objects do not have, of those that are read whole."""


class TooLargeError(StoreError):
    """An object is larger than the limit of its reader."""


class UnfitStoreError(StoreError):
    """A server lacks what the center requires; nothing is written there."""


class DamagedError(StoreError):
    """An object does not hold what its name or its kind promises."""


class ReadableStore(Protocol):
    """What is read of the store of another center."""

    def get(self, key: str, limit: int) -> bytes:
        """Return a small object: its oldest version, checked against the digest in its name.

        Of the object that is replaced it is the newest version: what `put_latest` wrote last.

        Raises `NotFoundError`, `TooLargeError` above `limit` bytes, `DamagedError`.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below the folder `prefix` (ends with a slash), in order of their bytes.

        An empty or absent folder yields nothing.
        """


class Store(ByteStore, ReadableStore, Protocol):
    """Evidence, inputs and logs of one center."""

    def put_file(self, key: str, path: Path) -> None:
        """Store a file under a name that its content determines; an existing one is left alone.

        Raises `StoreError` when the name promises another digest, and `StoreConflictError` when an
        object of another size stands there. Memory does not grow with the file.
        """

    def put_cas(self, visibility: Visibility, content: Path | bytes) -> Digest:
        """Store `content` as `<visibility>/cas/sha256/<aa>/<hex>` and return its digest."""

    def put_record(self, key: str, data: bytes) -> None:
        """Create a named record; one that is there with equal bytes is success.

        Raises `StoreConflictError` when it is there with other bytes. Of racing writers exactly
        one creates it.
        """

    def put_latest(self, key: str, data: bytes) -> None:
        """Write the object that is replaced: in one step, readers see the old bytes or the new.

        Raises `UsageError` for every other name. Of racing writers the last one wins.
        """

    def sweep(self) -> int:
        """Remove what dead writers left behind; returns how many objects that were."""


def not_found(key: str) -> NotFoundError:
    """Return the error for an object that is not there."""
    return NotFoundError("the store has no such object", got=key)


def conflict(key: str, *, got: str, expected: str) -> StoreConflictError:
    """Return the error for an object that exists with other bytes."""
    return StoreConflictError(
        f"{key} exists with other bytes",
        got=got,
        expected=expected,
        todo="A record is never replaced: find out who wrote it, or which copy is damaged",
    )


def read_whole(key: str, stream: BinaryIO, limit: int) -> bytes:
    """Return a small object; raises `TooLargeError` above `limit` bytes, and `DamagedError`."""
    data = stream.read(min(limit, _SMALL) + 1)
    if len(data) > _SMALL:  # else room for all of the limit would take longer than to read it
        data += stream.read(limit + 1 - len(data))
    check_limit(key, len(data), limit)
    if content_digest(key):
        check_content(key, Digest.of(data))
    return data


def check_equal(key: str, stream: BinaryIO, data: bytes) -> None:
    """Raise `StoreConflictError` unless an object has the bytes `data`."""
    found = stream.read(len(data) + 1)
    if found != data:
        raise conflict(key, got=f"sha256 {Digest.of(found)}", expected=Digest.of(data).hex)


def check_size(key: str, size: int, expected: int) -> None:
    """Raise `StoreConflictError` unless a content-addressed object has the size of its content."""
    if size != expected:
        raise conflict(key, got=f"{size} bytes", expected=f"{expected} bytes")


def check_limit(key: str, size: int, limit: int) -> None:
    """Raise `TooLargeError` when `size` is above `limit`."""
    if size > limit:
        raise TooLargeError(
            f"{key} is too large to be read whole",
            got="more",
            expected=f"at most {limit} bytes",
        )


def check_content(
    key: str,
    digest: Digest,
    *,
    todo: str = "Bring a good copy, and look at the disk that this one came from",
) -> None:
    """Raise `DamagedError` when the name of an object promises another digest."""
    promised = content_digest(key)
    if promised not in {None, digest}:
        raise DamagedError(
            f"{key} does not hold what its name promises",
            got=f"sha256 {digest}",
            expected=promised,
            todo=todo,
        )


@contextmanager
def opened_source(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to store it; raises `StoreError` for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _bad_source(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _bad_source(path, "not a regular file")
    with os.fdopen(fd, "rb") as stream:
        yield stream


def _bad_source(path: Path, got: str) -> StoreError:
    return StoreError(
        f"cannot store {path}", got=got, expected="a regular file that this user can read"
    )
