"""Where the records of a zip archive are, byte for byte, and that nothing else is in it.

Readers of zip archives disagree about what is no plain archive, and signatures are about what one
of them sees: a comment that holds a second end record, local headers that say something else than
the directory, bytes that no record holds. All of that is refused by a name of its own. Source:
PKWARE, "APPNOTE.TXT", 4.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from zlib_ng import zlib_ng

from builders.core.digest import CHUNK
from pipelines.judge.signatures.left_out import read_at
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    unreadable,
)

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
LOCAL_SIZE, CENTRAL_SIZE, END_SIZE = 30, 46, 22
_DESCRIPTOR = b"PK\7\x08"
_ZIP64 = b"PK\6\7"
_ZIP64_SIZE = 20
_MAX_DIRECTORY = 32 << 20
_HAS_DESCRIPTOR, _ENCRYPTED = 0x0008, 0x2041
STORED, DEFLATED = 0, 8


@dataclass(frozen=True, kw_only=True)
class ZipEntry:
    """An entry, by its two records; offsets in bytes."""

    name: bytes
    start: int
    """Of its local header."""
    data: int
    """Of its content, as it is stored."""
    end: int
    """Of its local record, data descriptor included."""
    record: int
    """Of its record in the directory."""
    record_end: int
    method: int
    packed: int
    """Size of its content as it is stored."""
    size: int
    crc: int
    extra: bytes
    """The extra field of its local header, in which archives are aligned."""


@dataclass(frozen=True, kw_only=True)
class RawZip:
    """A plain zip archive."""

    entries: tuple[ZipEntry, ...]
    """As the directory has them."""
    local_end: int
    """Where the last local record ends."""
    directory: int
    end: int
    """Where the directory ends and the end record begins."""

    @property
    def by_place(self) -> list[ZipEntry]:
        """The entries in the order of their local records."""
        return sorted(self.entries, key=lambda entry: entry.start)


@dataclass(frozen=True, kw_only=True)
class _Record:
    fields: tuple[int, ...]
    """Flags, method, CRC-32, packed and unpacked size."""
    name: bytes
    local: int
    start: int
    end: int


def read_zip(file: BinaryIO, whose: str) -> RawZip:
    """Return where the records of a file are; raises `BadSignatureError`.

    Between the last local record and the directory there may be anything.
    """
    size = file.seek(0, 2)
    directory, end, count = _end_record(file, size, whose)
    records = _records(read_at(file, directory, end - directory), directory, count, whose)
    entries = [_entry(file, record, directory, whose) for record in records]
    at = 0
    for entry in sorted(entries, key=lambda entry: entry.start):
        if entry.start != at and not _is_filler(file, at, entry.start):
            what = f"{entry.start - at} bytes of the {whose} file before {shown(entry.name)}"
            raise BadSignatureError(SignatureFault.BETWEEN_ENTRIES, what)
        at = entry.end
    return RawZip(entries=tuple(entries), local_end=at, directory=directory, end=end)


def entry_content(file: BinaryIO, entry: ZipEntry, most: int) -> bytes:
    """Return the unpacked content of an entry of at most `most` bytes."""
    if entry.size > most:
        raise unreadable(f"{shown(entry.name)} has {entry.size} bytes, at most {most}")
    return b"".join(entry_chunks(file, entry))


def entry_chunks(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """Yield the unpacked content of an entry, which has to be of the size and checksum it says."""
    crc = size = 0
    try:
        for data in _unpacked(file, entry):
            crc, size = zlib_ng.crc32(data, crc), size + len(data)
            if size > entry.size:
                break
            yield data
    except zlib.error as error:
        raise unreadable(f"{shown(entry.name)} is no deflate stream: {error}") from error
    if (crc, size) != (entry.crc, entry.size):
        raise unreadable(f"{shown(entry.name)} has another size or checksum than it says")


def _unpacked(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    end = entry.data + entry.packed
    for start in range(entry.data, end, CHUNK):
        data = read_at(file, start, min(CHUNK, end - start))
        if entry.method == STORED:
            yield data
            continue
        while data:
            yield inflater.decompress(data, CHUNK)
            data = inflater.unconsumed_tail
    if entry.method == DEFLATED:
        yield inflater.flush()
        if not inflater.eof or inflater.unused_data:
            raise unreadable(f"{shown(entry.name)} does not end where it says")


def _end_record(file: BinaryIO, size: int, whose: str) -> tuple[int, int, int]:
    """Return where the directory begins and ends, and how many records it has."""
    at = size - END_SIZE
    tail = read_at(file, at, END_SIZE) if at >= 0 else b""
    if tail[:4] != END or tail[-2:] != b"\0\0":
        start = max(0, size - END_SIZE - 0xFFFF)
        fault = SignatureFault.UNREADABLE
        if END in read_at(file, start, size - start):
            fault = SignatureFault.ZIP_COMMENT
        raise BadSignatureError(fault, f"the {whose} file does not end in a plain end record")
    disk, first, here, count, length, directory, _ = struct.unpack("<HHHHIIH", tail[4:])
    before = read_at(file, max(0, at - _ZIP64_SIZE), min(at, _ZIP64_SIZE))
    if before[:4] == _ZIP64 or count == 0xFFFF or 0xFFFFFFFF in (length, directory):
        raise BadSignatureError(SignatureFault.ZIP64, f"the {whose} file is a zip64 archive")
    if disk or first or here != count:
        raise unreadable(f"the {whose} file is a part of an archive")
    if directory + length < at:
        what = f"{at - directory - length} bytes of the {whose} file after its directory"
        raise BadSignatureError(SignatureFault.BETWEEN_ENTRIES, what)
    if directory + length > at or length > _MAX_DIRECTORY:
        raise unreadable(f"a directory of the {whose} file of {length} bytes at {directory}")
    return directory, at, count


def _records(data: bytes, begin: int, count: int, whose: str) -> list[_Record]:
    found: list[_Record] = []
    names: set[bytes] = set()
    at = 0
    while at < len(data):
        head = data[at : at + CENTRAL_SIZE]
        if len(head) < CENTRAL_SIZE or head[:4] != CENTRAL:
            raise unreadable(f"a directory of the {whose} file with something else in it")
        flags, method = struct.unpack_from("<HH", head, 8)
        crc, packed, size, name, extra, comment, disk = struct.unpack_from("<IIIHHHH", head, 16)
        (local,) = struct.unpack_from("<I", head, 42)
        after = at + CENTRAL_SIZE + name + extra + comment
        named = data[at + CENTRAL_SIZE : at + CENTRAL_SIZE + name]
        if after > len(data) or disk:
            raise unreadable(f"a record of the {whose} file that ends after the directory")
        if 0xFFFFFFFF in (packed, size, local):
            raise BadSignatureError(SignatureFault.ZIP64, f"{shown(named)} is a zip64 entry")
        if flags & _ENCRYPTED or method not in (STORED, DEFLATED):
            raise unreadable(f"{shown(named)} is encrypted, or packed by method {method}")
        if named in names:
            what = f"{shown(named)} is twice in the {whose} file"
            raise BadSignatureError(SignatureFault.DUPLICATE_NAME, what)
        if not named or b"\0" in named:
            raise unreadable(f"an entry of the {whose} file with no name that can be read")
        names.add(named)
        fields = (flags, method, crc, packed, size)
        found.append(
            _Record(fields=fields, name=named, local=local, start=begin + at, end=begin + after)
        )
        at = after
    if len(found) != count:
        raise unreadable(f"{len(found)} records in the {whose} file, which says {count}")
    return found


def _entry(file: BinaryIO, record: _Record, directory: int, whose: str) -> ZipEntry:
    """Return an entry whose local record says what its record in the directory does."""
    head = read_at(file, record.local, LOCAL_SIZE)
    flags, method, crc, packed, size = record.fields
    if len(head) < LOCAL_SIZE or head[:4] != LOCAL:
        raise unreadable(f"{shown(record.name)} has no local header in the {whose} file")
    name, extra = struct.unpack_from("<HH", head, 26)
    said = (*struct.unpack_from("<HH", head, 6), *struct.unpack_from("<III", head, 14))
    data = record.local + LOCAL_SIZE + name + extra
    sized = {(crc, packed, size)}
    end = data + packed
    if flags & _HAS_DESCRIPTOR:
        sized.add((0, 0, 0))
        end += _descriptor_size(file, end, (crc, packed, size))
    rest = read_at(file, record.local + LOCAL_SIZE, name + extra)
    if said[:2] != (flags, method) or said[2:] not in sized or rest[:name] != record.name:
        what = f"that of {shown(record.name)} in the {whose} file"
        raise BadSignatureError(SignatureFault.LOCAL_HEADER, what)
    if end > directory or (method == STORED and packed != size):
        raise unreadable(f"{shown(record.name)} of the {whose} file ends after its place")
    return ZipEntry(
        name=record.name,
        start=record.local,
        data=data,
        end=end,
        record=record.start,
        record_end=record.end,
        method=method,
        packed=packed,
        size=size,
        crc=crc,
        extra=rest[name:],
    )


def _descriptor_size(file: BinaryIO, at: int, sizes: Sequence[int]) -> int:
    plain = struct.pack("<III", *sizes)
    found = read_at(file, at, 16)
    if found == _DESCRIPTOR + plain:
        return 16
    if found[:12] == plain:
        return 12
    raise BadSignatureError(SignatureFault.LOCAL_HEADER, "a data descriptor of other sizes")


def _is_filler(file: BinaryIO, begin: int, end: int) -> bool:
    """Say whether bytes are a local record without a name and content, as zipflinger writes."""
    length = end - begin - LOCAL_SIZE
    if not 0 <= length <= 0xFFFF:
        return False
    head = read_at(file, begin, LOCAL_SIZE)
    named = head[:4] == LOCAL and head[18:28] == bytes(10)
    return (
        named
        and head[28:] == struct.pack("<H", length)
        and not any(read_at(file, begin + LOCAL_SIZE, length))
    )


def shown(name: bytes) -> str:
    """Return the name of an entry for a message."""
    return ascii(name.decode("utf-8", "replace"))[:200]
