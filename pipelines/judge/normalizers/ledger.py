"""The ledger: every byte that was masked, and what replays it.

Reports hold these values, so nothing here imports what reads files.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, BinaryIO, Self

from pydantic import Field, model_validator

from builders.core.digest import CHUNK, Digest, canonical_json
from builders.core.frozen_model import FrozenModel
from builders.recipe.normalizers import MAX_MASKED, NormalizerName

Offset = Annotated[int, Field(ge=0, lt=1 << 53)]
FieldName = Annotated[str, Field(pattern="^[a-z][a-z-]{0,39}$")]
Members = Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=8)]
"""The path of a file inside of files: none is the artefact itself."""
MAX_DETAIL = 500


class MaskFault(StrEnum):
    """Why two files are not equal after the declared normalizers."""

    SIZES = "sizes-differ"
    TOO_MUCH = "too-much-masked"
    EXECUTABLE = "executable-code"
    CONTENT = "content"
    COMPRESSED = "compressed-content"
    """What is inside of a compression is not masked."""
    NAME = "name"
    TYPE = "type"
    MODE = "mode"
    OWNER = "owner"
    LAYOUT = "layout"
    """Sizes, offsets and checksums of members."""
    OUTSIDE = "outside-members"
    DUPLICATE = "duplicate-member"
    UNDECLARED = "undeclared-normalizer"
    """A normalizer knows the field, and the recipe does not declare it."""
    NOT_ALIKE = "fields-differ"
    """The same offset is in another field of the other file."""
    NO_SUCH_FIELD = "no-such-field"
    """What was said to be a field is not what such a field looks like."""
    UNREADABLE = "fields-unreadable"
    SIGNATURE = "signature"
    """A signature is pinned, and does not count."""
    UNLIKE = "bytes-differ"
    """Bytes differ that no field covers."""


class NotMasked(FrozenModel):
    """Why there is no ledger."""

    fault: MaskFault
    detail: Annotated[str, Field(max_length=MAX_DETAIL)]


class LedgerLine(FrozenModel):
    """One field that was masked; offsets and lengths are bytes of the artefact."""

    normalizer: NormalizerName
    version: Annotated[int, Field(ge=1)]
    """Of the normalizer."""
    members: Members
    field: FieldName
    offset: Offset
    length: Annotated[int, Field(ge=1, le=MAX_MASKED)]
    shipped: Digest
    rebuilt: Digest
    """Digests of these bytes on both sides."""
    data: Annotated[str, Field(pattern="^([0-9a-f]{2})+$", max_length=2 * MAX_MASKED)]
    """The bytes of the shipped file, which replay it."""
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    """Of the recipe."""
    signed: bool
    """Whether a verified signature of the vendor covers these bytes."""

    @model_validator(mode="after")
    def _data_is_shipped(self) -> Self:
        data = bytes.fromhex(self.data)
        if len(data) != self.length or Digest.of(data) != self.shipped:
            raise ValueError("the bytes of a ledger line are not those of its digest")
        return self


class MaskLedger(FrozenModel):
    """Everything by which the rebuilt file differs from the shipped one."""

    sha256: Digest
    """Of the rebuilt file with the lines replayed, which is that of the shipped one."""
    size: Offset
    lines: Annotated[tuple[LedgerLine, ...], Field(min_length=1, max_length=MAX_MASKED)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        at = 0
        for line in self.lines:
            if line.offset < at:
                raise ValueError("lines of a ledger overlap, or are out of order")
            at = line.offset + line.length
        if at > self.size or self.masked > MAX_MASKED:
            raise ValueError("a ledger masks bytes beyond the file, or too many")
        return self

    @property
    def masked(self) -> int:
        """How many bytes it masks."""
        return sum(line.length for line in self.lines)

    @property
    def bytes_by_normalizer(self) -> dict[NormalizerName, int]:
        """How many bytes each normalizer masks, by name in order."""
        sizes = Counter[NormalizerName]()
        for line in self.lines:
            sizes[line.normalizer] += line.length
        return dict(sorted(sizes.items()))

    def digest(self) -> Digest:
        """Return the digest of its canonical JSON, which the comparison statement names."""
        return Digest.of(canonical_json(self.model_dump(mode="json")))


def replayed(lines: tuple[LedgerLine, ...], rebuilt: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of the rebuilt file with those of the lines in place of its own.

    Raises ValueError where it has not the bytes that a line says it has.
    """
    rebuilt.seek(0)
    at = 0
    for line in lines:
        yield from _pieces(rebuilt, line.offset - at)
        if Digest.of(rebuilt.read(line.length)) != line.rebuilt:
            raise ValueError(f"the rebuilt file has other bytes at {line.offset}")
        yield bytes.fromhex(line.data)
        at = line.offset + line.length
    while data := rebuilt.read(CHUNK):
        yield data


def replay(lines: tuple[LedgerLine, ...], rebuilt: BinaryIO) -> tuple[Digest, int]:
    """Return digest and size in bytes of the rebuilt file with the lines replayed."""
    digest, size = hashlib.sha256(), 0
    for data in replayed(lines, rebuilt):
        digest.update(data)
        size += len(data)
    return Digest(digest.hexdigest()), size


def _pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0:
        data = file.read(min(CHUNK, length))
        if not data:
            raise ValueError("the rebuilt file ends before a line of the ledger")
        yield data
        length -= len(data)
