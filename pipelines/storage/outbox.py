"""Evidence on its way: into a durable local folder first, from there to the center's store.

What is put is safe on this disk before the remote store is asked; it leaves the folder only when
the remote store has given the same bytes back. A remote store that does not answer stops nothing:
what waits goes with the next write, or the next `flush`. Readers see both.

What is part of the log does not wait: it is written to the remote store, or refused.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from builders.core.digest import Digest, digest_file, digest_stream
from builders.core.errors import NotFoundError, StoreConflictError, StoreError
from pipelines.storage import names as keys
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.storage.store import (
    DamagedError,
    Store,
    TooLargeError,
    UnfitStoreError,
    Version,
    conflict,
)

Result = TypeVar("Result")

_TRIES = 15
PAUSE = 10.0
"""Seconds for which a store that did not answer is not asked again, but by a flush."""
_ANSWERS = (NotFoundError, StoreConflictError, TooLargeError, DamagedError, UnfitStoreError)


@dataclass(frozen=True, kw_only=True)
class Flushed:
    """What became of the objects that waited."""

    sent: int
    waiting: int
    """Objects that are still in the outbox."""
    errors: tuple[StoreError, ...] = ()
    """Why: the line is down, or a name is taken by other bytes."""

    def note(self) -> str | None:
        """Return one line for people, or None when nothing waits."""
        if not self.waiting:
            return None
        why = f": {self.errors[0]}" if self.errors else ""
        return f"evidence waits in the outbox ({self.waiting} objects){why}"


class OutboxStore:
    """A `Store` that is `remote`, with a folder in front of it; for threads and processes."""

    def __init__(
        self, folder: Path, remote: Store, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Let what goes to `remote` wait in `folder`; nothing is read or made yet."""
        self.remote = remote
        self._local = DirectoryStore(folder)
        self._clock = clock
        self._silence: tuple[float, StoreError] | None = None

    def has(self, key: str) -> bool:
        """Say whether an object of that name waits or is stored."""
        return self._local.has(key) or self._ask(lambda: self.remote.has(key))

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading; raises `NotFoundError`."""
        with suppress(NotFoundError):
            return self._local.open(key)
        return self._ask(lambda: self.remote.open(key))

    def get(self, key: str, limit: int) -> bytes:
        """Return a small object whole; raises `NotFoundError`, `TooLargeError`, `DamagedError`."""
        with suppress(NotFoundError):
            return self._local.get(key, limit)
        return self._ask(lambda: self.remote.get(key, limit))

    def versions(self, key: str) -> tuple[Version, ...]:
        """Return the versions that are stored, else the one that waits."""
        local = self._local.versions(key)
        try:
            return self._ask(lambda: self.remote.versions(key)) or local
        except StoreError:
            if local:
                return local
            raise

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below `prefix`, waiting or stored, each once and in order."""
        return merged(self._local.list(prefix), self.remote.list(prefix))

    def put_file(self, key: str, path: Path) -> None:
        """Store a file under a name that its content determines; an existing one is left alone."""
        if self._stored(lambda: self.remote.has(key)):
            self.remote.put_file(key, path)  # compares sizes, and sends nothing
            return
        self._keep(lambda: self._local.put_file(key, path))
        self._try_to_send(key)

    def put_cas(self, visibility: Visibility, content: Path | bytes) -> Digest:
        """Store `content` under its digest, and return that."""
        digest = self._keep(lambda: self._local.put_cas(visibility, content))
        self._try_to_send(keys.cas(visibility, digest))
        return digest

    def put_record(self, key: str, data: bytes) -> None:
        """Create a named record; raises `StoreConflictError` when other bytes are known there.

        While the remote store is away a conflict with its record is found by a later `flush`; but
        a record of the log is refused then.
        """
        if keys.is_log(key):
            self._ask(lambda: self.remote.put_record(key, data))
            return
        try:
            self._keep(lambda: self._local.put_record(key, data))
        except StoreConflictError:
            # What waits under that name may be about to lose against an equal of ours.
            if not self._stored(lambda: self.remote.get(key, len(data)) == data):
                raise
            return
        self._try_to_send(key)

    def put_latest(self, key: str, data: bytes) -> None:
        """Write the object that is replaced; raises `StoreError` while the remote store is away."""
        self._ask(lambda: self.remote.put_latest(key, data))

    def get_latest(self, key: str, limit: int) -> bytes:
        """Return what was written last; raises `StoreError` while the remote store is away."""
        return self._ask(lambda: self.remote.get_latest(key, limit))

    def waiting(self) -> int:
        """Return how many objects wait."""
        return sum(1 for _ in self._waiting())

    def flush(self) -> Flushed:
        """Send whatever waits; a name that is taken by other bytes stays, and is reported."""
        self._silence = None
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
        remote = getattr(self.remote, "sweep", lambda: 0)()
        return self._local.sweep() + int(remote)

    def _keep(self, put: Callable[[], Result]) -> Result:
        """Put into the folder, where others may be taking the same name away meanwhile."""
        for _ in range(_TRIES):
            try:
                return put()
            except StoreConflictError:
                raise
            except StoreError:
                continue
        return put()

    def _waiting(self) -> Iterator[str]:
        """Yield the names that wait, content before the records that speak of it."""
        for records in (False, True):
            for visibility in Visibility:
                for key in self._local.list(f"{visibility}/"):
                    if records is (keys.content_digest(key) is None):
                        yield key

    def _try_to_send(self, key: str) -> None:
        """Send one object now if the store answers; else it waits.

        Raises `StoreConflictError` (then it does not wait) and `UnfitStoreError` (then it does).
        """
        try:
            self._ask(lambda: self._send(key))
        except StoreConflictError:
            self._local.remove(key)
            raise
        except UnfitStoreError:
            raise
        except StoreError:
            return

    def _send(self, key: str) -> None:
        """Bring one object over, and let go of it when the remote store gives it back."""
        path = self._local.root / key
        try:
            digest = digest_file(path)
            if keys.content_digest(key):
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

    def _ask(self, question: Callable[[], Result]) -> Result:
        """Ask the remote store, and leave it in peace for a while when it does not answer."""
        if self._silence is not None and self._clock() < self._silence[0] + PAUSE:
            raise self._silence[1]
        try:
            answer = question()
        except _ANSWERS:
            raise
        except StoreError as error:
            self._silence = (self._clock(), error)
            raise
        self._silence = None
        return answer

    def _stored(self, question: Callable[[], bool]) -> bool:
        """Ask the remote store whether it has something; False when it does not answer."""
        try:
            return self._ask(question)
        except UnfitStoreError:
            raise
        except StoreError:
            return False


def merged(*names: Iterator[str]) -> Iterator[str]:
    """Yield the names of several stores, each once, in order of their bytes."""
    last = None
    for name in heapq.merge(*names):
        if name != last:
            yield name
        last = name
