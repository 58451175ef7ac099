"""Metadata of The Update Framework as text, as values, and as the bytes that are signed.

What python-tuf makes is read alike; it is no part of the jail, because its keys bring clients of
networks along. A field that is there twice, which JSON allows, is refused.
Source: specification 1.0, "File formats"; canonical JSON as securesystemslib encodes it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field

from builders.core.escaping import escaped
from builders.core.frozen_model import duplicate
from pipelines.judge.signatures.left_out import MAX_TUF
from pipelines.judge.signatures.signature_format import unreadable

_Hex = Annotated[str, Field(pattern="^[0-9a-f]*$")]
_Version = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    """A part with fields of its own, and any others."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    @property
    def others(self) -> dict[str, Any]:
        """The fields that no specification knows."""
        return self.model_extra or {}


class TufSignature(_Part):
    """A signature, and the name of its key."""

    keyid: _Hex
    sig: _Hex


class TufTarget(_Part):
    """What targets say of a file."""

    length: Annotated[int, Field(ge=0)]
    hashes: Annotated[dict[str, str], Field(min_length=1)]


class TufMeta(_Part):
    """What a snapshot or a timestamp says of metadata."""

    version: _Version
    length: Annotated[int, Field(ge=0)] | None = None
    hashes: dict[str, str] | None = None


class TufSigned(_Part):
    """What is signed, of any role."""

    role: Annotated[str, Field(alias="_type")]
    spec_version: Annotated[str, Field(pattern=r"^1\.")]
    version: _Version
    expires: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]

    @property
    def expires_on(self) -> datetime:
        """When it expires, in UTC; raises ValueError where there is no such time."""
        return datetime.fromisoformat(self.expires)


class TufTargets(TufSigned):
    """Files, and who else may list some."""

    role: Literal["targets"] = Field(alias="_type")
    targets: dict[str, TufTarget]
    delegations: dict[str, Any] | None = None


class TufListing(TufSigned):
    """Metadata that lists metadata."""

    role: Literal["snapshot", "timestamp"] = Field(alias="_type")
    meta: dict[str, TufMeta]


class TufRoot(TufSigned):
    """Keys of roles, which are not asked: the recipe pins them."""

    role: Literal["root"] = Field(alias="_type")


class TufMetadata(BaseModel):
    """Signatures, and what they sign."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    signatures: list[TufSignature]
    signed: Annotated[TufTargets | TufListing | TufRoot, Field(discriminator="role")]


def read_metadata(file: BinaryIO) -> tuple[TufMetadata, bytes]:
    """Return metadata of any role, and the bytes that are signed; raises `BadSignatureError`."""
    file.seek(0)
    data = file.read(MAX_TUF + 1)
    if len(data) > MAX_TUF:
        raise unreadable(f"more than {MAX_TUF} bytes of metadata")
    try:
        value = json.loads(data, object_pairs_hook=_without_duplicates)
        return TufMetadata.model_validate(value), canonical(value["signed"]).encode()
    except (ValueError, RecursionError) as error:
        raise unreadable(f"no metadata of TUF: {escaped(str(error)):.200}") from error


def canonical(value: Any) -> str:
    """Return the canonical JSON that is signed: no blanks, sorted names, two characters escaped.

    Raises ValueError for a number that is not whole.
    """
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list():
            return "[" + ",".join(map(canonical, value)) + "]"
        case dict():
            parts = (f"{canonical(name)}:{canonical(value[name])}" for name in sorted(value))
            return "{" + ",".join(parts) + "}"
        case _:
            raise ValueError(f"a number that is not whole: {value!a:.40}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := duplicate(name for name, _ in pairs):
        raise ValueError(f"the field {twice!a:.100} is there twice")
    return dict(pairs)
