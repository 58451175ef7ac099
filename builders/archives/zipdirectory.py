"""The central directory of a zip: APPNOTE.TXT 6.3, sections 4.3.12 to 4.3.16, zip64 included.

Entries that overlap, the trick of the great zip bombs, are refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

from builders.archives.limits import ArchiveError, ArchiveLimitError, Budget
from builders.archives.streams import Part, Reader

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s4x4H3L3H4xLL")
LOCAL = struct.Struct("<4s2x2H16x2H")
_BIG = 0xFFFFFFFF
_MAX_DIRECTORY = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row: what the directory says of a member; `stamp` is its date and time, MS-DOS form."""

    name: bytes
    flags: int
    packing: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    stamp: tuple[int, int]


def directory(stream: IO[bytes], budget: Budget) -> list[Row]:
    """Return the rows of a seekable zip, in their order; raises `ArchiveError`."""
    total = stream.seek(0, 2)
    start, size, count = _find_directory(stream, total)
    if size > _MAX_DIRECTORY:
        raise ArchiveLimitError(
            "a zip archive with too large a directory",
            got=f"{size} bytes",
            expected=f"at most {_MAX_DIRECTORY} bytes",
        )
    rows = _read_rows(stream, start, size, count, budget)
    _refuse_overlaps(rows, start)
    return rows


def _find_directory(stream: IO[bytes], total: int) -> tuple[int, int, int]:
    """Return offset, size and rows of the central directory."""
    tail_at = max(0, total - _END.size - 0xFFFF)
    stream.seek(tail_at)
    tail = stream.read(total - tail_at)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ArchiveError(
            "truncated zip archive", got="no end record", expected="one in its last 64 KiB"
        )
    _, disk, first, here, count, size, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise ArchiveError(
            "broken zip archive: end record",
            got=f"{len(tail) - at - _END.size} bytes of comment",
            expected=comment,
        )
    end_at = tail_at + at
    if wide := _find_zip64(stream, end_at):
        end_at, disk, first, here, count, size, start = wide
    if disk or first or here != count or start + size != end_at:
        raise ArchiveError(
            "broken zip archive: end record",
            got=f"a directory of {size} bytes at {start}",
            expected=f"one on this disk that ends at {end_at}",
        )
    return start, size, count


def _find_zip64(stream: IO[bytes], end_at: int) -> tuple[int, ...] | None:
    """Return the seven numbers of the zip64 end record, its own offset first, if there is one."""
    stream.seek(max(0, end_at - _LOCATOR.size))
    raw = stream.read(min(end_at, _LOCATOR.size))
    if len(raw) < _LOCATOR.size or not raw.startswith(b"PK\x06\x07"):
        return None
    offset = _LOCATOR.unpack(raw)[2]
    stream.seek(min(offset, end_at))
    raw = stream.read(_END64.size)
    if len(raw) < _END64.size or not raw.startswith(b"PK\x06\x06"):
        raise ArchiveError(
            "broken zip archive: zip64 end record", got=repr(raw[:4]), expected="PK 06 06"
        )
    return (offset, *_END64.unpack(raw)[4:])


def _read_rows(stream: IO[bytes], start: int, size: int, count: int, budget: Budget) -> list[Row]:
    stream.seek(start)
    reader = Reader(Part(Reader(stream), size, "zip directory"))
    rows = []
    for _ in range(count):
        budget.time()
        rows.append(_row(reader))
        budget.member()
    if reader.peek(1):
        raise ArchiveError(
            "broken zip archive: directory", got="more bytes", expected=f"{count} entries"
        )
    return rows


def _row(reader: Reader) -> Row:
    raw = reader.exactly(_CENTRAL.size, "zip directory")
    magic, flags, packing, at, on, crc, packed, size, name, extra, comment, external, offset = (
        _CENTRAL.unpack(raw)
    )
    if magic != b"PK\x01\x02":
        raise ArchiveError("broken zip archive: directory", got=repr(magic), expected="PK 01 02")
    path = reader.exactly(name, "zip name")
    fields = _zip64(reader.exactly(extra, "zip extra field"))
    reader.exactly(comment, "zip comment")
    wide = iter(fields)
    try:
        size = next(wide) if size == _BIG else size
        packed = next(wide) if packed == _BIG else packed
        offset = next(wide) if offset == _BIG else offset
    except StopIteration:
        raise ArchiveError("broken zip archive: zip64 field", got="too short") from None
    return Row(
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


def _zip64(extra: bytes) -> tuple[int, ...]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + length]
            return struct.unpack_from(f"<{len(wide) // 8}Q", wide)
        at += 4 + length
    return ()


def _refuse_overlaps(rows: list[Row], end: int) -> None:
    at = 0
    for row in sorted(rows, key=lambda row: row.offset):
        if row.offset < at or row.offset + LOCAL.size + len(row.name) + row.packed > end:
            raise ArchiveError(
                "broken zip archive: entries overlap",
                got=f"offset {row.offset}",
                expected=f"between {at} and {end}",
            )
        at = row.offset + LOCAL.size + len(row.name) + row.packed
