"""The store of a center, as others read it.

What is wrong with one object concerns that object alone. A store that does not answer is an
`UnreachableError`, whatever its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from heapq import nlargest
from itertools import islice
from threading import Lock
from typing import NamedTuple, TypeVar

from builders.core.errors import NotFoundError, SamebitsError, StoreError
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.storage.bounded import BoundedStore, BudgetError
from pipelines.storage.names import is_mutable
from pipelines.storage.store import DamagedError, ReadableStore, Store, TooLargeError

OBJECT_ERRORS = (DamagedError, TooLargeError, NotFoundError)
"""What can be wrong with one object."""

_SHORT = 160
_PATIENCE = 0.02  # seconds a job in which a peer that is quick is done, before the next is begun
_KEPT, _KEPT_SIZE = 256, 16 << 10
"""Records of a center that are kept for who reads them again soon, and the most bytes of one."""
_T = TypeVar("_T")


class UnreachableError(StoreError):
    """The store or the log of a center cannot be read."""


class BehindError(UnreachableError):
    """A center has more than the budget of this round lets it send; another round goes on."""


class Record(NamedTuple):
    """A signed statement, as a store has it; nothing is verified yet."""

    data: bytes
    envelope: Envelope


@dataclass(kw_only=True)
class Source:
    """A center, and the store of its records.

    The store of a `peer` is not called again after its first failure: a peer that is down so costs
    one time-out, and not one for each of many releases.
    """

    center: str
    store: ReadableStore
    peer: bool = False
    _failure: UnreachableError | None = field(default=None, init=False)
    _kept: dict[str, Record] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def get(self, key: str, limit: int) -> bytes:
        """Return an object; raises one of `OBJECT_ERRORS`, or `UnreachableError`."""
        with self._reachable():
            return self.store.get(key, limit)

    def record(self, key: str) -> Record:
        """Return a signed record; small ones are not read again soon, as nobody replaces them.

        Raises one of `OBJECT_ERRORS`, `UnreachableError`, `MalformedError`.
        """
        if known := self._kept.get(key):
            return known
        data = self.get(key, MAX_ENVELOPE)
        found = Record(data, Envelope.from_bytes(data))
        if len(data) <= _KEPT_SIZE and not is_mutable(key):
            with self._lock:
                while len(self._kept) >= _KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = found
        return found

    def names(self, prefix: str, *, limit: int) -> list[str]:
        """Return the names below a folder; raises `UnreachableError`, also for over `limit`."""
        found = self._listed(prefix, lambda names: list(islice(names, limit + 1)))
        if len(found) > limit:
            raise UnreachableError("a store lists too much", got=f"more than {limit} records")
        return found

    def last_names(self, prefix: str, *, limit: int) -> list[str]:
        """Return the names below a folder in order, of more than `limit` the last ones.

        Raises `UnreachableError`.
        """
        return self._listed(prefix, lambda names: nlargest(limit, names))[::-1]

    def _listed(self, prefix: str, taken: Callable[[Iterable[str]], list[str]]) -> list[str]:
        try:
            with self._reachable():
                return taken(self.store.list(prefix))
        except OBJECT_ERRORS as error:
            raise _no_answer(error) from error

    def begin(self, job: Callable[[], _T]) -> Callable[[], _T]:
        """Begin a job that reads this source, and return what waits for its result.

        Jobs of several peers run side by side, each within the budget of its store; that of another
        store runs when it is waited for. Raises what the job does, and `BehindError`.
        """
        return self.begin_all([job])[0]

    def begin_all(self, jobs: Sequence[Callable[[], _T]]) -> list[Callable[[], _T]]:
        """Begin jobs as `begin` does; a peer does one after the other."""
        store = self.store
        if not isinstance(store, BoundedStore):
            return list(jobs)
        futures = [store.begin(job) for job in jobs]
        with suppress(TimeoutError):  # threads that all compute are in each other's way
            futures[-1].exception(timeout=_PATIENCE * len(futures))
        return [partial(_result, store, future) for future in futures]

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        if self._failure is not None:
            kind = type(self._failure)
            raise kind("a store did not answer before", got=self._failure.got)
        try:
            yield
        except OBJECT_ERRORS:
            raise
        except (SamebitsError, OSError) as error:
            failure = _no_answer(error)
            self._failure = failure if self.peer else None
            raise failure from error


@dataclass(kw_only=True)
class OwnSource(Source):
    """The center that looks, and its store."""

    store: Store


def _result(store: BoundedStore, future: Future[_T]) -> _T:
    try:
        return store.result(future)
    except BudgetError as error:
        raise _no_answer(error) from error


def _no_answer(error: Exception) -> UnreachableError:
    kind = BehindError if isinstance(error, BudgetError) else UnreachableError
    got = error.got if isinstance(error, BudgetError) else short(error)
    return kind("a store does not answer", got=got)


def short(error: Exception) -> str:
    """Return the message of an error in one line of ASCII, cut."""
    text = ascii(str(error))[1:-1]
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."
