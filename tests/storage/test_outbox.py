"""Evidence waits here when the store is away: nothing lost, nothing doubled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreConflictError, StoreError
from builders.inputs.vault import Vault
from pipelines.storage.names import Visibility, cas
from pipelines.storage.outbox import PAUSE, CachingStore, OutboxStore
from pipelines.storage.store import UnfitStoreError
from tests.fakes.store import MemoryStore
from tests.storage.versions import versions

if TYPE_CHECKING:
    from tests.storage.ceph import Gateway

KEY = "public/releases/v/p/1.0/center/run/report.json"
REMOTE = ("has", "open", "get", "put", "list")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def remote() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, remote: MemoryStore, clock: Clock) -> OutboxStore:
    return OutboxStore(tmp_path / "outbox", remote, clock=clock)


def cut(remote: MemoryStore) -> None:
    for operation in REMOTE:
        remote.fail_on(operation)  # type: ignore[arg-type]


def test_the_log_does_not_wait(store: OutboxStore, remote: MemoryStore) -> None:
    cut(remote)
    with pytest.raises(StoreError, match="out of order"):
        store.put_latest("public/log/checkpoint", b"x")
    with pytest.raises(StoreError, match="out of order"):
        store.get("public/log/checkpoint", 10)
    with pytest.raises(StoreError, match="out of order"):
        store.put_record("public/log/commit/0", b"x")
    assert store.waiting() == 0
    remote.heal()
    store.flush()
    assert not remote.objects
    store.put_record("public/log/commit/0", b"x")
    store.put_latest("public/log/checkpoint", b"x")
    assert remote.objects.keys() == {"public/log/commit/0", "public/log/checkpoint"}


def test_nothing_waits_when_the_store_answers(store: OutboxStore, remote: MemoryStore) -> None:
    store.put_record(KEY, b"{}")
    digest = store.put_cas(Visibility.PRIVATE, b"log")
    assert store.waiting() == 0
    assert remote.objects == {KEY: [b"{}"], cas(Visibility.PRIVATE, digest): [b"log"]}


def test_what_waits_is_read_and_goes_with_a_flush(
    store: OutboxStore, remote: MemoryStore, tmp_path: Path
) -> None:
    cut(remote)
    digest = store.put_cas(Visibility.PRIVATE, b"log")
    store.put_record(KEY, b"{}")
    assert store.get(KEY, 10) == b"{}"
    assert store.has(cas(Visibility.PRIVATE, digest))
    assert not versions(store, KEY), "it waits"
    flushed = store.flush()
    assert (flushed.sent, flushed.waiting) == (0, 2)
    assert str(flushed.note()).startswith("evidence waits in the outbox (2 objects): the store is")
    remote.heal()
    after_a_restart = OutboxStore(tmp_path / "outbox", remote)
    flushed = after_a_restart.flush()
    assert (flushed.sent, flushed.waiting, flushed.note()) == (2, 0, None)
    assert remote.objects == {KEY: [b"{}"], cas(Visibility.PRIVATE, digest): [b"log"]}
    puts = [key for operation, key in remote.calls if operation == "put"]
    assert puts[-2:] == [cas(Visibility.PRIVATE, digest), KEY], "content before records"


def test_a_lost_answer_doubles_nothing(store: OutboxStore, remote: MemoryStore) -> None:
    remote.fail_on("put", times=1, lost_reply=True)
    store.put_record(KEY, b"{}")
    assert store.waiting() == 1
    assert store.flush().sent == 1
    assert remote.objects == {KEY: [b"{}"]}


def test_it_lets_go_only_when_it_was_given_back(store: OutboxStore, remote: MemoryStore) -> None:
    remote.fail_on("open")
    store.put_record(KEY, b"{}")
    assert store.waiting() == 1
    remote.heal()
    remote.objects[KEY] = [b"damaged"]
    flushed = store.flush()
    assert flushed.waiting == 1
    assert isinstance(flushed.errors[0], StoreConflictError)


def test_a_silent_store_is_left_in_peace(
    store: OutboxStore, remote: MemoryStore, clock: Clock
) -> None:
    cut(remote)
    store.put_record("public/1", b"")
    asked = len(remote.calls)
    store.put_record("public/2", b"")
    with pytest.raises(StoreError, match="out of order"):
        store.has("public/3")
    assert len(remote.calls) == asked
    clock.now = PAUSE
    remote.heal()
    store.put_record("public/3", b"")
    assert store.waiting() == 2
    assert store.flush().waiting == 0


def test_a_conflict_is_told_and_does_not_wait(store: OutboxStore, remote: MemoryStore) -> None:
    remote.put_record(KEY, b"theirs")
    with pytest.raises(StoreConflictError):
        store.put_record(KEY, b"ours")
    assert store.waiting() == 0
    assert store.get(KEY, 10) == b"theirs"


def test_a_conflict_found_late_is_reported_and_holds_up_nobody(
    store: OutboxStore, remote: MemoryStore
) -> None:
    remote.put_record("public/1", b"theirs")
    cut(remote)
    store.put_record("public/1", b"ours")
    store.put_record("public/2", b"ours")
    with pytest.raises(StoreConflictError):
        store.put_record("public/2", b"else")
    remote.heal()
    flushed = store.flush()
    assert (flushed.sent, flushed.waiting) == (1, 1)
    assert isinstance(flushed.errors[0], StoreConflictError)
    assert remote.objects["public/1"] == [b"theirs"]


def test_an_unfit_store_is_told_and_loses_nothing(store: OutboxStore, remote: MemoryStore) -> None:
    remote.fail_on("put", error=UnfitStoreError("no versions"))
    with pytest.raises(UnfitStoreError):
        store.put_record(KEY, b"{}")
    assert store.waiting() == 1


@settings(deadline=None)  # durable writes take as long as the disk needs
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
def test_whatever_the_order_of_faults_all_arrives_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bool]]
) -> None:
    remote = MemoryStore()
    store = OutboxStore(tmp_path_factory.mktemp("outbox"), remote, clock=Clock())
    for name, down in steps:
        if down:
            remote.fail_on("put", times=1, lost_reply=name == "a")
        store.put_record(f"public/{name}", name.encode())
    remote.heal()
    assert store.flush().waiting == 0
    assert remote.objects == {f"public/{name}": [name.encode()] for name, _ in steps}


def test_inputs_are_cached(tmp_path: Path, store: OutboxStore, remote: MemoryStore) -> None:
    source = tmp_path / "input"
    source.write_bytes(b"input")
    digest = Digest.of(b"input")
    Vault(CachingStore(tmp_path / "one", store)).add(source, digest, what="an input")
    assert remote.objects == {Vault.key(digest): [b"input"]}
    other = Vault(CachingStore(tmp_path / "other", store))
    assert other.verify(digest) == 5
    cut(remote)
    assert other.verify(digest) == 5
    assert not other.has(Digest.of(b"unknown")), "out of reach is not there: it is fetched again"
    with pytest.raises(StoreError):
        list(other.digests())
    remote.heal()
    assert list(other.digests()) == [digest]
    with pytest.raises(NotFoundError):
        CachingStore(tmp_path / "other", remote).open(Vault.key(Digest.of(b"unknown")))


def test_a_gateway_killed_in_mid_run_loses_and_doubles_nothing(
    gateway: Gateway, aws: None, plain_bucket: str, tmp_path: Path
) -> None:
    from pipelines.storage.s3 import S3Store
    from tests.storage import ceph

    place = ceph.settings(plain_bucket, "mid-run")
    store = OutboxStore(tmp_path / "outbox", S3Store(place))
    data = {f"public/run/{number}": os.urandom(10) for number in range(12)}
    try:
        for number, (key, content) in enumerate(data.items()):
            if number == 5:
                gateway.kill()
            store.put_record(key, content)
        digest = store.put_cas(Visibility.PRIVATE, os.urandom(100))
        flushed = store.flush()
        assert flushed.waiting == 8
        assert "no connection" in str(flushed.note())
        assert store.get("public/run/11", 10) == data["public/run/11"]
    finally:
        gateway.start()
    again = OutboxStore(tmp_path / "outbox", S3Store(place))
    assert again.flush().waiting == 0
    remote = S3Store(place)
    assert {key: remote.get(key, 10) for key in remote.list("public/")} == data
    assert remote.has(cas(Visibility.PRIVATE, digest))
    assert all(len(versions(remote, key)) == 1 for key in data)
