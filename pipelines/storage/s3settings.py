"""Settings of a store in S3: where it is, and what the center requires of it.

Endpoint, region and credentials come from the usual AWS configuration (environment, profiles);
these values hold no secret, so that they can be part of a center's file.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from pipelines.storage.names import Visibility

SCHEME = "s3://"
MAX_PREFIX = 120
"""Bytes of a prefix: with `names.MAX_KEY` it stays below the 1024 bytes that S3 takes."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class Requirement(StrEnum):
    """What a center may require of a server; without it nothing is written."""

    CONDITIONAL_WRITES = "conditional-writes"
    VERSIONING = "versioning"
    OBJECT_LOCK = "object-lock"


class Retention(FrozenModel):
    """Object Lock: for how long, and in which mode, each object is protected from deletion."""

    mode: Literal["governance", "compliance"]
    days: Annotated[int, Field(ge=1, le=36_500)]


class S3Place(FrozenModel):
    """A bucket, or a folder of it, and the profile with its credentials."""

    bucket: str
    prefix: str = ""
    """Without slashes at its ends; empty for the whole bucket."""
    profile: str | None = None
    """Name of a profile of the AWS configuration; None takes the default credentials."""

    @classmethod
    def parse(cls, url: str, profile: str | None = None) -> S3Place:
        """Read `s3://bucket` or `s3://bucket/prefix`; raises `UsageError`."""
        bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        prefix = prefix.removesuffix("/")
        good = url.startswith(SCHEME) and _BUCKET.fullmatch(bucket)
        if not good or (prefix and not (_PREFIX.fullmatch(prefix) and len(prefix) <= MAX_PREFIX)):
            raise UsageError(
                "not the address of a store in S3",
                got=ascii(url[:200]),
                expected=f"s3://bucket or s3://bucket/prefix, the prefix at most {MAX_PREFIX} bytes"
                " of letters, digits, - _ . and slashes",
            )
        return cls(bucket=bucket, prefix=prefix, profile=profile)

    def name(self, key: str) -> str:
        """Return the name in the bucket of the object `key`."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def __str__(self) -> str:
        """Return it as it is written: `s3://bucket/prefix`."""
        return f"{SCHEME}{self.bucket}/{self.prefix}".removesuffix("/")


def _address(text: str) -> str:
    try:
        return str(S3Place.parse(text))
    except UsageError as error:
        raise ValueError(str(error)) from error


Address = Annotated[str, AfterValidator(_address)]


class S3Profiles(FrozenModel):
    """Profiles of the AWS configuration."""

    public: str | None = None
    private: str | None = None


class S3Settings(FrozenModel):
    """A store in S3, as the mapping `store` of a center's file gives it."""

    url: Address | None = None
    """Place of both parts; else `public` and `private` are given."""
    public: Address | None = None
    private: Address | None = None
    profiles: S3Profiles = S3Profiles()
    retention: Retention | None = None
    require: tuple[Requirement, ...] = ()

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.url is None) != (self.public is not None and self.private is not None) or (
            self.url is not None and (self.public or self.private)
        ):
            message = "expected either `url`, or both `public` and `private`"
            raise ValueError(message)
        return self

    def place(self, visibility: Visibility) -> S3Place:
        """Return the place of the public or the private part."""
        if visibility is Visibility.PUBLIC:
            return S3Place.parse(self.url or self.public or "", self.profiles.public)
        return S3Place.parse(self.url or self.private or "", self.profiles.private)

    def __str__(self) -> str:
        """Return the addresses, for messages."""
        return self.url or f"{self.public} and {self.private}"
