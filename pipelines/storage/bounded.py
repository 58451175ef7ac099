"""The store of another center, read within a budget of time and bytes.

A peer may be slow, down or hostile: it may answer without end, or not at all. So each is read in a
thread of its own, whose time and bytes are counted; who waits for it gives up when they are used
up. A call that hangs is left behind, and nothing more is asked of that store until it has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, TypeVar

from builders.core.errors import StoreError
from pipelines.storage.store import ReadableStore, TooLargeError

SECONDS = 10
"""Of work for one peer in a round."""
BYTES = 190 << 20
"""That one peer may send in a round."""
_NAME = 200  # bytes that a name in a listing costs beside its own
_PAGE = 1000
_IDLE = 5.0
_LAST = 0.1  # the share of the time in which work ends by itself, and nothing more is read
_T = TypeVar("_T")


class BudgetError(StoreError):
    """The budget for reading a store is used up, which an honest peer may do too."""


class PeerBudget:
    """The seconds and bytes that one store may cost in a round."""

    def __init__(self, seconds: float = SECONDS, size: int = BYTES) -> None:
        """Begin a round."""
        self.seconds, self.size = seconds, size
        self.read = 0
        self.hangs = False
        """Whether work goes on that nobody waits for any more: it reads nothing else."""
        self._spent = 0.0
        self._began = time.monotonic()
        self._since: float | None = None

    def renew(self, *, after: float = 0.0) -> None:
        """Begin a new round, unless the last one began less than `after` seconds ago."""
        now = time.monotonic()
        if not after or now - self._began >= after:
            self._began, self._since = now, None
            self._spent, self.read = 0.0, 0

    @property
    def seconds_left(self) -> float:
        """What is left of the time."""
        since = self._since  # the thread that reads may set it to None by now
        running = 0.0 if since is None else time.monotonic() - since
        return self.seconds - self._spent - running

    @property
    def bytes_left(self) -> int:
        """What is left of the bytes."""
        return self.size - self.read

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more is read in this round."""
        return self.hangs or self.seconds_left <= self.seconds * _LAST or self.bytes_left <= 0

    def start(self) -> None:
        """Begin to count time."""
        self._since = time.monotonic()

    def stop(self) -> None:
        """Count the time since the start."""
        if self._since is not None:
            self._spent += time.monotonic() - self._since
        self._since, self.hangs = None, False

    def check(self) -> None:
        """Raise `BudgetError` when it is used up."""
        if self.hangs:
            raise _used_up("a call that has not ended")
        if self.seconds_left <= self.seconds * _LAST:
            raise _used_up(f"{self.seconds:g} seconds of reading")
        if self.bytes_left <= 0:
            raise _used_up(f"{self.read} bytes")


class BoundedStore:
    """A store of another center; safe for threads, of which one reads it."""

    def __init__(self, store: ReadableStore, budget: PeerBudget) -> None:
        """Read `store` within `budget`."""
        self.budget = budget
        self._store = store
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = Lock()
        self._thread: Thread | None = None

    def get(self, key: str, limit: int) -> bytes:
        """Return an object as a `Store` does; raises `BudgetError`."""
        return self.run(lambda: self._get(key, limit))

    def list(self, prefix: str) -> Iterator[str]:
        """Yield names as a `Store` does; raises `BudgetError`."""
        names = self._counted(prefix)
        while page := self.run(lambda: list(islice(names, _PAGE))):
            yield from page

    def run(self, job: Callable[[], _T]) -> _T:
        """Return what a job returns that reads this store; raises what it does, `BudgetError`."""
        if self._thread is not None and get_ident() == self._thread.ident:
            return job()
        return self.result(self.begin(job))

    def begin(self, job: Callable[[], _T]) -> Future[_T]:
        """Begin a job in the thread of this store; without a budget it fails."""
        future: Future[_T] = Future()
        try:
            self.budget.check()
        except BudgetError as error:
            future.set_exception(error)
            return future
        with self._lock:
            self._jobs.put((future, job))
            if self._thread is None:
                self._thread = Thread(target=self._work, name="peer", daemon=True)
                self._thread.start()
        return future

    def result(self, future: Future[_T]) -> _T:
        """Wait for a job that was begun here, as long as there is time; raises `BudgetError`."""
        while True:
            try:
                return future.result(timeout=max(self.budget.seconds_left, 0.0))
            except TimeoutError:
                if not future.done() and self.budget.seconds_left <= 0:
                    self.budget.hangs |= not future.cancel()  # what waits in line does not hang
                    raise _used_up(f"no answer in {self.budget.seconds:g} seconds") from None

    def _get(self, key: str, limit: int) -> bytes:
        self.budget.check()
        most = min(limit, self.budget.bytes_left)
        try:
            data = self._store.get(key, most)
        except TooLargeError:
            self.budget.read += most + 1
            self.budget.check()
            raise
        self.budget.read += len(data)
        return data

    def _counted(self, prefix: str) -> Iterator[str]:
        self.budget.check()
        for name in self._store.list(prefix):
            self.budget.check()
            self.budget.read += len(name) + _NAME
            yield name

    def _work(self) -> None:
        while True:
            try:
                future, job = self._jobs.get(timeout=_IDLE)
            except Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            if not future.set_running_or_notify_cancel():
                continue
            self.budget.start()
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001  # raised where it is waited for
                outcome: Callable[[], None] = partial(future.set_exception, error)
            else:
                outcome = partial(future.set_result, result)
            self.budget.stop()
            outcome()


def _used_up(got: str) -> BudgetError:
    return BudgetError(
        "the budget for this peer is used up",
        got=got,
        todo="What was verified is kept: the next round goes on from there",
    )
