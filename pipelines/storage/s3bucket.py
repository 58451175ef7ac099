"""One S3 place: its objects, their versions, and the atomic creation of an object.

Where the bucket keeps versions, readers get the oldest version of an object: newer ones and delete
markers are ignored. Where it keeps none, a reader accepts only the entity tag that it saw first.
Of the object that is replaced (`names.is_mutable`) readers get the newest version.
"""

from __future__ import annotations

import random
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from itertools import groupby, takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import ClientError

from builders.core.errors import StoreError, UsageError
from pipelines.storage import names
from pipelines.storage.s3client import SuppressStatus, checked, code, explained, status
from pipelines.storage.s3settings import Retention, S3Place
from pipelines.storage.store import DamagedError, not_found

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_TRIES = 9  # of a creation in conflict with another: waits of 0.05 s, doubled, 12 s in all
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # between looks at an object that is being replaced
_PINS = 4096


@dataclass(frozen=True, kw_only=True)
class Found:
    """The version of an object that readers get."""

    id: str | None
    """None where the bucket keeps no versions."""
    etag: str
    size: int


class Bucket:
    """The objects below one place; safe for threads."""

    def __init__(self, client: S3Client, place: S3Place, retention: Retention | None) -> None:
        """Use `client` for `place`; nothing is sent yet."""
        self.client = client
        self.place = place
        self.retention = retention
        self.conditional = True
        """Whether the server honours `If-None-Match`; `probe` finds it out."""
        self._pins: OrderedDict[str, Found] = OrderedDict()

    @cached_property
    def versioning(self) -> str:
        """`enabled`, `suspended`, `off`, or `unknown` when these credentials may not ask."""
        with explained("cannot read the configuration of the bucket", self.place):
            try:
                answer = self.client.get_bucket_versioning(Bucket=self.place.bucket)
            except ClientError as error:
                if status(error) == HTTPStatus.FORBIDDEN and code(error) == "AccessDenied":
                    return "unknown"
                raise
        return str(answer.get("Status", "off")).lower()

    @property
    def versioned(self) -> bool:
        """Whether objects may have more than one version."""
        return self.versioning in {"enabled", "suspended"}

    @cached_property
    def locked(self) -> bool:
        """Whether Object Lock is on in the bucket; False too when these credentials may not ask."""
        with explained("cannot read the configuration of the bucket", self.place):
            try:
                answer = self.client.get_object_lock_configuration(Bucket=self.place.bucket)
            except ClientError as error:
                if status(error) >= 500:
                    raise
                return False
        return answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def target(self, key: str) -> dict[str, Any]:
        """Return the request fields that name an object."""
        return {"Bucket": self.place.bucket, "Key": self.place.name(key)}

    def retention_fields(self) -> dict[str, Any]:
        """Return the request fields that protect a new object from being deleted."""
        if self.retention is None:
            return {}
        until = datetime.now(UTC) + timedelta(days=self.retention.days)
        return {
            "ObjectLockMode": self.retention.mode.upper(),
            "ObjectLockRetainUntilDate": until,
        }

    def find(self, key: str) -> Found | None:
        """Ask for the version of `key` that readers get; raises `DamagedError` if it changed."""
        with explained(f"cannot read {key}", self.place):
            if self.versioned:
                found = next((f for k, f in self._oldest(self.place.name(key), exact=True)), None)
            else:
                found = self._head(key)
        return None if found is None else self._pin(key, found)

    def open(self, key: str) -> BinaryIO:
        """Return `key` as a checked stream; raises `NotFoundError`, `DamagedError`."""
        oldest = self.versioned and not names.is_mutable(key)  # names a missing bucket first
        pinned = self._pins.get(key) or (self.find(key) if oldest else None)
        if pinned is None and oldest:
            raise not_found(key)
        wanted: dict[str, Any] = {"VersionId": pinned.id} if pinned and pinned.id else {}
        with explained(f"cannot read {key}", self.place):
            try:
                answer = self._get(key, wanted)
            except ClientError as error:
                if not _is_missing(error):
                    raise
                if pinned:
                    raise _changed(key, "none", pinned) from error
                raise not_found(key) from error
        version = pinned.id if pinned else None
        found = Found(id=version, etag=answer["ETag"], size=answer["ContentLength"])
        try:
            self._pin(key, found)
        except DamagedError:
            answer["Body"].close()
            raise
        return checked(answer["Body"], key, found.size, self.place)

    def _get(self, key: str, wanted: dict[str, Any]) -> Any:
        """Ask for an object, and again where the newest version is missing but older ones are not.

        Ceph loses sight of the newest one for a moment while several are written at once.
        """
        for pause in (*_PAUSES, None):
            try:
                return self.client.get_object(**self.target(key), **wanted)
            except ClientError as error:
                replaced = self.versioned and not wanted and _is_missing(error)
                if pause is None or not replaced or self.find(key) is None:
                    raise
            time.sleep(pause)
        return None

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below `prefix` in order; names that are no keys are skipped."""
        below = self.place.name(prefix)
        with explained(f"cannot list {prefix}", self.place):
            found = self._oldest(below) if self.versioned else self._current(below)
            for name, version in found:
                key = name[len(below) - len(prefix) :]
                try:
                    names.check_key(key)
                except UsageError:
                    continue
                if version:
                    self._remember(key, version)
                yield key

    def create(self, key: str, data: bytes) -> bool:
        """Create an object in one step; False when it exists.

        Of racing writers exactly one gets True if the server honours `If-None-Match`, or keeps
        versions (Ceph 18 ignores the condition in buckets that do): then it is the writer of the
        oldest version. Raises `StoreError` when conflicts with other writers do not end.
        """
        with explained(f"cannot write {key}", self.place):
            if not self.conditional and self.find(key):
                return False
            for attempt in range(_TRIES):
                answer = self._put(key, data, conditional=self.conditional)
                if answer is not None:
                    return self._is_oldest(key, answer)
                if self.find(key):
                    return False
                time.sleep(random.uniform(0.5, 1) * 0.05 * 2**attempt)  # noqa: S311
        raise self._conflict(key)

    def replace(self, key: str, data: bytes) -> None:
        """Write an object in place of the one that is there."""
        with explained(f"cannot write {key}", self.place):
            if self._put(key, data, conditional=False) is None:
                raise self._conflict(key)

    def remove(self, key: str) -> None:
        """Remove an object with all its versions, if it exists."""
        target = self.target(key)
        with explained(f"cannot remove {key}", self.place):
            if self.versioned:
                listed = self.entries("list_object_versions", "Versions", target["Key"])
                found = takewhile(lambda one: one["Key"] == target["Key"], listed)
                for version in [one["VersionId"] for one in found]:
                    self.client.delete_object(**target, VersionId=version)
            else:
                self.client.delete_object(**target)

    def _conflict(self, key: str) -> StoreError:
        return StoreError(
            f"cannot write {key} in the store {self.place}",
            got="a conflict with another writer",
            expected="one writer that the server accepts",
            todo="Run again; if it fails again, check the server",
        )

    def _put(self, key: str, data: bytes, *, conditional: bool) -> str | None:
        """Send an object; returns its version (may be empty), or None on a conflict."""
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if conditional else {}
        with SuppressStatus(HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT):
            answer = self.client.put_object(
                **self.target(key), Body=data, **condition, **self.retention_fields()
            )
            return answer.get("VersionId", "")
        return None

    def _is_oldest(self, key: str, version: str) -> bool:
        """Say whether the version just written is the oldest; a delete marker may hide others."""
        if not self.versioned:
            return True
        found = self.find(key)
        return found is not None and found.id == (version or "null")

    def _head(self, key: str) -> Found | None:
        with SuppressStatus(HTTPStatus.NOT_FOUND):
            answer = self.client.head_object(**self.target(key))
            return Found(id=None, etag=answer["ETag"], size=answer["ContentLength"])
        return None

    def entries(
        self, operation: str, field: str, below: str, *, page: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Yield the entries of a listing of the names that start with `below`, in order."""
        paginator = self.client.get_paginator(cast("Any", operation))
        config = {"PageSize": page}
        for answer in paginator.paginate(
            Bucket=self.place.bucket, Prefix=below, PaginationConfig=config
        ):
            yield from answer.get(field, [])

    def _current(self, below: str) -> Iterator[tuple[str, None]]:
        return ((e["Key"], None) for e in self.entries("list_objects_v2", "Contents", below))

    def _oldest(self, below: str, *, exact: bool = False) -> Iterator[tuple[str, Found]]:
        """Yield each name once, with its oldest version: S3 lists the newest first.

        `exact` ends after the versions of `below` itself.
        """
        listed = self.entries("list_object_versions", "Versions", below, page=20 if exact else 1000)
        for name, versions in groupby(listed, key=itemgetter("Key")):
            if exact and name != below:
                return
            (oldest,) = deque(versions, maxlen=1)
            yield name, Found(id=oldest["VersionId"], etag=oldest["ETag"], size=oldest["Size"])

    def _pin(self, key: str, found: Found) -> Found:
        """Check that `found` is the version seen first; raises `DamagedError`."""
        pinned = self._remember(key, found)
        same = pinned.id == found.id and pinned.etag.strip('"') == found.etag.strip('"')
        if not same and names.content_digest(key) is None:
            raise _changed(key, _name(found), pinned)
        return found

    def _remember(self, key: str, found: Found) -> Found:
        if names.is_mutable(key) or names.is_removable(key):
            return found
        pinned = self._pins.setdefault(key, found)
        with suppress(KeyError):  # another thread may have dropped it
            self._pins.move_to_end(key)
            if len(self._pins) > _PINS:
                self._pins.popitem(last=False)
        return pinned


def _is_missing(error: ClientError) -> bool:
    return status(error) == HTTPStatus.NOT_FOUND and code(error) != "NoSuchBucket"


def _name(found: Found) -> str:
    return f"version {found.id}" if found.id else f"entity tag {found.etag}"


def _changed(key: str, got: str, pinned: Found) -> DamagedError:
    return DamagedError(
        f"{key} is no longer the object that was read first",
        got=got,
        expected=_name(pinned),
        todo="It was replaced or deleted in the bucket: find out by whom",
    )
