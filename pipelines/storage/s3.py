"""The store in S3: the guarantees of the directory store, on any server that provides them.

Named records are single conditional PUTs; a record that exists is read and compared. Before the
first write the server is probed, and refused when it lacks what the center requires.

Large content-addressed objects are uploaded in parts by s3transfer, with bounded memory, completely
or not at all. The file is hashed as it is read, once and in order, and the upload is completed only
when the bytes that were read have the digest that the object's name promises. On any failure,
Ctrl-C included, s3transfer waits for the parts under way and aborts the upload.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError
from s3transfer.exceptions import CancelledError
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from builders.core.digest import Digest, digest_stream
from builders.core.errors import NotFoundError
from pipelines.storage import names
from pipelines.storage.names import Visibility
from pipelines.storage.s3bucket import Bucket
from pipelines.storage.s3client import code, connect, explained, send_part_checksums
from pipelines.storage.s3probe import S3Capabilities, probe
from pipelines.storage.s3settings import S3Place, S3Settings
from pipelines.storage.store import (
    check_content,
    check_equal,
    check_size,
    opened_source,
    read_whole,
)

if TYPE_CHECKING:
    from s3transfer.futures import TransferFuture
    from types_boto3_s3.client import S3Client

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


class S3Store:
    """A `Store` in one or two buckets, for several threads and processes."""

    def __init__(
        self, settings: S3Settings, *, client: Callable[[S3Place], S3Client] = connect
    ) -> None:
        """Use the store at `settings`; nothing is sent yet. `client` connects to a place."""
        self.settings = settings
        self._client = client
        self._capabilities: S3Capabilities | None = None
        self._lock = Lock()

    def capabilities(self) -> S3Capabilities:
        """Probe the server, once; raises `UnfitStoreError` when it lacks what is required."""
        with self._lock:
            if self._capabilities is None:
                self._capabilities = probe(self._buckets, self.settings.require)
            return self._capabilities

    def has(self, key: str) -> bool:
        """Say whether an object of that name exists."""
        return self._bucket(names.check_key(key)).find(key) is not None

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading; a content-addressed one is checked while it is read.

        The read that reaches the end raises `DamagedError` when the digest is not the promised
        one. Raises `NotFoundError`.
        """
        return self._bucket(names.check_key(key)).open(key)

    def get(self, key: str, limit: int) -> bytes:
        """Return a small object whole; raises `NotFoundError`, `TooLargeError`, `DamagedError`."""
        with self.open(key) as stream:
            return read_whole(key, stream, limit)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below the folder `prefix`, in order; memory holds one page of them."""
        return self._bucket(names.check_prefix(prefix)).list(prefix)

    def put_file(self, key: str, path: Path) -> None:
        """Store a file under a name that its content determines; an existing one is left alone."""
        names.check_immutable(key)
        with opened_source(path) as stream:
            self._put_stream(key, stream)

    def put_cas(self, visibility: Visibility, content: Path | bytes) -> Digest:
        """Store `content` under its digest, and return that; a file is read twice."""
        if isinstance(content, bytes):
            digest = Digest.of(content)
            self._put_bytes(names.cas(visibility, digest), content)
            return digest
        with opened_source(content) as stream:
            digest = digest_stream(stream)
            stream.seek(0)
            self._put_stream(names.cas(visibility, digest), stream)
        return digest

    def put_record(self, key: str, data: bytes) -> None:
        """Create a named record; raises `StoreConflictError` when it has other bytes."""
        bucket = self._writable(names.check_immutable(key))
        if not bucket.create(key, data):
            with bucket.open(key) as stream:
                check_equal(key, stream, data)

    def put_latest(self, key: str, data: bytes) -> None:
        """Write the object that is replaced, in one step; raises `UsageError` for other names."""
        self._writable(names.check_mutable(key)).replace(key, data)

    def remove(self, key: str) -> None:
        """Remove an object of a portal if it exists; raises `UsageError` for any other name."""
        self._bucket(names.check_removable(key)).remove(key)

    def sweep(self) -> int:
        """Abort uploads that were begun a day ago or more; returns how many."""
        return sum(abort_stale_uploads(bucket, f"{v}/") for v, bucket in self._buckets.items())

    def _put_stream(self, key: str, stream: BinaryIO) -> None:
        size = os.fstat(stream.fileno()).st_size
        bucket = self._writable(key)
        if found := bucket.find(key):
            check_size(key, found.size, size)
        elif size <= PART:
            data = stream.read(PART + 1)
            check_content(key, Digest.of(data))
            self._put_bytes(key, data)
        else:
            _upload(bucket, key, stream)
            found = bucket.find(key)
            if found is None:
                raise NotFoundError(f"{key} was uploaded and does not exist")
            check_size(key, found.size, size)

    def _put_bytes(self, key: str, data: bytes) -> None:
        bucket = self._writable(key)
        if not bucket.create(key, data) and (found := bucket.find(key)):
            check_size(key, found.size, len(data))

    def _writable(self, key: str) -> Bucket:
        self.capabilities()
        return self._bucket(key)

    def _bucket(self, key: str) -> Bucket:
        return self._buckets[Visibility(key.split("/", maxsplit=1)[0])]

    @cached_property
    def _buckets(self) -> Mapping[Visibility, Bucket]:
        """Both places; one and the same where they share bucket, prefix and credentials."""
        places = {visibility: self.settings.place(visibility) for visibility in Visibility}
        made = {
            place: Bucket(self._client(place), place, self.settings.retention)
            for place in places.values()
        }
        return {visibility: made[place] for visibility, place in places.items()}


def _upload(bucket: Bucket, key: str, stream: BinaryIO) -> None:
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


def abort_stale_uploads(bucket: Bucket, prefix: str, now: datetime | None = None) -> int:
    """Abort the uploads below `prefix` that were begun a day ago or more; returns how many."""
    before, removed = (now or datetime.now(UTC)) - _STALE, 0
    below = bucket.place.name(prefix)
    with explained("cannot clean up", bucket.place):
        for entry in bucket.entries("list_multipart_uploads", "Uploads", below):
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
