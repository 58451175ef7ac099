"""The central directory of a zip, zip64 included: APPNOTE.TXT 6.3, sections 4.3.12 to 4.3.16.

Overlapping entries, with which a small zip can unpack to petabytes, are refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

from builders.archives.limits import ArchiveError, ArchiveLimitError, Budget
from builders.archives.streams import ByteReader, Slice

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s4x4H3L3H4xLL")
LOCAL = struct.Struct("<4s2x2H16x2H")
_BIG = 0xFFFFFFFF
_MAX_DIRECTORY = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectoryEntry:
    """What the directory declares about a member.

    `record` is the offset of that record, `stamp` the date and time in MS-DOS form.
    """

    record: int
    name: bytes
    flags: int
    packing: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    stamp: tuple[int, int]


def read_directory(stream: IO[bytes], budget: Budget) -> list[DirectoryEntry]:
    """Return the entries of a seekable zip in directory order; raises `ArchiveError`."""
    total = stream.seek(0, 2)
    start, size, count = find_directory(stream, total)
    if size > _MAX_DIRECTORY:
        raise ArchiveLimitError(
            "the directory of a zip archive is too large",
            got=f"{size} bytes",
            expected=f"at most {_MAX_DIRECTORY} bytes",
        )
    entries = _read_entries(stream, start, size, count, budget)
    _refuse_overlaps(entries, start)
    return entries


def find_directory(stream: IO[bytes], total: int) -> tuple[int, int, int]:
    """Return offset, size and number of entries of the central directory; raises `ArchiveError`."""
    tail_at = max(0, total - _END.size - 0xFFFF)
    stream.seek(tail_at)
    tail = stream.read(total - tail_at)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        expected = "one in the last 64 KiB"
        raise ArchiveError("truncated zip archive", got="no end record", expected=expected)
    _, disk, first, here, count, size, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        got = f"{len(tail) - at - _END.size} bytes of comment"
        raise broken_zip("end record", got=got, expected=comment)
    end_at = tail_at + at
    if wide := _find_zip64(stream, end_at):
        end_at, disk, first, here, count, size, start = wide
    if disk or first or here != count or start + size != end_at:
        got = f"a directory of {size} bytes at {start}"
        raise broken_zip("end record", got=got, expected=f"one on this disk that ends at {end_at}")
    return start, size, count


def _find_zip64(stream: IO[bytes], end_at: int) -> tuple[int, ...] | None:
    """Return the seven numbers of the zip64 end record, its offset first; None if it has none."""
    stream.seek(max(0, end_at - _LOCATOR.size))
    raw = stream.read(min(end_at, _LOCATOR.size))
    if len(raw) < _LOCATOR.size or not raw.startswith(b"PK\x06\x07"):
        return None
    offset = _LOCATOR.unpack(raw)[2]
    stream.seek(min(offset, end_at))
    raw = stream.read(_END64.size)
    if len(raw) < _END64.size or not raw.startswith(b"PK\x06\x06"):
        raise broken_zip("zip64 end record", got=repr(raw[:4]), expected="PK 06 06")
    return (offset, *_END64.unpack(raw)[4:])


def _read_entries(
    stream: IO[bytes], start: int, size: int, count: int, budget: Budget
) -> list[DirectoryEntry]:
    stream.seek(start)
    reader = ByteReader(Slice(ByteReader(stream), size, "zip directory"))
    entries = []
    for _ in range(count):
        budget.time()
        entry, length = _read_entry(reader, start)
        entries.append(entry)
        start += length
        budget.member()
    if reader.peek(1):
        raise broken_zip("directory", got="more bytes", expected=f"{count} entries")
    return entries


def _read_entry(reader: ByteReader, record: int) -> tuple[DirectoryEntry, int]:
    """Return the entry that comes next, at the offset `record`, and the bytes that it takes."""
    raw = reader.exactly(_CENTRAL.size, "zip directory")
    magic, flags, packing, at, on, crc, packed, size, name, extra, comment, external, offset = (
        _CENTRAL.unpack(raw)
    )
    if magic != b"PK\x01\x02":
        raise broken_zip("directory", got=repr(magic), expected="PK 01 02")
    path = reader.exactly(name, "zip name")
    wide = iter(_zip64_numbers(reader.exactly(extra, "zip extra field")))
    reader.exactly(comment, "zip comment")
    try:
        size = next(wide) if size == _BIG else size
        packed = next(wide) if packed == _BIG else packed
        offset = next(wide) if offset == _BIG else offset
    except StopIteration:
        raise broken_zip("zip64 field", got="too few numbers", expected="one a size") from None
    found = DirectoryEntry(
        record=record,
        name=path,
        flags=flags,
        packing=packing,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset,
        mode=external >> 16,
        stamp=(on, at),
    )
    return found, _CENTRAL.size + name + extra + comment


def _zip64_numbers(extra: bytes) -> tuple[int, ...]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + length]
            return struct.unpack_from(f"<{len(wide) // 8}Q", wide)
        at += 4 + length
    return ()


def _refuse_overlaps(entries: list[DirectoryEntry], end: int) -> None:
    at = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        after = entry.offset + LOCAL.size + len(entry.name) + entry.packed
        if entry.offset < at or after > end:
            got = f"offset {entry.offset}"
            raise broken_zip("entries overlap", got=got, expected=f"between {at} and {end}")
        at = after


def broken_zip(what: str, *, got: object, expected: object) -> ArchiveError:
    """Return the error for a zip that is not as its format demands."""
    return ArchiveError(f"broken zip archive: {what}", got=got, expected=expected)
