"""The store of a center, as others read it.

What is wrong with one object concerns that object alone. A store that does not answer is an
`UnreachableError`, whatever its cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from builders.core.errors import NotFoundError, SamebitsError, StoreError
from pipelines.storage.store import DamagedError, Store, TooLargeError

OBJECT_ERRORS = (DamagedError, TooLargeError, NotFoundError)
"""What can be wrong with one object."""

_SHORT = 160


class UnreachableError(StoreError):
    """The store or the log of a center cannot be read."""


@dataclass(kw_only=True)
class Source:
    """A center, and the store of its records.

    The store of a `peer` is not called again after its first failure: a peer that is down so costs
    one time-out, and not one for each of many releases.
    """

    center: str
    store: Store
    peer: bool = False
    _failure: UnreachableError | None = field(default=None, init=False)

    def get(self, key: str, limit: int) -> bytes:
        """Return an object; raises one of `OBJECT_ERRORS`, or `UnreachableError`."""
        with self._reachable():
            return self.store.get(key, limit)

    def names(self, prefix: str, *, limit: int) -> list[str]:
        """Return the names below a folder; raises `UnreachableError`, also for over `limit`."""
        try:
            with self._reachable():
                found = list(islice(self.store.list(prefix), limit + 1))
        except OBJECT_ERRORS as error:
            raise _no_answer(error) from error
        if len(found) > limit:
            raise UnreachableError("a store lists too much", got=f"more than {limit} records")
        return found

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        if self._failure is not None:
            raise UnreachableError("a store did not answer before", got=self._failure.got)
        try:
            yield
        except OBJECT_ERRORS:
            raise
        except (SamebitsError, OSError) as error:
            failure = _no_answer(error)
            self._failure = failure if self.peer else None
            raise failure from error


def _no_answer(error: Exception) -> UnreachableError:
    return UnreachableError("a store does not answer", got=short(error))


def short(error: Exception) -> str:
    """Return the message of an error in one line of ASCII, cut."""
    text = ascii(str(error))[1:-1]
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."
