"""S3 servers that break off, are busy, silent or gone, or have no such bucket: one clear error."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from builders.core.errors import StoreError
from pipelines.storage.s3 import S3Store
from pipelines.storage.s3client import checked, connect
from pipelines.storage.s3settings import S3Place
from tests.storage.ceph import KEY, Gateway, broken, settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

pytestmark = pytest.mark.usefixtures("aws")


def test_a_line_that_breaks_is_not_an_end(bucket: str) -> None:
    class Short:
        def read(self, size: int) -> bytes:
            return b""

        def close(self) -> None:
            pass

    body: Any = Short()
    with (
        checked(body, KEY, 3, S3Place(bucket=bucket)) as stream,
        pytest.raises(StoreError, match="got 0 bytes; expected 3 bytes"),
    ):
        stream.read()


def test_conflicts_of_writers_under_way_are_tried_again(bucket: str) -> None:
    busy = iter([409, 409])

    def conflict_twice(client: Any) -> None:
        put = client.put_object

        def put_object(**fields: Any) -> Any:
            if fields["Key"] == KEY and next(busy, None):
                answer: Any = {
                    "Error": {"Code": "ConditionalRequestConflict"},
                    "ResponseMetadata": {"HTTPStatusCode": 409},
                }
                raise ClientError(answer, "PutObject")
            return put(**fields)

        client.put_object = put_object

    store = S3Store(settings(bucket), client=broken(conflict_twice))
    store.put_record(KEY, b"{}")
    assert store.get(KEY, 10) == b"{}"


def test_a_missing_bucket_is_named(gateway: Gateway) -> None:
    store = S3Store(settings("there-is-no-such"))
    for call in (
        lambda: store.put_record(KEY, b""),
        lambda: store.has(KEY),
        lambda: list(store.list("public/")),
    ):
        with pytest.raises(StoreError, match=r"NoSuchBucket.*Create the bucket"):
            call()


def test_a_silent_server_is_one_clear_error(gateway: Gateway, bucket: str) -> None:
    def impatient(place: S3Place) -> S3Client:
        return connect(place, connect_seconds=0.5, read_seconds=0.5)

    patient, store = S3Store(settings(bucket)), S3Store(settings(bucket), client=impatient)
    patient.put_record(KEY, b"{}")
    pid = int((gateway.folder / "rgw.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    try:
        with pytest.raises(StoreError, match=r"got no answer in time.*Start the server"):
            store.get(KEY, 10)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - start < 100
    assert patient.get(KEY, 10) == b"{}"


def test_a_stopped_server_is_one_clear_error_and_a_started_one_works(
    gateway: Gateway, bucket: str
) -> None:
    store = S3Store(settings(bucket))
    store.put_record(KEY, b"{}")
    gateway.kill()
    try:
        start = time.monotonic()
        with pytest.raises(StoreError, match=r"got no connection.*Start the server") as caught:
            store.put_record("public/other", b"{}")
        assert time.monotonic() - start < 100
        assert "127.0.0.1" not in str(caught.value)
    finally:
        gateway.start()
    store.put_record("public/other", b"{}")
    assert store.get(KEY, 10) == b"{}"
