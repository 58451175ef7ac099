"""Large objects in a real S3 store: they go up in parts, whole or not at all, in little memory."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders.core.digest import Digest, digest_stream
from builders.core.errors import StoreError
from builders.inputs.vault import Vault
from pipelines.storage import s3
from pipelines.storage.names import Visibility, cas
from pipelines.storage.s3 import PART, PARTS_IN_MEMORY, S3Store
from pipelines.storage.store import DamagedError
from tests.storage.ceph import broken, new_bucket, settings

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.usefixtures("aws")


def parts_left(admin: S3Client, bucket: str) -> int:
    return len(admin.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def test_a_large_object_goes_up_in_parts_and_comes_back(
    admin: S3Client, bucket: str, large: Path
) -> None:
    store = S3Store(settings(bucket))
    digest = store.put_cas(Visibility.PRIVATE, large)
    with store.open(cas(Visibility.PRIVATE, digest)) as stream:
        assert digest_stream(stream) == digest
    assert admin.head_object(Bucket=bucket, Key=cas(Visibility.PRIVATE, digest))["ETag"].endswith(
        '-4"'
    )
    store.put_file(Vault.key(digest), large)
    assert store.has(Vault.key(digest))
    assert parts_left(admin, bucket) == 0


@pytest.mark.parametrize("lock", [True, False])
def test_parts_for_object_lock_are_sent_with_their_checksum(
    admin: S3Client, large: Path, lock: bool
) -> None:
    sent: list[str | None] = []

    def record(request: AWSPreparedRequest, **_: Any) -> None:
        value: Any = request.headers.get("Content-MD5")
        sent.append(value.decode() if isinstance(value, bytes) else value)

    def watch(client: Any) -> None:
        client.meta.events.register("before-send.s3.UploadPart", record)

    S3Store(settings(new_bucket(admin, lock=lock)), client=broken(watch)).put_cas(
        Visibility.PRIVATE, large
    )
    data = large.read_bytes()
    parts = [data[start : start + PART] for start in range(0, len(data), PART)]
    expected = {
        base64.b64encode(hashlib.md5(part, usedforsecurity=False).digest()).decode()
        for part in parts
    }
    assert set(sent) == (expected if lock else {None})
    assert len(sent) == len(parts)


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoreError, OSError])
def test_a_failed_upload_leaves_no_parts(
    admin: S3Client, bucket: str, large: Path, error: type[BaseException]
) -> None:
    """A part fails to be sent; whatever was raised there, the upload is no success."""

    def fail_on_the_third(client: Any) -> None:
        send = client.upload_part

        def upload_part(**fields: Any) -> Any:
            if fields["PartNumber"] == 3:
                raise error("x")
            return send(**fields)

        client.upload_part = upload_part

    store = S3Store(settings(bucket), client=broken(fail_on_the_third))
    with pytest.raises(StoreError):
        store.put_cas(Visibility.PRIVATE, large)
    assert parts_left(admin, bucket) == 0
    assert list(store.list("private/cas/")) == []


def test_an_interrupted_upload_leaves_no_parts(admin: S3Client, bucket: str, large: Path) -> None:
    def interrupt_on_the_third(client: Any) -> None:
        send = client.upload_part

        def upload_part(**fields: Any) -> Any:
            if fields["PartNumber"] == 3:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                time.sleep(0.5)
            return send(**fields)

        client.upload_part = upload_part

    store = S3Store(settings(bucket), client=broken(interrupt_on_the_third))
    # Whoever was started in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            store.put_cas(Visibility.PRIVATE, large)
    finally:
        signal.signal(signal.SIGINT, before)
    assert parts_left(admin, bucket) == 0
    assert list(store.list("private/cas/")) == []


def test_a_source_that_does_not_match_its_name_is_never_completed(
    admin: S3Client, bucket: str, large: Path
) -> None:
    store = S3Store(settings(bucket))
    with pytest.raises(DamagedError, match="does not hold what its name promises"):
        store.put_file(Vault.key(Digest.of(b"other")), large)
    assert parts_left(admin, bucket) == 0
    assert list(store.list("private/vault/")) == []


def test_a_source_that_changes_on_the_way_is_never_completed(
    admin: S3Client, bucket: str, tmp_path: Path
) -> None:
    """It is hashed, and changes at its end while its first part is sent."""
    path = tmp_path / "large"
    with path.open("wb") as out:
        out.truncate((PARTS_IN_MEMORY + 4) * PART)

    def write_meanwhile(client: Any) -> None:
        send = client.upload_part

        def upload_part(**fields: Any) -> Any:
            if fields["PartNumber"] == 1:
                with path.open("r+b") as stream:
                    stream.seek(-1, os.SEEK_END)
                    stream.write(b"x")
            return send(**fields)

        client.upload_part = upload_part

    store = S3Store(settings(bucket), client=broken(write_meanwhile))
    with pytest.raises(DamagedError, match="Store it again once nobody writes to its source"):
        store.put_cas(Visibility.PRIVATE, path)
    assert parts_left(admin, bucket) == 0
    assert list(store.list("private/cas/")) == []


def test_what_a_killed_writer_left_is_swept_after_a_day(admin: S3Client, bucket: str) -> None:
    admin.create_multipart_upload(Bucket=bucket, Key="private/cas/x")
    admin.create_multipart_upload(Bucket=bucket, Key="of/somebody/else")
    store = S3Store(settings(bucket))
    assert store.sweep() == 0
    (mine,) = {id(b): b for b in store._buckets.values()}.values()
    tomorrow = datetime.now(UTC) + timedelta(days=1, minutes=1)
    assert s3.abort_stale_uploads(mine, "private/", tomorrow) == 1
    assert parts_left(admin, bucket) == 1


def test_memory_does_not_grow_with_the_object(bucket: str, tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "big"
    with path.open("wb") as out:
        out.truncate(160 << 20)
    store = S3Store(settings(bucket))
    store.capabilities()
    tracemalloc.start()
    try:
        digest = store.put_cas(Visibility.PRIVATE, path)
        with store.open(cas(Visibility.PRIVATE, digest)) as stream:
            assert digest_stream(stream) == digest
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 96 << 20
