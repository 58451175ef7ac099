"""The faults that the fake can have; what it promises otherwise is in the contract suite."""

from __future__ import annotations

import pytest

from builders.core.errors import StoreConflictError, StoreError
from pipelines.storage.store import Store
from tests.fakes.store import MemoryStore
from tests.storage.versions import versions


def test_it_is_a_store() -> None:
    store: Store = MemoryStore()
    assert not store.has("public/x")


def test_it_fails_after_so_many_calls_and_heals() -> None:
    store = MemoryStore()
    store.fail_on("put", after=2, times=1)
    store.put_record("public/1", b"")
    store.put_record("public/2", b"")
    with pytest.raises(StoreError, match="out of order"):
        store.put_record("public/3", b"")
    assert not store.has("public/3")
    store.put_record("public/3", b"")
    store.fail_on("get")
    with pytest.raises(StoreError):
        store.get("public/1", 1)
    store.heal()
    assert store.get("public/1", 1) == b""


def test_a_lost_reply_comes_after_the_effect() -> None:
    store = MemoryStore()
    store.fail_on("put", times=1, lost_reply=True)
    with pytest.raises(StoreError):
        store.put_record("public/1", b"x")
    store.put_record("public/1", b"x")
    with pytest.raises(StoreConflictError):
        store.put_record("public/1", b"y")


def test_the_oldest_version_is_the_truth() -> None:
    store = MemoryStore()
    store.put_record("public/1", b"old")
    store.overwrite("public/1", b"new")
    assert store.get("public/1", 10) == b"old"
    assert [size for _, size in versions(store, "public/1")] == [3, 3]
