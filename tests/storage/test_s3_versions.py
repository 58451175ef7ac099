"""Versions and Object Lock in a real S3 store: the oldest version is the truth, and it stays."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from builders.core.errors import NotFoundError, StoreConflictError
from pipelines.storage.names import Visibility, cas
from pipelines.storage.s3 import S3Store
from pipelines.storage.s3settings import Requirement, Retention
from pipelines.storage.store import DamagedError
from tests.storage.ceph import KEY, broken, new_bucket, settings
from tests.storage.versions import versions

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.usefixtures("aws")
LATEST = "public/log/checkpoint"


def test_the_oldest_version_is_the_truth(admin: S3Client, versioned: str) -> None:
    store = S3Store(settings(versioned))
    store.put_record(KEY, b"old")
    admin.put_object(Bucket=versioned, Key=KEY, Body=b"newer")
    for reader in (store, S3Store(settings(versioned))):
        assert reader.get(KEY, 10) == b"old"
        assert [size for _, size in versions(reader, KEY)] == [3, 5]
        reader.put_record(KEY, b"old")
        with pytest.raises(StoreConflictError):
            reader.put_record(KEY, b"newer")


def test_a_delete_marker_hides_nothing(admin: S3Client, versioned: str) -> None:
    S3Store(settings(versioned)).put_record(KEY, b"old")
    admin.delete_object(Bucket=versioned, Key=KEY)
    store = S3Store(settings(versioned))
    assert store.has(KEY)
    assert list(store.list("public/")) == [KEY]
    assert store.get(KEY, 10) == b"old"
    store.put_record(KEY, b"old")
    with pytest.raises(StoreConflictError):
        store.put_record(KEY, b"other")
    assert S3Store(settings(versioned)).get(KEY, 10) == b"old"


def test_a_replaced_object_that_is_out_of_sight_for_a_moment_is_found(versioned: str) -> None:
    """As Ceph has it while several processes replace it; here by a name that there is not."""
    hidden = [LATEST, LATEST]

    def hide(client: Any) -> None:
        get = client.get_object

        def get_object(**fields: Any) -> Any:
            if hidden:
                fields["Key"] += hidden.pop()
            return get(**fields)

        client.get_object = get_object

    store = S3Store(settings(versioned), client=broken(hide))
    store.put_latest(LATEST, b"1")
    store.put_latest(LATEST, b"2")
    assert store.get(LATEST, 10) == b"2"
    assert hidden == []


def test_a_replaced_object_that_was_deleted_is_not_found(admin: S3Client, versioned: str) -> None:
    store = S3Store(settings(versioned))
    store.put_latest(LATEST, b"1")
    admin.delete_object(Bucket=versioned, Key=LATEST)
    with pytest.raises(NotFoundError, match=LATEST):
        store.get(LATEST, 10)


def test_a_deleted_truth_is_noticed_by_its_readers(admin: S3Client, versioned: str) -> None:
    store = S3Store(settings(versioned))
    store.put_record(KEY, b"old")
    assert store.get(KEY, 10) == b"old"
    ((version, _),) = versions(store, KEY)
    admin.put_object(Bucket=versioned, Key=KEY, Body=b"new")
    admin.delete_object(Bucket=versioned, Key=KEY, VersionId=version)
    with pytest.raises(DamagedError, match="no longer the object that was read first"):
        store.get(KEY, 10)


def test_object_lock_refuses_to_delete(admin: S3Client, tmp_path: Path, large: Path) -> None:
    name = new_bucket(admin, lock=True)
    kept = settings(
        name,
        retention=Retention(mode="compliance", days=1),
        require=(Requirement.VERSIONING, Requirement.OBJECT_LOCK),
    )
    store = S3Store(kept)
    store.put_record(KEY, b"{}")
    key = cas(Visibility.PRIVATE, store.put_cas(Visibility.PRIVATE, large))
    for locked in (KEY, key):
        ((version, _),) = versions(store, locked)
        with pytest.raises(ClientError, match="AccessDenied"):
            admin.delete_object(
                Bucket=name, Key=locked, VersionId=version, BypassGovernanceRetention=True
            )
        admin.delete_object(Bucket=name, Key=locked)  # a marker, no more
        assert store.has(locked)
    head = admin.get_object_retention(Bucket=name, Key=KEY, VersionId=versions(store, KEY)[0][0])
    until = head["Retention"]["RetainUntilDate"]
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)


def test_a_missing_object_beside_versions_is_missing(versioned: str) -> None:
    store = S3Store(settings(versioned))
    store.put_record("public/ab", b"")
    with pytest.raises(NotFoundError):
        store.get("public/a", 10)
    with suppress(NotFoundError):
        store.open("public/a").close()
        pytest.fail("it is not there")
