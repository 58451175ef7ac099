"""The store in S3: the guarantees of the directory store, on any server that provides them.

Named records are single conditional PUTs; a record that exists is read and compared. Large
content-addressed objects are uploaded in parts unless they exist. Before the first write the
server is probed, and refused when it lacks what the center requires.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from builders.core.digest import Digest, digest_stream
from builders.core.errors import NotFoundError
from pipelines.storage import names
from pipelines.storage.names import Visibility
from pipelines.storage.s3bucket import Bucket
from pipelines.storage.s3client import connect
from pipelines.storage.s3probe import S3Capabilities, probe
from pipelines.storage.s3settings import S3Place, S3Settings
from pipelines.storage.s3upload import PART, sweep, upload
from pipelines.storage.store import (
    check_content,
    check_equal,
    check_size,
    opened_source,
    read_whole,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


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

    def sweep(self) -> int:
        """Abort uploads that were begun a day ago or more; returns how many."""
        return sum(sweep(bucket, f"{v}/") for v, bucket in self._buckets.items())

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
            upload(bucket, key, stream)
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
