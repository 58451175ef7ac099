"""Where the records of a center are read, and a store that does not answer.

What is read was written by others. What is wrong with one object concerns that object alone; a
store that does not answer is an `UnreachableError`, whatever its cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from builders.core.errors import NotFoundError, SamebitsError, StoreError
from pipelines.storage.store import DamagedError, TooLargeError

OBJECT_ERRORS = (DamagedError, TooLargeError, NotFoundError)
"""What can be wrong with one object."""


class UnreachableError(StoreError):
    """The store or the log of a center cannot be read."""


class Reader(Protocol):
    """The methods of a store by which records are read."""

    def get(self, key: str, limit: int) -> bytes:
        """Return an object of at most `limit` bytes; raises `StoreError`."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder; raises `StoreError`."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A center, and the store of its records."""

    center: str
    store: Reader

    def get(self, key: str, limit: int) -> bytes:
        """Return an object; raises one of `OBJECT_ERRORS`, or `UnreachableError`."""
        with _unreachable():
            return self.store.get(key, limit)

    def names(self, prefix: str, *, limit: int) -> list[str]:
        """Return the names below a folder; raises `UnreachableError`, also for over `limit`."""
        try:
            found = list(islice(self.store.list(prefix), limit + 1))
        except (SamebitsError, OSError) as error:
            raise UnreachableError("a store does not answer", got=short(error)) from error
        if len(found) > limit:
            raise UnreachableError("a store lists too much", got=f"more than {limit} records")
        return found


class CircuitBreaker:
    """A `Reader` of a store that is not called again after its first failure.

    A peer that is down so costs one time-out, and not one for each of many releases.
    """

    def __init__(self, store: Reader) -> None:
        """Read `store`."""
        self._store = store
        self._failure: UnreachableError | None = None

    def get(self, key: str, limit: int) -> bytes:
        """Return an object; raises one of `OBJECT_ERRORS`, or `UnreachableError`."""
        with self._closed():
            return self._store.get(key, limit)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder; raises as `get` does."""
        with self._closed():
            yield from self._store.list(prefix)

    @contextmanager
    def _closed(self) -> Iterator[None]:
        if self._failure is not None:
            raise UnreachableError("a store did not answer before", got=self._failure.got)
        try:
            with _unreachable():
                yield
        except UnreachableError as error:
            self._failure = error
            raise


@contextmanager
def _unreachable() -> Iterator[None]:
    try:
        yield
    except (UnreachableError, *OBJECT_ERRORS):
        raise
    except (SamebitsError, OSError) as error:
        raise UnreachableError("a store does not answer", got=short(error)) from error


def short(error: Exception) -> str:
    """Return the message of an error in one line of ASCII, cut."""
    return ascii(str(error))[1:-1][:160]
