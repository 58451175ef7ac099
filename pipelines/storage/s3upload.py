"""Uploading a large object in parts, with bounded memory, completely or not at all.

s3transfer sends the parts. The file is hashed as it is read, once and in order, and the upload is
completed only when the bytes that were read have the digest that the object's name promises. On
any failure, Ctrl-C included, s3transfer waits for the parts under way and aborts the upload.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError
from s3transfer.exceptions import CancelledError
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from builders.core.digest import Digest
from pipelines.storage.s3bucket import Bucket
from pipelines.storage.s3client import code, explained, send_part_checksums
from pipelines.storage.store import check_content

if TYPE_CHECKING:
    from s3transfer.futures import TransferFuture

PART = 8 << 20
"""Bytes of a part, and of the largest object that is sent in one piece."""
PARTS_IN_MEMORY = 6
"""Parts being sent; one more is being read."""
_CONFIG = TransferConfig(
    multipart_threshold=PART,
    multipart_chunksize=PART,  # larger for objects of more than the 10,000 parts that S3 takes
    max_request_concurrency=PARTS_IN_MEMORY,
    max_in_memory_upload_chunks=PARTS_IN_MEMORY,
)
_STALE = timedelta(days=1)


def upload(bucket: Bucket, key: str, stream: BinaryIO) -> None:
    """Store the file `stream`, larger than `PART`, as the object `key`.

    Raises `DamagedError` when its bytes are not those that the name promises, and `StoreError`;
    then no object and no part is left.
    """
    source: Any = _HashedFile(key, stream)  # s3transfer calls `read` alone
    with explained(f"cannot write {key}", bucket.place):
        if bucket.locked:
            send_part_checksums(bucket.client)
        try:
            with TransferManager(bucket.client, _CONFIG) as manager:
                manager.upload(
                    source,
                    bucket.place.bucket,
                    bucket.place.name(key),
                    extra_args=bucket.retention_fields(),
                    subscribers=[source],
                ).result()
        except ClientError as error:
            # A completion that is sent again after its answer was lost finds its own work done.
            if code(error) != "NoSuchUpload" or bucket.find(key) is None:
                raise
        if bucket.retention:
            _ensure_retention(bucket, key)


def sweep(bucket: Bucket, prefix: str, now: datetime | None = None) -> int:
    """Abort the uploads below `prefix` that were begun a day ago or more; returns how many."""
    before, removed = (now or datetime.now(UTC)) - _STALE, 0
    with explained("cannot clean up", bucket.place):
        pages = bucket.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket.place.bucket, Prefix=bucket.place.name(prefix)
        )
        for page in pages:
            for entry in page.get("Uploads", []):
                if entry["Initiated"] <= before:
                    bucket.client.abort_multipart_upload(
                        Bucket=bucket.place.bucket, Key=entry["Key"], UploadId=entry["UploadId"]
                    )
                    removed += 1
    return removed


class _HashedFile(BaseSubscriber):
    """A file that s3transfer reads once and in order; its end is reached only if it is intact."""

    def __init__(self, key: str, stream: BinaryIO) -> None:
        self._key, self._stream = key, stream
        self._hasher = hashlib.sha256()
        self._transfer: TransferFuture | None = None

    def on_queued(self, future: TransferFuture, **_: Any) -> None:
        """Tell s3transfer the size: the size of the parts follows from it."""
        self._transfer = future
        future.meta.provide_transfer_size(os.fstat(self._stream.fileno()).st_size)

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes; raises `DamagedError` at the end for a wrong digest."""
        if self._transfer and self._transfer.done():  # failed or cancelled: read no further
            message = "the upload has ended"
            raise CancelledError(message)
        piece = self._stream.read(size)
        self._hasher.update(piece)
        if not piece:
            check_content(
                self._key,
                Digest(self._hasher.hexdigest()),
                todo="Store it again once nobody writes to its source, or bring a good copy",
            )
        return piece


def _ensure_retention(bucket: Bucket, key: str) -> None:
    """Set the retention if it is missing: Ceph 18 does not keep that of an upload in parts."""
    head: dict[str, Any] = {**bucket.client.head_object(**bucket.target(key))}
    if not head.get("ObjectLockMode"):
        fields = bucket.retention_fields()
        bucket.client.put_object_retention(
            **bucket.target(key),
            VersionId=head["VersionId"],
            Retention={
                "Mode": fields["ObjectLockMode"],
                "RetainUntilDate": fields["ObjectLockRetainUntilDate"],
            },
        )
