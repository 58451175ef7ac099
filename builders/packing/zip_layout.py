"""Zip files written again: deflate by declared parameters, another order, another alignment.

All else of a member stays as it is: its headers, fields, times and comments. Sizes and offsets
follow from what is written. Source: APPNOTE.TXT 6.3; the padding is that of zipalign, and of
apksigner, whose field 0xd935 holds the alignment (ApkSigner's `ZipUtils`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from builders.archives.limits import CHUNK, ArchiveError, ArchiveLimits, Budget
from builders.archives.zip_directory import LOCAL, find_directory, read_directory
from builders.packing.compress import deflated
from builders.packing.parameters import ZipAlignment, ZipPacking
from builders.packing.tar_order import ordered, piece

_CENTRAL, _END = 46, b"PK\x05\x06"
_DESCRIBED, DEFLATED = 1 << 3, 8
_SIGNED_DESCRIPTOR = b"PK\x07\x08"
_ALIGNED = 0xD935
MAX_REST = 1 << 20
"""Bytes between two members that are carried along: sizes, or padding."""
LIMITS = ArchiveLimits(members=100_000, unpacked=4 << 30, seconds=300)


@dataclass(frozen=True, kw_only=True)
class ZipMember:
    """A member: its record in the directory, its local header, and where its bytes are."""

    record: bytes
    header: bytes
    """Of 30 bytes."""
    name: bytes
    extra: bytes
    start: int
    """Of the local header."""
    data: int
    """Where its packed bytes begin."""
    packed: int
    end: int
    """Where the next one begins."""

    @property
    def path(self) -> str:
        """Return its path, each byte as one character."""
        return self.name.decode("latin-1")

    @property
    def method(self) -> int:
        """Return the number of its compression."""
        return int.from_bytes(self.header[8:10], "little")

    @property
    def described(self) -> bool:
        """Whether its sizes follow its bytes."""
        return bool(self.header[6] & _DESCRIBED)


@dataclass(frozen=True, kw_only=True)
class ZipFile:
    """The members of a zip in the order of its directory, and where that is."""

    members: tuple[ZipMember, ...]
    directory: int
    end: int
    size: int


def read_zip(file: BinaryIO) -> ZipFile:
    """Read where the members of a zip are; raises `ArchiveError`."""
    entries = read_directory(file, Budget(LIMITS))
    size = file.seek(0, 2)
    start, length, _ = find_directory(file, size)
    file.seek(start)
    records, end = file.read(length), file.read(len(_END))
    if end != _END:
        raise ArchiveError("a zip64 file is not packed again", got=f"{size} bytes")
    starts = sorted([*(entry.offset for entry in entries), start])
    after = dict(pairwise(starts))
    found, at = [], 0
    for entry in entries:
        name, extra, comment = struct.unpack_from("<HHH", records, at + 28)
        following = at + _CENTRAL + name + extra + comment
        file.seek(entry.offset)
        header = file.read(LOCAL.size)
        names, extras = struct.unpack_from("<HH", header.ljust(LOCAL.size, b"\0"), 26)
        local = file.read(names + extras)
        data = entry.offset + LOCAL.size + names + extras
        if data + entry.packed > after[entry.offset]:
            raise ArchiveError("a broken local header in a zip", got=repr(entry.name[:64]))
        found.append(
            ZipMember(
                record=records[at:following],
                header=header,
                name=local[:names],
                extra=local[names:],
                start=entry.offset,
                data=data,
                packed=entry.packed,
                end=after[entry.offset],
            )
        )
        at = following
    return ZipFile(members=tuple(found), directory=start, end=start + length, size=size)


def repacked_zip(file: BinaryIO, packing: ZipPacking) -> Iterator[bytes]:
    """Yield a zip with its members packed as declared; raises `ArchiveError`, `PackingError`."""
    found = read_zip(file)
    local, listed = sorted(found.members, key=lambda member: member.start), found.members
    if packing.order is not None:
        local = [local[i] for i in ordered([m.path for m in local], packing.order)]
        listed = tuple(listed[i] for i in ordered([m.path for m in listed], packing.order))
    at = min((member.start for member in local), default=found.directory)
    yield from piece(file, 0, at)
    records: dict[int, bytes] = {}
    for member in local:
        size, packed = member.packed, None
        if packing.encoder is not None and member.method == DEFLATED:
            packed = b"".join(deflated(content(file, member), packing.encoder))
            size = len(packed)
        header = _local_header(member, size, packing.alignment, at)
        records[member.start] = _record(member, size, at)
        yield header
        yield from [packed] if packed is not None else _packed(file, member)
        rest = _rest(file, member, size)
        yield rest
        at += len(header) + size + len(rest)
    yield from (records[member.start] for member in listed)
    end = b"".join(piece(file, found.end, found.size))
    yield end[:16] + struct.pack("<I", at) + end[20:]


def content(file: BinaryIO, member: ZipMember) -> Iterator[bytes]:
    """Yield the content of a deflated member; raises `ArchiveError`."""
    stream = zlib.decompressobj(-15)
    try:
        for data in _packed(file, member):
            more = stream.decompress(data, CHUNK)
            while more:
                yield more
                more = stream.decompress(stream.unconsumed_tail, CHUNK)
    except zlib.error as error:
        raise ArchiveError("a broken zip member", got=error) from error
    if not stream.eof or stream.unused_data:
        raise ArchiveError("a broken zip member", got="another end than its own")


def _packed(file: BinaryIO, member: ZipMember) -> Iterator[bytes]:
    return piece(file, member.data, member.data + member.packed)


def _local_header(member: ZipMember, size: int, alignment: ZipAlignment | None, at: int) -> bytes:
    """Return the local header at the offset `at`, with the name and the extra field."""
    extra, header = member.extra, bytearray(member.header)
    if alignment is not None:
        extra = _unpadded(extra)
        if member.method == 0:
            extra += _padding(at + LOCAL.size + len(member.name) + len(extra), member, alignment)
    if header[18:22] != bytes(4):
        header[18:22] = struct.pack("<I", size)
    header[28:30] = struct.pack("<H", len(extra))
    return bytes(header) + member.name + extra


def _unpadded(extra: bytes) -> bytes:
    """Return an extra field without what aligns the content."""
    kept, at = b"", 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 0 or at + 4 + length > len(extra):
            break
        if kind != _ALIGNED:
            kept += extra[at : at + 4 + length]
        at += 4 + length
    return kept


def _padding(data: int, member: ZipMember, alignment: ZipAlignment) -> bytes:
    """Return what follows the extra field, so that content at `data` or later is aligned."""
    size = alignment.bytes
    if alignment.libraries and member.name.endswith(b".so"):
        size = alignment.libraries
    if alignment.padding == "zeros":
        return bytes(-data % size)
    length = 2 + -(data + 6) % size
    return struct.pack("<HHH", _ALIGNED, length, size) + bytes(length - 2)


def _rest(file: BinaryIO, member: ZipMember, size: int) -> bytes:
    """Return what follows the packed bytes: sizes, where the member has them there."""
    start = member.data + member.packed
    if member.end - start > MAX_REST:
        raise ArchiveError("bytes between the members of a zip", got=member.end - start)
    rest = b"".join(piece(file, start, member.end))
    if not member.described:
        return rest
    at = 8 if rest.startswith(_SIGNED_DESCRIPTOR) else 4
    if rest[at : at + 4] != struct.pack("<I", member.packed):
        raise ArchiveError("a zip member without its sizes", got=repr(rest[:24]))
    return rest[:at] + struct.pack("<I", size) + rest[at + 4 :]


def _record(member: ZipMember, size: int, at: int) -> bytes:
    """Return the record of the directory for a member at the offset `at`."""
    record = member.record
    packed, offset = struct.pack("<I", size), struct.pack("<I", at)
    return record[:20] + packed + record[24:42] + offset + record[46:]
