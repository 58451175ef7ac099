"""The store of a peer, read within a budget: stalled, endless, dripping, too large."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from builders.core.errors import NotFoundError, StoreError
from pipelines.storage.bounded import BoundedStore, BudgetError, PeerBudget
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.opening import open_peer_store
from pipelines.storage.store import TooLargeError
from tests.fakes.store import MemoryStore

KEY, FOLDER = "public/x/y", "public/x/"


class StalledStore(MemoryStore):
    """Answers nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.released = Event(), Event()

    def get(self, key: str, limit: int) -> bytes:
        self.asked.set()
        self.released.wait(30)
        return super().get(key, limit)

    def spend(self, budget: PeerBudget) -> None:
        """Let the time of `budget` be over once this was asked."""
        assert self.asked.wait(30)
        budget.seconds = 0.0


class EndlessStore(MemoryStore):
    """Lists names, and serves each, without end."""

    def get(self, key: str, limit: int) -> bytes:
        return b"z" * min(limit, 100)

    def list(self, prefix: str) -> Iterator[str]:
        return (f"{prefix}{number:08d}" for number in itertools.count())


def wait_for_end(bounded: BoundedStore) -> None:
    """Wait until the call that hung has ended."""
    for _ in range(3000):
        if not bounded.budget.hangs:
            return
        time.sleep(0.01)


def test_a_store_that_answers_is_read_as_it_is() -> None:
    store = MemoryStore()
    store.put_record(KEY, b"z")
    bounded = BoundedStore(store, PeerBudget())
    assert bounded.get(KEY, 9) == b"z"
    assert list(bounded.list(FOLDER)) == [KEY]
    with pytest.raises(NotFoundError):
        bounded.get("public/x/n", 9)
    store.put_record("public/x/large", b"z" * 10)
    with pytest.raises(TooLargeError):
        bounded.get("public/x/large", 9)


def test_a_call_that_hangs_is_left_and_the_store_is_read_again_when_it_has_ended() -> None:
    store = StalledStore()
    store.put_record(KEY, b"z")
    bounded = BoundedStore(store, PeerBudget(seconds=60))
    hangs = bounded.begin(lambda: bounded.get(KEY, 9))
    store.spend(bounded.budget)
    with pytest.raises(BudgetError, match="no answer in"):
        bounded.result(hangs)
    bounded.budget.seconds = 60
    bounded.budget.renew()
    with pytest.raises(BudgetError, match="a call that has not ended"):
        bounded.get(KEY, 9)
    store.released.set()
    wait_for_end(bounded)
    bounded.budget.renew()
    assert bounded.get(KEY, 9) == b"z"


def test_work_that_is_left_reads_nothing_more() -> None:
    store = StalledStore()
    store.put_record(KEY, b"z")
    bounded = BoundedStore(store, PeerBudget(seconds=60))
    hangs = bounded.begin(lambda: [bounded.get(KEY, 9) for _ in range(1000)])
    store.spend(bounded.budget)
    with pytest.raises(BudgetError, match="no answer"):
        bounded.result(hangs)
    bounded.budget.seconds = 60  # what is left behind ends though there is time
    store.released.set()
    wait_for_end(bounded)
    assert len([call for call, _ in store.calls if call == "get"]) == 1


def test_what_waits_behind_a_call_that_hangs_is_never_begun() -> None:
    store = StalledStore()
    store.put_record(KEY, b"z")
    bounded = BoundedStore(store, PeerBudget(seconds=60))
    begun: list[str] = []
    first = bounded.begin(lambda: bounded.get(KEY, 9))
    second = bounded.begin(partial(begun.append, "second"))
    store.spend(bounded.budget)
    for waits in (partial(bounded.result, second), partial(bounded.result, first)):
        with pytest.raises(BudgetError, match="no answer"):
            waits()
    store.released.set()
    wait_for_end(bounded)
    bounded.budget.seconds = 60
    bounded.budget.renew()
    assert bounded.get(KEY, 9) == b"z"
    assert begun == []


def test_bytes_are_counted_and_a_new_round_has_all_of_them() -> None:
    bounded = BoundedStore(EndlessStore(), PeerBudget(size=1000))
    for _ in range(2):
        assert sum(len(bounded.get(f"{FOLDER}{n}", 100)) for n in range(10)) == 1000
        with pytest.raises(BudgetError, match="1000 bytes"):
            bounded.get(KEY, 100)
        bounded.budget.renew()


def test_a_new_round_does_not_begin_before_its_time() -> None:
    bounded = BoundedStore(EndlessStore(), PeerBudget(size=100))
    bounded.get(KEY, 100)
    bounded.budget.renew(after=60)
    with pytest.raises(BudgetError):
        bounded.get(KEY, 100)


def test_an_object_that_is_larger_than_what_is_left_ends_the_round(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put_record(KEY, b"z")
    (tmp_path / KEY).chmod(0o644)
    os.truncate(tmp_path / KEY, 10 << 30)  # no block of it is on the disk
    bounded = open_peer_store(tmp_path, PeerBudget(size=1000))
    with pytest.raises(TooLargeError):
        bounded.get(KEY, 500)
    with pytest.raises(BudgetError):
        bounded.get(KEY, 1 << 40)


def test_names_without_end_are_not_taken_in() -> None:
    bounded = BoundedStore(EndlessStore(), PeerBudget(size=100_000))
    with pytest.raises(BudgetError):
        list(bounded.list(FOLDER))
    assert bounded.budget.read < 101_000


def test_a_peers_folder_of_too_many_names_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.storage.opening._MOST", 3)
    store = DirectoryStore(tmp_path)
    for number in range(4):
        store.put_record(f"public/x/{number}", b"z")
    bounded = open_peer_store(tmp_path, PeerBudget())
    with pytest.raises(StoreError, match="more than 3 names"):
        list(bounded.list(FOLDER))
    assert len(list(store.list(FOLDER))) == 4
    assert bounded.get("public/x/0", 9) == b"z"


def test_what_is_no_file_is_not_there(tmp_path: Path) -> None:
    DirectoryStore(tmp_path).put_record(KEY, b"z")
    os.mkfifo(tmp_path / "public/x/pipe")
    (tmp_path / "public/x/zero").symlink_to("/dev/zero")
    bounded = open_peer_store(tmp_path, PeerBudget())
    assert list(bounded.list(FOLDER)) == [KEY]
    with pytest.raises(NotFoundError):
        bounded.get("public/x/pipe", 9)
    with pytest.raises(StoreError):
        bounded.get("public/x/zero", 9)
