"""The client of one S3 place, and what its failures mean.

Every call ends within a bounded time: a server that is gone, or silent, is one clear `StoreError`.
Messages name the bucket and never the endpoint, which may be an internal host.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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

from builders.core.errors import StoreError, UsageError
from pipelines.storage.s3settings import S3Place

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSRequest
    from types_boto3_s3.client import S3Client

CONNECT_SECONDS = 3
READ_SECONDS = 30
ATTEMPTS = 3
"""Times each request is sent, with back-off, when the server is busy or the line breaks."""
CONNECTIONS = 8
PRECONDITION_FAILED, CONFLICT, NOT_FOUND, FORBIDDEN = 412, 409, 404, 403
_TODO = {
    "NoSuchBucket": "Create the bucket, or correct its name",
    "AccessDenied": "Give these credentials access to the bucket, or name another profile",
    "InvalidAccessKeyId": "Check the access key in the AWS configuration",
    "SignatureDoesNotMatch": "Check the secret key in the AWS configuration, and this clock",
    "RequestTimeTooSkewed": "Set this machine's clock",
    "QuotaExceeded": "Raise the quota of the bucket, or free some space",
}


def connect(
    place: S3Place, *, connect_seconds: float = CONNECT_SECONDS, read_seconds: float = READ_SECONDS
) -> S3Client:
    """Return a client for `place`, safe for threads; raises `UsageError` for bad configuration.

    No request is sent yet. Checksums that only some servers know are left out: the SHA-256 of
    every payload is signed with the request, and every read is checked by the store itself.
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
    client.meta.events.register("before-sign.s3", _send_at_once)
    client.meta.events.register("before-send.s3", _send_whole)
    return client


def _send_at_once(request: AWSRequest, **_: object) -> None:
    """Send a body with its head: waiting for the server's leave costs small objects tenfold."""
    if "Expect" in request.headers:
        del request.headers["Expect"]


def _send_whole(request: AWSPreparedRequest, **_: object) -> None:
    """Hand over the bytes themselves, not a file of them that is sent in pieces of 16 KiB."""
    if isinstance(request.body, io.BytesIO):
        request.body = request.body.getvalue()


def status(error: ClientError) -> int:
    """Return the HTTP status of a refused request."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code(error: ClientError) -> str:
    """Return the server's word for why it refused a request."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


@contextmanager
def explained(what: str, place: S3Place) -> Iterator[None]:
    """Turn whatever goes wrong on the way to the server into one `StoreError`."""
    try:
        yield
    except ClientError as error:
        raise StoreError(
            f"{what} in the store {place}",
            got=f"{code(error)} (HTTP {status(error)})",
            expected="a bucket that these credentials can use",
            todo=_TODO.get(code(error), "Look into the server's log"),
        ) from error
    except (NoCredentialsError, NoRegionError) as error:
        raise StoreError(
            f"{what} in the store {place}",
            got=error,
            expected="credentials and a region in the usual AWS configuration",
            todo="Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error
    except (BotoCoreError, OSError) as error:
        raise StoreError(
            f"{what} in the store {place}",
            got=_line(error),
            expected="a server that answers",
            todo="Start the server or mend the line, and run again; check AWS_ENDPOINT_URL_S3",
        ) from error


def _line(error: Exception) -> str:
    if isinstance(error, EndpointConnectionError):
        return "no connection"
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return "no answer in time"
    return f"a broken connection ({type(error).__name__})"


def content_md5(data: bytes) -> str:
    """Return RFC 1864's checksum: buckets with Object Lock take no write without one."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def retention_fields(mode: str, until: Any) -> dict[str, Any]:
    """Return the request fields of Object Lock; `until` is a time in UTC."""
    return {"ObjectLockMode": mode.upper(), "ObjectLockRetainUntilDate": until}
