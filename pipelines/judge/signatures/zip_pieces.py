"""Pieces of splice plans for zip archives, which are made here and not by who plans.

An archive gets signature files of another one: its local records and those in its directory stay
as they are, but for alignment padding and for offsets. Both follow from our bytes and from where
they come to stand, so a plan names the places only. What is taken from the shipped file has to be
a record whose name is that of a signature file, or a signing block before the directory. It stands
between entries of ours, which our directory tells apart. So each other entry of the archive that is
made is ours, whatever a plan says.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, BinaryIO, Literal

from pydantic import Field

from builders.core.frozen_model import FrozenModel
from pipelines.judge.signatures.left_out import read_at

_LOCAL, _CENTRAL, _END, _DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08"
_HAS_DESCRIPTOR = 8
_LOCAL_SIZE, _CENTRAL_SIZE, _END_SIZE = 30, 46, 22
_MAX_DIRECTORY = 32 << 20
_MAX_PADDING = 4095
_ALIGNMENT = 0xD935
"""The extra field that states an alignment: its number, then zeros."""
_BLOCK_END = b"APK Sig Block 42"

_Offset = Annotated[int, Field(ge=0, le=1 << 62)]
_Length = Annotated[int, Field(ge=1, le=1 << 62)]


class Aligned(FrozenModel):
    """A local header of ours, with padding that aligns the content."""

    source: Literal["aligned"] = "aligned"
    offset: _Offset
    length: _Length
    """Up to the content."""
    alignment: Literal[4, 4096, 8192, 16384]
    stated: bool
    """Whether an extra field states the alignment, or there are plain zeros."""


class Directory(FrozenModel):
    """Records of our directory, with the offsets of the local records made anew."""

    source: Literal["directory"] = "directory"
    offset: _Offset
    length: Annotated[int, Field(ge=1, le=_MAX_DIRECTORY)]


class Dropped(FrozenModel):
    """A record of ours that one of the shipped file stands for."""

    source: Literal["dropped"] = "dropped"
    offset: _Offset
    length: Annotated[int, Field(ge=1, le=1 << 20)]


class Padding(FrozenModel):
    """Zeros before a signing block."""

    source: Literal["padding"] = "padding"
    length: Annotated[int, Field(ge=1, le=_MAX_PADDING)]


class End(FrozenModel):
    """Our end record, with count, size and place of the directory made anew."""

    source: Literal["end"] = "end"
    offset: _Offset
    length: Literal[22] = 22


ZipPiece = Aligned | Directory | Dropped | Padding | End


@dataclass(frozen=True, kw_only=True)
class ZipLimits:
    """What a plan for zip archives may take and drop: names of entries, as regular expressions."""

    taken: str
    dropped: str = r"(?!)"
    block: bool = False
    """Whether there may be a signing block before the directory."""


class ZipError(ValueError):
    """A plan that does not fit these archives."""


@dataclass(kw_only=True)
class ZipMaker:
    """Makes the pieces of one plan, which come in order."""

    own: BinaryIO
    shipped: BinaryIO
    limits: ZipLimits
    _kept: list[tuple[int, int, int]] = field(default_factory=list)
    """Where bytes of ours begin, where they stand now, and how many they are."""
    _taken: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """Name and end of local records that were taken, by place."""
    _own_end: int = 0
    """Where the bytes of ours end that were used so far."""
    _between: set[int] = field(default_factory=set)
    """Where in our file records were taken, which has to be between entries."""
    _last: set[int] = field(default_factory=set)
    """Where in our file padding or a signing block are, which has to be after all entries."""
    _whole: dict[int, int | None] = field(default_factory=dict)
    """Where entries of ours begin that were dropped, and where they end; None for aligned ones."""
    _own_directory: tuple[int, int] | None = None
    """Where our directory begins and ends."""
    _directory: int | None = None
    _first_record: int | None = None
    """Where our own directory begins."""
    _records: int = 0
    """Of the directory that is made."""
    _own_records: int = 0
    _block_end: int | None = None
    _done: bool = False

    def keep(self, offset: int, length: int, at: int) -> None:
        """Note bytes of ours that come to stand at `at`."""
        if self._directory is not None or self._block_end is not None:
            raise ZipError("bytes of ours after the entries that are no directory")
        self._kept.append((offset, at, length))
        self._own_end = offset + length

    def take(self, offset: int, length: int) -> None:
        """Require that bytes of the shipped file are what may be taken from it."""
        head = read_at(self.shipped, offset, min(length, _CENTRAL_SIZE))
        if self._done:
            raise ZipError("bytes taken after the end record")
        if self._directory is None and head[:4] == _LOCAL and length >= _LOCAL_SIZE:
            name = _name(self.shipped, offset, head, 26, _LOCAL_SIZE)
            self._match(self.limits.taken, name)
            self._taken[offset] = name, offset + length
            self._between.add(self._own_end)
        elif head[:4] == _CENTRAL and length == _record_size(head):
            self._begin_directory(offset)
            name = _name(self.shipped, offset, head, 28, _CENTRAL_SIZE)
            taken = self._taken.pop(int.from_bytes(head[42:46], "little"), None)
            if taken is None or taken[0] != name:
                raise ZipError("a record taken for an entry that is not taken")
            if taken[1] != _local_end(self.shipped, head):
                raise ZipError("an entry taken that does not end where its record says")
            self._records += 1
        elif self.limits.block and self._directory is None and self._block_end is None:
            size = length - 8
            tail = read_at(self.shipped, offset + length - 24, 24)
            if length < 32 or tail != head[:8] + _BLOCK_END or head[:8] != struct.pack("<Q", size):
                raise ZipError("bytes taken that are neither a record nor a signing block")
            self._block_end = offset + length
            self._last.add(self._own_end)
        else:
            raise ZipError("bytes taken that are no record")

    def make(self, piece: ZipPiece, at: int) -> bytes:
        """Return the bytes of a piece that comes to stand at `at`."""
        match piece:
            case Padding():
                if self._directory is not None or self._block_end is not None:
                    raise ZipError("padding that is not before a signing block")
                self._last.add(self._own_end)
                return bytes(piece.length)
            case Dropped():
                self._drop(piece)
                return b""
            case Aligned():
                self.keep(piece.offset, piece.length, at)
                return self._aligned(piece, at)
            case Directory():
                self._begin_directory(at, piece.offset)
                return self._rewritten(read_at(self.own, piece.offset, piece.length))
            case End():
                return self._end(piece, at)

    def finish(self) -> None:
        """Require that the archive came to its end, and that our entries are whole in it."""
        if self._own_directory is None:
            raise ZipError("an archive without an end record")
        records = dict(self._own_entries(*self._own_directory))
        if self._between - {*records, *records.values(), 0}:
            raise ZipError("an entry taken that would be within one of ours")
        if self._last - {self._own_directory[0]}:
            raise ZipError("a signing block or padding that is not after our last entry")
        for start, end in self._whole.items():
            if start not in records or end not in (None, records[start]):
                raise ZipError("padding for, or dropped, what is no whole entry of ours")

    def _own_entries(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield begin and end of each local record of ours, by the directory that is there."""
        found = []
        at = begin
        while at < end:
            head = read_at(self.own, at, _CENTRAL_SIZE)
            at += _record_size(head)
            found.append((int.from_bytes(head[42:46], "little"), _local_end(self.own, head)))
        last = 0
        for one in sorted(found):
            if not last <= one[0] < one[1] <= begin:
                raise ZipError("entries of ours that overlap")
            last = one[1]
            yield one

    def _begin_directory(self, at: int, own: int | None = None) -> None:
        if self._directory is None:
            if self._block_end not in (None, at):
                raise ZipError("something between a signing block and the directory")
            self._directory = at
        if self._first_record is None:
            self._first_record = own

    def _drop(self, piece: Dropped) -> None:
        head = read_at(self.own, piece.offset, min(piece.length, _CENTRAL_SIZE))
        if head[:4] == _LOCAL and self._directory is None and piece.length >= _LOCAL_SIZE:
            name = _name(self.own, piece.offset, head, 26, _LOCAL_SIZE)
            self._whole[piece.offset] = self._own_end = piece.offset + piece.length
        elif head[:4] == _CENTRAL and piece.length == _record_size(head):
            name = _name(self.own, piece.offset, head, 28, _CENTRAL_SIZE)
            self._own_records += 1
            if self._first_record is None:
                self._first_record = piece.offset
        else:
            raise ZipError("something dropped that is no record")
        self._match(self.limits.dropped, name)

    def _aligned(self, piece: Aligned, at: int) -> bytes:
        head = read_at(self.own, piece.offset, piece.length)
        if len(head) < _LOCAL_SIZE or head[:4] != _LOCAL:
            raise ZipError("padding for something that is no local header")
        name, extra = struct.unpack_from("<HH", head, 26)
        if piece.length != _LOCAL_SIZE + name + extra:
            raise ZipError("padding for a local header of another length")
        self._whole[piece.offset] = None
        before = _LOCAL_SIZE + name
        made = aligned_extra(head[before:], at + before, piece.alignment, stated=piece.stated)
        return head[:28] + struct.pack("<H", len(made)) + head[30:before] + made

    def _rewritten(self, data: bytes) -> bytes:
        made, at = bytearray(data), 0
        while at < len(made):
            head = bytes(made[at : at + _CENTRAL_SIZE])
            if head[:4] != _CENTRAL or at + _record_size(head) > len(made):
                raise ZipError("a directory with something else in it")
            local = int.from_bytes(head[42:46], "little")
            made[at + 42 : at + 46] = self._moved(local).to_bytes(4, "little")
            self._records += 1
            self._own_records += 1
            at += _record_size(head)
        return bytes(made)

    def _moved(self, local: int) -> int:
        found = bisect_right(self._kept, (local, 1 << 63, 0)) - 1
        if found >= 0:
            offset, at, length = self._kept[found]
            moved = local - offset + at
            if local + _LOCAL_SIZE <= offset + length and moved < 0xFFFFFFFF:
                return moved
        raise ZipError("a record of ours whose entry is not there")

    def _end(self, piece: End, at: int) -> bytes:
        head = read_at(self.own, piece.offset, _END_SIZE)
        disks, here, count, size, directory, comment = struct.unpack("<4xIHHIIH", head)
        if head[:4] != _END or disks or comment or self._directory is None or self._taken:
            raise ZipError("an end record that is none, or that has entries without a record")
        if (here, count) != (self._own_records, here) or (
            count and directory != self._first_record
        ):
            raise ZipError("a directory of ours that is not used whole")
        if directory + size != piece.offset or self._records >= 0xFFFF or self._done:
            raise ZipError("a directory of ours that does not end where its end begins")
        self._done = True
        self._own_directory = directory, piece.offset
        numbers = (self._records, self._records, at - self._directory, self._directory)
        return head[:8] + struct.pack("<HHII", *numbers) + head[20:]

    def _match(self, pattern: str, name: bytes) -> None:
        if not re.fullmatch(pattern, name.decode("latin-1")):
            raise ZipError(f"an entry {ascii(name)[:100]}, which has to be ours")


def aligned_extra(extra: bytes, at: int, alignment: int, *, stated: bool) -> bytes:
    """Return an extra field at `at` of a file, with padding after which content is aligned.

    The padding that it has is left out: fields of zeros, and the field that states an alignment.
    Raises `ZipError` where it is no list of fields.
    """
    kept, rest = b"", extra
    while len(rest) >= 4:
        kind, size = struct.unpack_from("<HH", rest)
        if size > len(rest) - 4:
            break
        if kind != _ALIGNMENT and (kind or size):
            kept += rest[: 4 + size]
        rest = rest[4 + size :]
    if any(rest):
        raise ZipError("an extra field that is no list of fields")
    least = at + len(kept) + (6 if stated else 0)
    zeros = bytes(-least % alignment)
    head = struct.pack("<HHH", _ALIGNMENT, 2 + len(zeros), alignment) if stated else b""
    made = kept + head + zeros
    if len(made) > 0xFFFF:
        raise ZipError("an extra field that has no place for padding")
    return made


def _record_size(head: bytes) -> int:
    if len(head) < _CENTRAL_SIZE:
        raise ZipError("a record that ends early")
    name, extra, comment = struct.unpack_from("<HHH", head, 28)
    return _CENTRAL_SIZE + int(name + extra + comment)


def _local_end(file: BinaryIO, record: bytes) -> int:
    """Return where the local record ends that a record of a directory is for."""
    (flags,) = struct.unpack_from("<H", record, 8)
    (packed,) = struct.unpack_from("<I", record, 20)
    local = int.from_bytes(record[42:46], "little")
    head = read_at(file, local, _LOCAL_SIZE)
    if len(head) < _LOCAL_SIZE or head[:4] != _LOCAL:
        raise ZipError("a record whose entry is not there")
    name, extra = struct.unpack_from("<HH", head, 26)
    end = int(local + _LOCAL_SIZE + name + extra + packed)
    if flags & _HAS_DESCRIPTOR:
        end += 16 if read_at(file, end, 4) == _DESCRIPTOR else 12
    return end


def _name(file: BinaryIO, offset: int, head: bytes, field_at: int, size: int) -> bytes:
    """Return the name in a record with its length at `field_at` and itself after `size` bytes."""
    return read_at(file, offset + size, int.from_bytes(head[field_at : field_at + 2], "little"))
