"""The client of one S3 place: its settings, its errors, and streams that check what they read.

Every call ends within a bounded time: a server that is down, or silent, is one clear `StoreError`.
Messages name the bucket and never the endpoint, which may be an internal host.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
)

from builders.core.digest import CHUNK, Digest
from builders.core.errors import StoreError, UsageError
from pipelines.storage.names import content_digest
from pipelines.storage.s3settings import S3Place
from pipelines.storage.store import check_content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.awsrequest import AWSPreparedRequest, AWSRequest
    from botocore.response import StreamingBody
    from types_boto3_s3.client import S3Client

CONNECT_SECONDS = 3
READ_SECONDS = 30
ATTEMPTS = 3
"""Times each request is sent, with back-off, when the server is busy or the line breaks."""
CONNECTIONS = 8
_TODO = {
    "NoSuchBucket": "Create the bucket, or correct its name",
    "AccessDenied": "Give these credentials access to the bucket, or name another profile",
    "InvalidAccessKeyId": "Check the access key in the AWS configuration",
    "SignatureDoesNotMatch": "Check the secret key in the AWS configuration, and this clock",
    "RequestTimeTooSkewed": "Set this machine's clock",
    "QuotaExceeded": "Raise the quota of the bucket, or free some space",
}


def connect(
    place: S3Place,
    *,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float = READ_SECONDS,
    before: Callable[[], None] | None = None,
) -> S3Client:
    """Return a client for `place`, safe for threads; raises `UsageError` for bad configuration.

    `before` is called before each request, and may raise. No request is sent yet. Checksums that
    only some servers know are not sent: the SHA-256 of the body is signed, or over HTTPS its
    `Content-MD5`, and the store itself checks every read.
    """
    config = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="samebits",
    )
    try:
        session = boto3.session.Session(profile_name=place.profile)
        client: S3Client = session.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        what = "no such profile" if isinstance(error, ProfileNotFound) else "bad configuration"
        raise UsageError(
            f"cannot open {place}: {what}",
            got=error,
            expected="credentials, region and endpoint in the usual AWS configuration",
            todo="See AWS_PROFILE, AWS_ENDPOINT_URL_S3 and the files in ~/.aws",
        ) from error
    client.meta.events.register("before-call.s3.PutObject", _add_checksum)
    client.meta.events.register("before-sign.s3", _send_at_once)
    client.meta.events.register("before-send.s3", _send_whole)
    if before is not None:
        client.meta.events.register("before-send.s3", lambda **_: before())
    return client


def send_part_checksums(client: S3Client) -> None:
    """Send a checksum with each part too, as with each whole object."""
    client.meta.events.register("before-call.s3.UploadPart", _add_checksum, "part-checksums")


def _add_checksum(params: dict[str, Any], **_: object) -> None:
    """Add the header `Content-MD5`: buckets with Object Lock take no write without one."""
    digest = hashlib.md5(_whole(params["body"]), usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()


def _send_at_once(request: AWSRequest, **_: object) -> None:
    """Send the body at once: to wait for `100 Continue` makes small objects ten times slower."""
    if "Expect" in request.headers:
        del request.headers["Expect"]


def _send_whole(request: AWSPreparedRequest, **_: object) -> None:
    """Hand over the bytes themselves, not a file of them that is sent in pieces of 16 KiB."""
    if request.body is not None:
        request.body = _whole(request.body)


def _whole(body: Any) -> bytes:
    """Return all of a body, which may be a file; it can be read again afterwards."""
    if not hasattr(body, "read"):
        return bytes(body)
    data: bytes = body.read()
    body.seek(0)
    return data


def status(error: ClientError) -> int:
    """Return the HTTP status of a refused request."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code(error: ClientError) -> str:
    """Return the error code of a refused request."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


@contextmanager
def explained(what: str, place: S3Place) -> Iterator[None]:
    """Turn every error of botocore, and of the connection, into one `StoreError`."""
    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        got, expected, todo = _reason(error)
        raise StoreError(
            f"{what} in the store {place}", got=got, expected=expected, todo=todo
        ) from error


def _reason(error: Exception) -> tuple[str, str, str]:
    """Return what was got, what was expected, and what to do."""
    match error:
        case ClientError():
            got = f"{code(error)} (HTTP {status(error)})"
            todo = _TODO.get(code(error), "Check the server's log")
            return got, "a bucket that these credentials can use", todo
        case NoCredentialsError() | NoRegionError():
            todo = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            return str(error), "credentials and a region in the usual AWS configuration", todo
        case EndpointConnectionError():
            got = "no connection"
        case ConnectTimeoutError() | ReadTimeoutError():
            got = "no answer in time"
        case _:
            got = f"a broken connection ({type(error).__name__})"
    todo = "Start the server or repair the connection, and run again; check AWS_ENDPOINT_URL_S3"
    return got, "a server that answers", todo


class SuppressStatus:
    """Suppress the error of a request that is refused with one of some HTTP statuses."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = statuses

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> bool:
        return isinstance(error, ClientError) and status(error) in self._statuses


def checked(body: StreamingBody, key: str, size: int, place: S3Place) -> BinaryIO:
    """Return the `size` bytes of an object as a stream that checks their number and digest.

    The last read raises `StoreError` when the connection broke off, and `DamagedError` when the
    digest is not the one that the name of the object promises.
    """
    return cast("BinaryIO", io.BufferedReader(_Checked(body, key, size, place), CHUNK))


class _Checked(io.RawIOBase):
    """The raw stream: counts and hashes every byte."""

    def __init__(self, body: StreamingBody, key: str, size: int, place: S3Place) -> None:
        super().__init__()
        self._body, self._key, self._size, self._place = body, key, size, place
        self._hasher = hashlib.sha256() if content_digest(key) else None
        self._read = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes; raises `StoreError`, and at the end `DamagedError`."""
        view = memoryview(buffer).cast("B")
        with explained(f"cannot read {self._key}", self._place):
            piece = self._body.read(len(view))
        view[: len(piece)] = piece
        self._read += len(piece)
        if self._hasher:
            self._hasher.update(piece)
        if self._read >= self._size or not piece:
            self._end()
        return len(piece)

    def close(self) -> None:
        """Return the connection to the pool."""
        if not self.closed:
            with suppress(BotoCoreError, OSError):
                self._body.close()
        super().close()

    def _end(self) -> None:
        if self._read != self._size:
            raise StoreError(
                f"cannot read {self._key} in the store {self._place}",
                got=f"{self._read} bytes",
                expected=f"{self._size} bytes",
                todo="Run again; if it fails again, check the server",
            )
        if self._hasher:
            check_content(self._key, Digest(self._hasher.hexdigest()))
