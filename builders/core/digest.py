"""Digests as values, and the canonical JSON that is hashed and signed.

A `Digest` always holds 64 hexadecimal digits, so code that takes one need not check it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import rfc8785
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

CHUNK = 1 << 20
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True, slots=True)
class Digest:
    """A SHA-256 digest; `hex` is 64 lower-case hexadecimal digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            expected = "expected 64 lower-case hex digits"
            raise ValueError(f"not a SHA-256 digest: got {self.hex[:80]!r}, {expected}")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `<hex>` or `sha256:<hex>`."""
        return cls(text.removeprefix("sha256:"))

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """Hash `data`."""
        return cls(hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        """Return the plain hexadecimal digits, as `sha256sum` prints them."""
        return self.hex

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Let pydantic read a digest from text and write it as text."""
        return core_schema.no_info_plain_validator_function(
            cls._read, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe a digest in JSON Schema."""
        return {
            "type": "string",
            "description": "A SHA-256 digest: 64 lower-case hex digits, as sha256sum prints them.",
            "pattern": "^(sha256:)?[0-9a-f]{64}$",
        }

    @classmethod
    def _read(cls, value: object) -> Digest:
        if isinstance(value, cls):
            return value
        try:
            if isinstance(value, str):
                return _parsed(value)
        except ValueError:
            pass
        raise ValueError("expected a SHA-256 digest: 64 lower-case hex digits")


@lru_cache(maxsize=256)  # the statements of one release name the same few
def _parsed(text: str) -> Digest:
    return Digest.parse(text)


def chunks(stream: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    """Yield the rest of `stream` in pieces of at most `size` bytes."""
    while piece := stream.read(size):
        yield piece


def digest_stream(stream: BinaryIO) -> Digest:
    """Hash the rest of `stream`, in constant memory."""
    hasher = hashlib.sha256()
    for piece in chunks(stream):
        hasher.update(piece)
    return Digest(hasher.hexdigest())


def digest_file(path: Path) -> Digest:
    """Hash the file at `path`, in constant memory."""
    with path.open("rb", buffering=0) as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def keyed_digest(key: bytes, path: Path) -> Digest:
    """HMAC-SHA256 (RFC 2104) of the file at `path`."""
    with path.open("rb") as stream:
        return keyed_digest_stream(key, stream)


def keyed_digest_stream(key: bytes, stream: BinaryIO) -> Digest:
    """HMAC-SHA256 (RFC 2104) of all that is left in `stream`."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for piece in chunks(stream):
        mac.update(piece)
    return Digest(mac.hexdigest())


def canonical_json(value: Any) -> bytes:
    """Return the canonical JSON (RFC 8785) of `value`: the form that is hashed or signed."""
    return rfc8785.dumps(value)


def canonical_plain_json(value: Any) -> bytes:
    """Return the same, in a fifth of the time, of a value all of whose numbers are plain.

    These are whole and below 2^53: of others this is not the canonical form.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode() if text.isascii() else canonical_json(value)
