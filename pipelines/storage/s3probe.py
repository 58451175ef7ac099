"""Probe an S3 server: find out by requests what it honours, and record it.

The record is in the private part of the store, named by its digest: the same answers add no
second record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus

from botocore.exceptions import ClientError

from builders.core.digest import Digest, canonical_json
from builders.core.errors import NotFoundError
from pipelines.storage.names import Visibility
from pipelines.storage.s3bucket import Bucket
from pipelines.storage.s3client import SuppressStatus, explained, status
from pipelines.storage.s3settings import Requirement
from pipelines.storage.store import UnfitStoreError

SCHEMA = "samebits/store-capabilities/v1"
_FIRST, _SECOND = b"samebits: the first write\n", b"samebits: a second write\n"
_TODO = {
    Requirement.CONDITIONAL_WRITES: "use a server that honours If-None-Match",
    Requirement.VERSIONING: "switch versioning of the bucket on",
    Requirement.OBJECT_LOCK: "make a bucket with Object Lock",
}


@dataclass(frozen=True, kw_only=True)
class PlaceCapabilities:
    """What one bucket honours."""

    conditional_writes: bool
    """Of two writes of one name the second is refused."""
    versioning: str
    """`enabled`, `suspended`, `off`, or `unknown`."""
    object_lock: bool
    read_after_write: bool
    """What was written is read back."""


@dataclass(frozen=True, kw_only=True)
class S3Capabilities:
    """What the buckets of a store honour."""

    public: PlaceCapabilities
    private: PlaceCapabilities
    retention: str | None
    """Mode and days of Object Lock for each object."""

    def to_json(self) -> bytes:
        """Return the record: canonical JSON."""
        return canonical_json({"schema": SCHEMA, **asdict(self)})

    @property
    def key(self) -> str:
        """Return the name of the record."""
        return f"private/probe/capabilities/{Digest.of(self.to_json())}.json"


def probe(
    buckets: Mapping[Visibility, Bucket], required: tuple[Requirement, ...]
) -> S3Capabilities:
    """Probe every bucket, and record the answers in the private one.

    Raises `UnfitStoreError`, with nothing but the probe written, when something required is not
    honoured; a retention requires Object Lock.
    """
    public, private = buckets[Visibility.PUBLIC], buckets[Visibility.PRIVATE]
    retention = private.retention
    if retention:
        required = (*required, Requirement.OBJECT_LOCK)
    private_facts = _probe_bucket(private, Visibility.PRIVATE, required)
    public_facts = private_facts
    if public is not private:
        public_facts = _probe_bucket(public, Visibility.PUBLIC, required)
    capabilities = S3Capabilities(
        public=public_facts,
        private=private_facts,
        retention=f"{retention.mode} {retention.days} days" if retention else None,
    )
    created = private.create(capabilities.key, capabilities.to_json())
    if created and retention:
        _check_retention(private, capabilities.key)
    return capabilities


def _probe_bucket(
    bucket: Bucket, visibility: Visibility, required: tuple[Requirement, ...]
) -> PlaceCapabilities:
    key = f"{visibility}/probe/first-write"
    with explained("cannot probe the server", bucket.place):
        first = _write(bucket, key, _FIRST)
        second = _write(bucket, key, _SECOND) if first is not None else None
        there = _read(bucket, key)
    bucket.conditional = second is False and there == _FIRST
    found = PlaceCapabilities(
        conditional_writes=bucket.conditional,
        versioning=bucket.versioning,
        object_lock=bucket.locked,
        read_after_write=there is not None,
    )
    honoured = {
        Requirement.CONDITIONAL_WRITES: found.conditional_writes,
        Requirement.VERSIONING: found.versioning == "enabled",
        Requirement.OBJECT_LOCK: found.object_lock,
    }
    if missing := [requirement for requirement in required if not honoured[requirement]]:
        todo = " and ".join(_TODO[requirement] for requirement in missing)
        raise UnfitStoreError(
            f"the store {bucket.place} does not honour what the center requires",
            got=f"no {', no '.join(missing)}",
            expected="what stands under `require` and `retention` in the center's file",
            todo=f"{todo[0].upper()}{todo[1:]}; nothing was written",
        )
    return found


def _write(bucket: Bucket, key: str, data: bytes) -> bool | None:
    """Create an object: True when done, False when refused, None when the server cannot say."""
    # A server that does not know the header answers with one of these.
    with SuppressStatus(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_IMPLEMENTED):
        with SuppressStatus(HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT):
            bucket.client.put_object(**bucket.target(key), Body=data, IfNoneMatch="*")
            return True
        return False
    return None


def _read(bucket: Bucket, key: str) -> bytes | None:
    """Return the newest bytes: the probe asks what a write does."""
    with SuppressStatus(HTTPStatus.NOT_FOUND):
        return bucket.client.get_object(**bucket.target(key))["Body"].read()
    return None


def _check_retention(bucket: Bucket, key: str) -> None:
    with explained("cannot probe the server", bucket.place):
        try:
            mode = bucket.client.head_object(**bucket.target(key)).get("ObjectLockMode")
        except ClientError as error:
            if status(error) == HTTPStatus.NOT_FOUND:
                raise NotFoundError(f"{key} was written and does not exist") from error
            raise
    if mode is None:
        raise UnfitStoreError(
            f"the store {bucket.place} takes a retention and does not keep it",
            got="an object that may be deleted",
            expected="one kept by Object Lock",
            todo="Use a bucket with Object Lock, or no retention",
        )
