"""What the S3 store finds out about a real server before it writes, and what it then refuses."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from builders.core.errors import StoreConflictError
from pipelines.storage.names import Visibility
from pipelines.storage.s3 import S3Store
from pipelines.storage.s3settings import Requirement, Retention
from pipelines.storage.store import UnfitStoreError
from tests.storage.ceph import KEY, broken, settings
from tests.storage.versions import versions

pytestmark = pytest.mark.usefixtures("aws")


def test_the_probe_says_what_it_found(bucket: str, versioned: str) -> None:
    plain, other = S3Store(settings(bucket)), S3Store(settings(versioned))
    found = plain.capabilities()
    assert asdict(found.private) == {
        "conditional_writes": True,
        "versioning": "off",
        "object_lock": False,
        "read_after_write": True,
    }
    assert json.loads(plain.get(found.key, 1000))["private"]["versioning"] == "off"
    assert other.capabilities().public.versioning == "enabled"
    # This server forgets the condition in buckets with versions: the record says so.
    assert not other.capabilities().public.conditional_writes
    before = list(plain.list("private/"))
    S3Store(settings(bucket)).capabilities()
    assert list(plain.list("private/")) == before


@pytest.mark.parametrize("requirement", [Requirement.VERSIONING, Requirement.OBJECT_LOCK])
def test_a_missing_requirement_stops_every_write(bucket: str, requirement: Requirement) -> None:
    store = S3Store(settings(bucket, require=(requirement,)))
    for _ in range(2):
        with pytest.raises(UnfitStoreError, match=f"got no {requirement}; .*nothing was written"):
            store.put_record(KEY, b"{}")
    assert list(store.list("public/")) == []


def test_retention_without_object_lock_is_refused(bucket: str) -> None:
    store = S3Store(settings(bucket, retention=Retention(mode="governance", days=1)))
    with pytest.raises(UnfitStoreError, match="got no object-lock"):
        store.put_cas(Visibility.PUBLIC, b"x")


def ignore_conditions(client: Any) -> None:
    put = client.put_object
    client.put_object = lambda **f: put(**{k: v for k, v in f.items() if k != "IfNoneMatch"})


def test_a_server_that_ignores_conditions_is_found_out(bucket: str, versioned: str) -> None:
    strict = settings(bucket, require=(Requirement.CONDITIONAL_WRITES,))
    with pytest.raises(UnfitStoreError, match="got no conditional-writes"):
        S3Store(strict, client=broken(ignore_conditions)).put_record(KEY, b"{}")
    for name in (bucket, versioned):
        store = S3Store(settings(name), client=broken(ignore_conditions))
        assert not store.capabilities().private.conditional_writes
        store.put_record(KEY, b"one")
        store.put_record(KEY, b"one")
        with pytest.raises(StoreConflictError):
            store.put_record(KEY, b"two")
        assert store.get(KEY, 10) == b"one"
        assert len(versions(store, KEY)) == 1
