"""Headers of RPM packages: an index of tags, and their data (rpm, docs/manual/format_header.md).

A package is a lead of 96 bytes, a signature header that is padded to 8 bytes, the main header, and
the payload. A header is read if one region covers all of it: what is outside of a region, no
signature covers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.judge.signatures.left_out import RPM_LEAD
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    unreadable,
)

PADDED = 8
MAX_SIGNATURE_DATA = 256 << 10
_MAX_DATA = 256 << 20
_MAX_ENTRIES, _MAX_SIGNATURE_ENTRIES = 1 << 16, 32
_LEAD_MAGIC = b"\xed\xab\xee\xdb"
MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
_INTRO, _ENTRY = 16, 16
SIGNATURES, IMMUTABLE = 62, 63
"""Tags of the regions of the signature header and of the main one."""


INT16, INT32, INT64, STRING, BINARY, STRINGS, I18N_STRINGS = 3, 4, 5, 6, 7, 8, 9
"""Types of values; those below are bytes and characters."""
_SIZES = {INT16: 2, INT32: 4, INT64: 8}
_TEXTS = frozenset({STRING, STRINGS, I18N_STRINGS})


@dataclass(frozen=True, kw_only=True)
class RpmEntry:
    """A tag and where its value is, in bytes from the start of the file."""

    tag: int
    kind: int
    count: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class RpmHeader:
    """One header; offsets in bytes from the start of the file."""

    start: int
    data: int
    """Where its data begins."""
    end: int
    entries: tuple[RpmEntry, ...]
    """In the order of the index, with the region first."""
    raw: bytes

    def find(self, tag: int) -> RpmEntry | None:
        """Return the entry of a tag."""
        return next((one for one in self.entries if one.tag == tag), None)

    def value(self, entry: RpmEntry) -> bytes:
        """Return the bytes of a value, with the zeros that end texts."""
        return self.raw[entry.start - self.start : entry.end - self.start]


@dataclass(frozen=True, kw_only=True)
class RpmPackage:
    """The parts of a package."""

    signature: RpmHeader
    main: RpmHeader
    size: int

    @property
    def payload(self) -> int:
        """Where it begins."""
        return self.main.end


def read_package(file: BinaryIO, whose: str) -> RpmPackage:
    """Return the parts of a package; raises `BadSignatureError`."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != _LEAD_MAGIC:
        raise unreadable(f"the {whose} file is no RPM package")
    signature = read_header(file, RPM_LEAD, SIGNATURES)
    after = signature_end(signature.end)
    file.seek(signature.end)
    if any(file.read(after - signature.end)):
        raise BadSignatureError(SignatureFault.SLACK, "padding of the signature header, not zeros")
    return RpmPackage(signature=signature, main=read_header(file, after, IMMUTABLE), size=size)


def signature_end(end: int) -> int:
    """Return where the main header begins, from where the data of the signature header ends."""
    return end + -end % PADDED


def read_header(file: BinaryIO, start: int, region: int) -> RpmHeader:
    """Return the header at an offset; raises `BadSignatureError`."""
    file.seek(start)
    intro = file.read(_INTRO)
    if len(intro) < _INTRO or intro[:8] != MAGIC:
        raise unreadable(f"no header at offset {start}")
    count, size = struct.unpack(">II", intro[8:])
    own = region == SIGNATURES
    most = (_MAX_SIGNATURE_ENTRIES, MAX_SIGNATURE_DATA) if own else (_MAX_ENTRIES, _MAX_DATA)
    if not 1 <= count <= most[0] or size > most[1]:
        raise unreadable(f"a header of {count} entries and {size} bytes")
    rest = file.read(count * _ENTRY + size)
    if len(rest) < count * _ENTRY + size:
        raise unreadable("a header that ends after the file does")
    raw = intro + rest
    data = _INTRO + count * _ENTRY
    entries = tuple(_entry(raw, start, at, data) for at in range(_INTRO, data, _ENTRY))
    tags = [one.tag for one in entries]
    if len(tags) > len(set(tags)):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a tag that is in one header twice")
    _check_region(raw, start, entries, region, count)
    return RpmHeader(start=start, data=start + data, end=start + len(raw), entries=entries, raw=raw)


def _entry(raw: bytes, start: int, at: int, data: int) -> RpmEntry:
    tag, kind, offset, count = struct.unpack_from(">IIII", raw, at)
    begin = data + offset
    if kind > I18N_STRINGS or not count or begin >= len(raw):
        what = f"tag {tag} of type {kind}, {count} values at {offset}"
        raise BadSignatureError(SignatureFault.ENTRY_OUTSIDE, what)
    if kind in _TEXTS:
        end = begin
        for _ in range(count if kind != STRING else 1):
            end = raw.find(b"\0", end) + 1
            if not end:
                break
        outside = not end or (kind == STRING and count != 1)
    else:
        end = begin + count * _SIZES.get(kind, 1)
        outside = end > len(raw) or offset % _SIZES.get(kind, 1) != 0
    if outside:
        what = f"tag {tag}, whose value does not end in its header"
        raise BadSignatureError(SignatureFault.ENTRY_OUTSIDE, what)
    return RpmEntry(tag=tag, kind=kind, count=count, start=start + begin, end=start + end)


def _check_region(
    raw: bytes, start: int, entries: tuple[RpmEntry, ...], region: int, count: int
) -> None:
    """Require that one region begins and ends with the header."""
    first = entries[0]
    if (first.tag, first.kind, first.count) != (region, BINARY, _ENTRY):
        what = f"a header that begins with tag {first.tag}, not with its region {region}"
        raise BadSignatureError(SignatureFault.REGION, what)
    others = {one.tag for one in entries[1:]} & {SIGNATURES, IMMUTABLE, 61}
    if raw[-_ENTRY:] != region_trailer(region, count) or first.end != start + len(raw) or others:
        what = f"a region {region} that does not cover its whole header"
        raise BadSignatureError(SignatureFault.REGION, what)


def region_trailer(region: int, count: int) -> bytes:
    """Return the value of a region of all `count` entries of a header."""
    return struct.pack(">IIiI", region, BINARY, -count * _ENTRY, _ENTRY)


def check_layout(header: RpmHeader) -> None:
    """Require that values, in the order of their data, fill a header but for what aligns them."""
    at = header.data
    for one in sorted(header.entries, key=lambda entry: entry.start):
        if one.start < at:
            raise BadSignatureError(SignatureFault.OVERLAP, f"tag {one.tag} over another value")
        gap = header.raw[at - header.start : one.start - header.start]
        size = _SIZES.get(one.kind, 1)
        if len(gap) != -(at - header.data) % size or any(gap):
            what = f"{len(gap)} bytes in front of the value of tag {one.tag}"
            raise BadSignatureError(SignatureFault.SLACK, what)
        at = one.end
    if at != header.end:
        raise BadSignatureError(SignatureFault.SLACK, f"{header.end - at} bytes after all values")
