"""What stands around the members of a zip: APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.16."""

from __future__ import annotations

import calendar
import struct
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from builders.archives.zip import MAGICS
from pipelines.explain.format_fields import Content, Field, Format, Layout, Part, time_text
from pipelines.judge.difference import FieldKind

_END, _RECORD, _LOCAL = struct.Struct("<4s4H2LH"), struct.Struct("<4s6H3L5H2L"), 30
_MAKERS = {0: "FAT", 3: "Unix", 7: "Macintosh", 10: "NTFS", 11: "NTFS", 19: "macOS"}
_METHODS = {0: "stored", 8: "deflate", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz"}
_UTF8, _DESCRIPTOR = 1 << 11, 1 << 3
_SETTING, _DERIVED = FieldKind.SETTING, FieldKind.DERIVED
_PARTS: tuple[Part, ...] = (
    ("version needed", 0, 2, FieldKind.PRODUCER),
    ("flags", 2, 4, _SETTING),
    ("compression", 4, 6, _SETTING),
    ("mtime", 6, 10, _SETTING),
    ("CRC", 10, 14, _DERIVED),
    ("packed size", 14, 18, _DERIVED),
    ("size", 18, 22, _DERIVED),
    ("size of the name", 22, 24, _DERIVED),
    ("size of the extra field", 24, 26, _DERIVED),
)
"""What the local header and the record of the directory both have, from version needed on."""
_IN_LOCAL = " in the local header"
_MADE: Part = ("made by", 4, 6, FieldKind.PRODUCER)
_MORE: tuple[Part, ...] = (
    ("size of the comment", 32, 34, _DERIVED),
    ("disk", 34, 36, _DERIVED),
    ("internal attributes", 36, 38, _SETTING),
    ("attributes", 38, 42, _SETTING),
    ("offset", 42, 46, _DERIVED),
)


class _Record(NamedTuple):
    """A record of the directory: where it is, and where its member is."""

    name: str
    at: int
    size: int
    local: int
    packed: int
    flags: int


def _fields(content: Content) -> Iterator[Field]:
    tail = content.bytes(max(0, content.size - _END.size - 0xFFFF), content.size)
    end = content.size - len(tail) + tail.rindex(b"PK\x05\x06")
    (_, _, _, _, count, size, start, comment) = _END.unpack(content.bytes(end, _END.size))
    records = list(_records(content, start, start + size))
    at = 0
    for record in sorted(records, key=attrgetter("local")):
        yield Field(name="bytes before", member=record.name, at=at, size=record.local - at)
        head = content.bytes(record.local, _LOCAL)
        named, extra = struct.unpack_from("<2H", head, 26)
        yield Field(
            name="local header", member=record.name, at=record.local, size=_LOCAL + named,
            layout=_LOCAL_HEADER,
        )  # fmt: skip
        at = record.local + _LOCAL + named
        yield _extra(content, "extra field of the local header", record.name, at, extra)
        at += extra
        yield Field(
            name="deflate stream", member=record.name, at=at, size=record.packed, kind=_SETTING,
            packed=True,
        )  # fmt: skip
        at += record.packed
        if record.flags & _DESCRIPTOR:
            length = 16 if content.bytes(at, 4) == b"PK\x07\x08" else 12
            name = "data descriptor"
            yield Field(name=name, member=record.name, at=at, size=length, kind=_DERIVED)
            at += length
    yield Field(name="bytes before the directory", at=at, size=start - at)
    for record in records:
        yield Field(
            name="record", member=record.name, at=record.at, size=record.size,
            layout=_RECORD_HEADER, parts=partial(_rest, content, record),
        )  # fmt: skip
    yield Field(
        name="end record", at=start + size, size=end + 20 - start - size, kind=_DERIVED,
        value=f"{count} members",
    )  # fmt: skip
    text = content.bytes(end + _END.size, comment).decode("utf-8", "backslashreplace")
    yield Field(name="comment", at=end + 20, size=2 + comment, value=text, kind=_SETTING)


def _records(content: Content, at: int, end: int) -> Iterator[_Record]:
    while at < end:
        head = content.bytes(at, _RECORD.size)
        flags, packed = struct.unpack_from("<H", head, 8)[0], struct.unpack_from("<L", head, 20)[0]
        named, extra, comment = struct.unpack_from("<3H", head, 28)
        local = struct.unpack_from("<L", head, 42)[0]
        raw = content.bytes(at + _RECORD.size, named)
        name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "backslashreplace")
        size = _RECORD.size + named + extra + comment
        yield _Record(name, at, size, local, packed, flags)
        at += size


def _rest(content: Content, record: _Record) -> Iterator[Field]:
    """Cut what follows the name in a record of the directory."""
    length, extra, comment = struct.unpack("<3H", content.bytes(record.at + 28, 6))
    at = record.at + _RECORD.size + length
    yield _extra(content, "extra field", record.name, at, extra)
    text = content.bytes(at + extra, comment).decode("utf-8", "backslashreplace")
    yield Field(
        name="comment", member=record.name, at=at + extra, size=comment, value=text, kind=_SETTING
    )


def _value(what: str, raw: bytes) -> str:
    number = int.from_bytes(raw, "little")
    match what.removesuffix(_IN_LOCAL):
        case "made by":
            version, system = raw
            value = f"version {version // 10}.{version % 10}, {_MAKERS.get(system, str(system))}"
        case "mtime":
            value = _time(number)
        case "compression":
            value = _METHODS.get(number, str(number))
        case "version needed":
            value = f"{number // 10}.{number % 10}"
        case "attributes":
            value = f"mode {number >> 16:06o}, {number & 0xFFFF:#x}"
        case "flags":
            value = f"{number:#06x}"
        case _:
            value = str(number)
    return value


def _layout(at: int, suffix: str, before: tuple[Part, ...], more: tuple[Part, ...]) -> Layout:
    """Return the layout of a header in which the parts that both have begin at `at`."""
    both = ((f"{name}{suffix}", at + start, at + end, kind) for name, start, end, kind in _PARTS)
    return Layout(parts=(*before, *both, *more), value=_value)


_LOCAL_HEADER, _RECORD_HEADER = _layout(4, _IN_LOCAL, (), ()), _layout(6, "", (_MADE,), _MORE)


def _time(stamp: int) -> str:
    """Return a time of MS-DOS, which has no zone, as if it were UTC."""
    day, at = stamp >> 16, stamp & 0xFFFF
    try:
        date = datetime(1980 + (day >> 9), day >> 5 & 15, day & 31, at >> 11, at >> 5 & 63)  # noqa: DTZ001
    except ValueError:
        return f"{stamp:#010x}"
    return time_text(calendar.timegm(date.timetuple()) + (at & 31) * 2)


def _extra(content: Content, name: str, member: str, at: int, size: int) -> Field:
    """Return an extra field as the list of its tags, with data."""
    data, found, start = content.bytes(at, size), [], 0
    while start + 4 <= len(data):
        tag, length = struct.unpack_from("<2H", data, start)
        found.append(f"{tag:#06x} {data[start + 4 : start + 4 + length].hex()}".strip())
        start += 4 + length
    value = ", ".join(found) or (data.hex() or "none")
    return Field(name=name, member=member, at=at, size=size, value=value, kind=_SETTING)


ZIP = Format(name="zip", matches=lambda head: head.startswith(MAGICS), fields=_fields, archive=True)
