"""The store of a center as others read it: what fails, and what is asked again."""

from __future__ import annotations

import pytest

from builders.core.errors import NotFoundError
from infra.bench.madeup import MadeUpKey
from pipelines.audit.source import Source, UnreachableError, short
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.errors import MalformedError
from pipelines.storage.names import PORTAL
from pipelines.storage.store import DamagedError
from tests.fakes.store import MemoryStore

RECORD = "public/releases/a/b/1/asia/run/attempt-1.dsse.json"


def of_size(size: int) -> bytes:
    """Return an envelope whose payload has as many bytes."""
    return sign_envelope(bytes(size), MadeUpKey("asia")).to_bytes()


def times_read(store: MemoryStore, key: str) -> int:
    return store.calls.count(("get", key))


def test_a_peer_that_did_not_answer_once_is_not_asked_again() -> None:
    store = MemoryStore()
    asked = Source(center="asia", store=store, peer=True)
    store.put_record("public/x/y", b"z")
    assert asked.get("public/x/y", 9) == b"z"
    assert asked.names("public/x/", limit=9) == ["public/x/y"]
    with pytest.raises(NotFoundError):
        asked.get("public/x/n", 9)
    store.fail_on("list", times=1)
    for _ in range(3):
        with pytest.raises(UnreachableError):
            asked.names("public/x/", limit=9)
        with pytest.raises(UnreachableError):
            asked.get("public/x/y", 9)
    assert [operation for operation, _ in store.calls].count("list") == 2


def test_our_own_store_is_asked_again_after_a_failure() -> None:
    store = MemoryStore()
    store.put_record("public/x/y", b"z")
    own = Source(center="europe", store=store)
    store.fail_on("list", times=1)
    with pytest.raises(UnreachableError):
        own.names("public/x/", limit=9)
    assert own.names("public/x/", limit=9) == ["public/x/y"]


def test_a_damaged_list_is_silence_and_a_damaged_object_is_not() -> None:
    store = MemoryStore()
    asked = Source(center="asia", store=store, peer=True)
    for operation in ("list", "get"):
        store.fail_on(operation, times=1, error=DamagedError("damaged"))
    with pytest.raises(UnreachableError, match="does not answer"):
        asked.names("public/x/", limit=9)
    with pytest.raises(DamagedError):
        asked.get("public/x/y", 9)


def test_a_store_may_list_as_many_records_as_the_limit_and_no_more() -> None:
    store = MemoryStore()
    for name in "abc":
        store.put_record(f"public/x/{name}", b"z")
    asked = Source(center="asia", store=store)
    assert len(asked.names("public/x/", limit=3)) == 3
    with pytest.raises(UnreachableError, match="more than 2 records"):
        asked.names("public/x/", limit=2)


def test_of_many_records_the_last_are_named_in_order() -> None:
    store = MemoryStore()
    for name in "cabd":
        store.put_record(f"public/x/{name}", b"z")
    asked = Source(center="asia", store=store)
    assert [n[-1] for n in asked.last_names("public/x/", limit=3)] == ["b", "c", "d"]
    assert [n[-1] for n in asked.last_names("public/x/", limit=9)] == ["a", "b", "c", "d"]
    store.fail_on("list", times=1)
    with pytest.raises(UnreachableError):
        asked.last_names("public/x/", limit=3)


def test_the_message_of_a_peer_is_one_line_of_ascii_and_cut() -> None:
    assert short(ValueError("\x1b[31mred\nline \u202e")) == "\\x1b[31mred\\nline \\u202e"
    assert len(short(ValueError("x" * 1000))) == 160


def test_a_small_record_is_read_once_and_a_large_one_each_time() -> None:
    store = MemoryStore()
    source = Source(center="asia", store=store)
    for size, reads in ((2_000, 1), (20_000, 3)):
        key = f"{RECORD}-{size}"
        store.put_record(key, data := of_size(size))
        for _ in range(3):
            assert source.record(key) == (data, Envelope.from_bytes(data))
        assert times_read(store, key) == reads


def test_of_the_records_of_a_center_the_newest_are_kept() -> None:
    store = MemoryStore()
    source = Source(center="asia", store=store)
    keys = [f"{RECORD}-{number}" for number in range(300)]
    for key in keys:
        store.put_record(key, of_size(9))
        source.record(key)
    assert len(source._kept) == 256
    source.record(keys[-1])
    source.record(keys[0])
    assert (times_read(store, keys[-1]), times_read(store, keys[0])) == (1, 2)


def test_what_is_no_record_and_what_is_replaced_is_not_kept() -> None:
    store = MemoryStore()
    source = Source(center="asia", store=store)
    store.put_record(RECORD, b"{}")
    for _ in range(2):
        with pytest.raises(MalformedError):
            source.record(RECORD)
    for size in (1, 2):
        store.put_latest(PORTAL, data := of_size(size))
        assert source.record(PORTAL).data == data
    with pytest.raises(NotFoundError):
        source.record(f"{RECORD}-more")
