"""Local folders in front of a remote store: a durable outbox, and a cache of inputs.

An object is written to a local folder first. It is removed there only when the remote store has
returned the same bytes. When the remote store does not answer, the object stays in the folder until
`flush` sends it. Readers see both stores.

Objects of the log are not queued: they are written to the remote store, or refused.
"""

from __future__ import annotations

import heapq
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from builders.core.digest import Digest, digest_file, digest_stream
from builders.core.errors import NotFoundError, StoreConflictError, StoreError
from builders.inputs.vault import ByteStore
from pipelines.storage import names
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.storage.store import (
    DamagedError,
    Store,
    TooLargeError,
    UnfitStoreError,
    conflict,
)

Result = TypeVar("Result")

_TRIES = 15
PAUSE = 10.0
"""Seconds for which only `flush` asks a remote store that did not answer."""
_ANSWERED = (NotFoundError, StoreConflictError, TooLargeError, DamagedError, UnfitStoreError)


@dataclass(frozen=True, kw_only=True)
class Flushed:
    """The result of sending the objects of an outbox."""

    sent: int
    waiting: int
    """Objects that are still in the outbox."""
    errors: tuple[StoreError, ...] = ()
    """Why: no connection, or an object that exists with other bytes."""

    def note(self) -> str | None:
        """Return a message of one line, or None when nothing waits."""
        if not self.waiting:
            return None
        why = f": {self.errors[0]}" if self.errors else ""
        return f"evidence waits in the outbox ({self.waiting} objects){why}"


class OutboxStore:
    """A `Store`: `remote` with an outbox in front of it, for several threads and processes."""

    def __init__(
        self, folder: Path, remote: Store, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Use the outbox in `folder`; nothing is read or written yet."""
        self.remote = remote
        self._local = DirectoryStore(folder)
        self._clock = clock
        self._last_failure: tuple[float, StoreError] | None = None

    def has(self, key: str) -> bool:
        """Say whether an object of that name exists, here or in the remote store."""
        return self._local.has(key) or self._call(lambda: self.remote.has(key))

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading; raises `NotFoundError`."""
        with suppress(NotFoundError):
            return self._local.open(key)
        return self._call(lambda: self.remote.open(key))

    def get(self, key: str, limit: int) -> bytes:
        """Return a small object whole; raises `NotFoundError`, `TooLargeError`, `DamagedError`."""
        with suppress(NotFoundError):
            return self._local.get(key, limit)
        return self._call(lambda: self.remote.get(key, limit))

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below `prefix` in both stores, each once and in order."""
        return _merged(self._local.list(prefix), self.remote.list(prefix))

    def put_file(self, key: str, path: Path) -> None:
        """Store a file under a name that its content determines; an existing one is left alone."""
        if self._remote_has(lambda: self.remote.has(key)):
            self.remote.put_file(key, path)  # compares sizes, and sends nothing
            return
        self._put_local(lambda: self._local.put_file(key, path))
        self._try_to_send(key)

    def put_cas(self, visibility: Visibility, content: Path | bytes) -> Digest:
        """Store `content` under its digest, and return that."""
        digest = self._put_local(lambda: self._local.put_cas(visibility, content))
        self._try_to_send(names.cas(visibility, digest))
        return digest

    def put_record(self, key: str, data: bytes) -> None:
        """Create a named record; raises `StoreConflictError` when other bytes are known there.

        When the remote store does not answer, a record of the log is refused; for another record
        a conflict is found by a later `flush`.
        """
        if names.is_log(key):
            self._call(lambda: self.remote.put_record(key, data))
            return
        try:
            self._put_local(lambda: self._local.put_record(key, data))
        except StoreConflictError:
            # The waiting record may be in conflict with the remote one, which may equal `data`.
            if not self._remote_has(lambda: self.remote.get(key, len(data)) == data):
                raise
            return
        self._try_to_send(key)

    def put_latest(self, key: str, data: bytes) -> None:
        """Write the object that is replaced; raises `StoreError`: it is never queued."""
        self._call(lambda: self.remote.put_latest(key, data))

    def waiting(self) -> int:
        """Return how many objects wait."""
        return sum(1 for _ in self._waiting())

    def flush(self) -> Flushed:
        """Send all objects; one that exists with other bytes is kept and reported."""
        self._last_failure = None
        sent, errors = 0, list[StoreError]()
        for key in self._waiting():
            try:
                self._send(key)
            except (StoreConflictError, NotFoundError) as error:
                errors.append(error)
            except StoreError as error:
                errors.append(error)
                break
            else:
                sent += 1
        return Flushed(sent=sent, waiting=self.waiting(), errors=tuple(errors))

    def sweep(self) -> int:
        """Remove what dead writers left behind, on both sides; returns how many that were."""
        return self._local.sweep() + self.remote.sweep()

    def _put_local(self, put: Callable[[], Result]) -> Result:
        """Write to the folder; another process may remove the same object after sending it."""
        for _ in range(_TRIES):
            try:
                return put()
            except StoreConflictError:
                raise
            except StoreError:
                continue
        return put()

    def _waiting(self) -> Iterator[str]:
        """Yield the names that wait, content before the records that refer to it."""
        for records in (False, True):
            for visibility in Visibility:
                for key in self._local.list(f"{visibility}/"):
                    if records is (names.content_digest(key) is None):
                        yield key

    def _try_to_send(self, key: str) -> None:
        """Send one object now if the remote store answers; else it waits.

        Raises `StoreConflictError` (then it does not wait) and `UnfitStoreError` (then it does).
        """
        try:
            self._call(lambda: self._send(key))
        except StoreConflictError:
            self._local.remove(key)
            raise
        except UnfitStoreError:
            raise
        except StoreError:
            return

    def _send(self, key: str) -> None:
        """Send one object, and remove it here when the remote store returns the same bytes."""
        path = self._local.root / key
        try:
            digest = digest_file(path)
            if names.content_digest(key):
                self.remote.put_file(key, path)
            else:
                self.remote.put_record(key, path.read_bytes())
        except FileNotFoundError:
            return  # another writer has sent it
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return
            raise
        with self.remote.open(key) as stream:
            got = digest_stream(stream)
        if got != digest:
            raise conflict(key, got=f"sha256 {got}", expected=digest.hex)
        self._local.remove(key)

    def _call(self, request: Callable[[], Result]) -> Result:
        """Call the remote store; raise its last error for `PAUSE` seconds if it did not answer."""
        if self._last_failure is not None and self._clock() < self._last_failure[0] + PAUSE:
            raise self._last_failure[1]
        try:
            answer = request()
        except _ANSWERED:
            raise
        except StoreError as error:
            self._last_failure = (self._clock(), error)
            raise
        self._last_failure = None
        return answer

    def _remote_has(self, request: Callable[[], bool]) -> bool:
        """Ask the remote store whether an object exists; False when it does not answer."""
        try:
            return self._call(request)
        except UnfitStoreError:
            raise
        except StoreError:
            return False


class CachingStore:
    """A `ByteStore` of content-addressed objects in a remote store, with copies in a folder.

    An object that was stored or read once is in the folder too, so that a rebuild neither
    downloads it again nor fails when the remote store does not answer.
    """

    def __init__(self, folder: Path, remote: ByteStore) -> None:
        """Keep copies in `folder`, which is made when needed."""
        self._local = DirectoryStore(folder)
        self._remote = remote

    def has(self, key: str) -> bool:
        """Say whether an object is in the folder or in the remote store; False if that is away."""
        if self._local.has(key):
            return True
        try:
            return self._remote.has(key)
        except StoreError:
            return False

    def open(self, key: str) -> BinaryIO:
        """Open the copy, made now if there is none; raises `NotFoundError`, `DamagedError`."""
        with suppress(NotFoundError):
            return self._local.open(key)
        with (
            self._remote.open(key) as stream,
            tempfile.NamedTemporaryFile(prefix="samebits-") as copy,
        ):
            shutil.copyfileobj(stream, copy)
            copy.flush()
            self._local.put_file(key, Path(copy.name))
        return self._local.open(key)

    def put_file(self, key: str, path: Path) -> None:
        """Store a file in the folder and in the remote store."""
        self._local.put_file(key, path)
        self._remote.put_file(key, path)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below `prefix` in either of them, each once and in order."""
        return _merged(self._local.list(prefix), self._remote.list(prefix))


def _merged(*names: Iterator[str]) -> Iterator[str]:
    """Yield the names of several stores, each once, in order of their bytes."""
    last = None
    for name in heapq.merge(*names):
        if name != last:
            yield name
        last = name
