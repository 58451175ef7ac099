"""Uploading a large object in parts, with bounded memory, completely or not at all.

What is completed is what its name promises: the parts are hashed in order as they are read, or the
file was hashed before and has not been touched since. On any failure, Ctrl-C included, the upload
is taken back.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from builders.core.digest import Digest
from pipelines.storage.s3bucket import Bucket
from pipelines.storage.s3client import code, content_md5, explained
from pipelines.storage.store import DamagedError, check_content

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import CompletedPartTypeDef

PART = 8 << 20
"""Bytes of a part, and of the largest object that is sent in one piece."""
SIDE_BY_SIDE = 6
"""Parts under way; one more is being read."""
_MOST_PARTS = 10_000
_STALE = timedelta(days=1)


def part_size(size: int) -> int:
    """Return the bytes of each part of an object of `size` bytes: S3 takes 10,000 parts."""
    least = -(-size // _MOST_PARTS)
    return max(PART, -(-least // (1 << 20)) << 20)


def state(stream: BinaryIO) -> tuple[int, int, int]:
    """Return what changes when somebody writes to an open file."""
    found = os.fstat(stream.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def upload(
    bucket: Bucket, key: str, stream: BinaryIO, *, hashed: tuple[int, int, int] | None = None
) -> None:
    """Store the file `stream` as the object `key`.

    `hashed` is the `state` in which the file was found to have the digest of its name; without it
    the parts are hashed. Raises `DamagedError` when the bytes are not those that the name promises,
    and `StoreError`; then no object and no part is left.
    """
    with explained(f"cannot write {key}", bucket.place):
        started = bucket.client.create_multipart_upload(**bucket.target(key), **bucket.keeping())
        target = {**bucket.target(key), "UploadId": started["UploadId"]}
        hasher = None if hashed else hashlib.sha256()
        try:
            parts = _send_parts(bucket, target, stream, hasher)
            if hasher:
                check_content(key, Digest(hasher.hexdigest()))
            else:
                _check_untouched(key, stream, hashed)
            _complete(bucket, key, target, parts)
        except BaseException:
            with suppress(ClientError, BotoCoreError, OSError):  # the first error is the one to see
                bucket.client.abort_multipart_upload(**target)
            raise
        if bucket.retention:
            _keep(bucket, key)


def _keep(bucket: Bucket, key: str) -> None:
    """See to it that the object is kept: Ceph 18 forgets the retention of an upload in parts."""
    head: dict[str, Any] = {**bucket.client.head_object(**bucket.target(key))}
    if not head.get("ObjectLockMode"):
        keeping = bucket.keeping()
        bucket.client.put_object_retention(
            **bucket.target(key),
            VersionId=head["VersionId"],
            Retention={
                "Mode": keeping["ObjectLockMode"],
                "RetainUntilDate": keeping["ObjectLockRetainUntilDate"],
            },
        )


def sweep(bucket: Bucket, prefix: str, now: datetime | None = None) -> int:
    """Take back uploads below `prefix` that were begun a day ago or more; returns how many."""
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


def _check_untouched(key: str, stream: BinaryIO, hashed: tuple[int, int, int] | None) -> None:
    if state(stream) != hashed:
        raise DamagedError(
            f"cannot write {key}: its source changed while it was sent",
            todo="Store it again once nobody writes to it",
        )


def _send_parts(
    bucket: Bucket, target: dict[str, Any], stream: BinaryIO, hasher: hashlib._Hash | None
) -> list[CompletedPartTypeDef]:
    """Send `stream` in parts, and return those in order."""
    size = part_size(os.fstat(stream.fileno()).st_size)
    under_way: set[Future[CompletedPartTypeDef]] = set()
    done: list[CompletedPartTypeDef] = []
    pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="samebits-upload")
    try:
        number = 0
        while piece := _read(stream, size):
            if hasher:
                hasher.update(piece)
            number += 1
            if len(under_way) >= SIDE_BY_SIDE:
                finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                done += [future.result() for future in finished]
            under_way.add(pool.submit(_send, bucket, {**target, "PartNumber": number}, piece))
        done += [future.result() for future in under_way]
    finally:
        # A part that lands after the upload was taken back would stay for ever.
        pool.shutdown(wait=True, cancel_futures=True)
    return sorted(done, key=lambda part: part.get("PartNumber", 0))


def _send(bucket: Bucket, target: dict[str, Any], piece: bytes) -> CompletedPartTypeDef:
    # Buckets with Object Lock ask for a checksum of each part; the signature covers the others.
    digest: dict[str, Any] = {}
    if bucket.locked:
        digest = {"ContentMD5": content_md5(piece)}
    answer = bucket.client.upload_part(**target, Body=piece, **digest)
    return {"ETag": answer["ETag"], "PartNumber": target["PartNumber"]}


def _complete(
    bucket: Bucket, key: str, target: dict[str, Any], parts: list[CompletedPartTypeDef]
) -> None:
    try:
        bucket.client.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
    except ClientError as error:
        # Sent again after a lost answer, it finds its own work done.
        if code(error) != "NoSuchUpload" or bucket.find(key) is None:
            raise


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end."""
    pieces, left = [], size
    while left and (piece := stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
