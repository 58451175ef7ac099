"""The parts of ELF and PE files and of .pyc files: which bytes are run, and which are stamps.

What is executable comes from section headers and, in ELF, from the segments that a loader maps.
Sources: System V ABI, chapter 4; Microsoft, "PE Format"; PEP 552.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from builders.recipe.normalizers import NormalizerName
from pipelines.judge.normalizers.ledger import MaskFault
from pipelines.judge.normalizers.parts import FilePart, FilePlace, UnmaskableError, Wanted, read_at

_NOTE, _NO_BITS, _EXECUTABLE = 7, 8, 4
_LOAD, _SEGMENT_EXECUTABLE = 1, 1
_BUILD_ID = 3
_MAX_NOTE = 1 << 16
_PE_CODE = 0x20000020
"""IMAGE_SCN_CNT_CODE and IMAGE_SCN_MEM_EXECUTE."""
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
_EXPORT, _DEBUG = 0, 6


def is_pyc(head: bytes) -> bool:
    """Say whether a file begins as a .pyc does that holds the time of its source."""
    return len(head) > 16 and head[2:8] == b"\r\n\0\0\0\0" and head[16] == 0xE3


def pyc_parts(_: BinaryIO, place: FilePlace, __: Wanted) -> Iterator[FilePart]:
    """Yield the parts of a .pyc file."""
    yield FilePart(
        offset=place.start + 8,
        length=4,
        field="source-time",
        place=place,
        mask=NormalizerName.PYC_TIME,
    )


def elf_parts(file: BinaryIO, place: FilePlace, _: Wanted) -> Iterator[FilePart]:
    """Yield the parts of an ELF file; raises `UnmaskableError`."""
    head = read_at(file, place.start, 64)
    order = {1: "<", 2: ">"}.get(head[5])
    wide = {1: False, 2: True}.get(head[4])
    if order is None or wide is None:
        raise UnmaskableError(MaskFault.UNREADABLE, "an ELF file of another class or byte order")
    segments, sections = struct.unpack_from(
        f"{order}QQ" if wide else f"{order}II", head, 32 if wide else 28
    )
    p_size, p_count, s_size, s_count = struct.unpack_from(f"{order}4H", head, 54 if wide else 42)
    if (
        (p_count and p_size != (56 if wide else 32))
        or s_size != (64 if wide else 40)
        or not s_count
    ):
        raise UnmaskableError(MaskFault.UNREADABLE, "an ELF file whose headers have other sizes")
    run: list[FilePart] = []
    for number in range(p_count):
        raw = read_at(file, place.start + segments + number * p_size, p_size)
        kind, offset, length, flags = _segment(raw, order, wide=wide)
        if kind == _LOAD and flags & _SEGMENT_EXECUTABLE:
            run.append(_code(place, "executable-segment", offset, length))
    notes: list[tuple[int, int]] = []
    for number in range(s_count):
        raw = read_at(file, place.start + sections + number * s_size, s_size)
        kind, flags, offset, length = _section(raw, order, wide=wide)
        if flags & _EXECUTABLE and kind != _NO_BITS:
            run.append(_code(place, "executable-section", offset, length))
        elif kind == _NOTE and length <= _MAX_NOTE:
            notes.append((offset, length))
    yield from run
    for offset, length in notes:
        yield from _build_ids(file, place, offset, length, order)


def _segment(raw: bytes, order: str, *, wide: bool) -> tuple[int, int, int, int]:
    if wide:
        kind, flags, offset, _, _, length = struct.unpack_from(f"{order}IIQQQQ", raw)
    else:
        kind, offset, _, _, length, _, flags = struct.unpack_from(f"{order}7I", raw)
    return kind, offset, length, flags


def _section(raw: bytes, order: str, *, wide: bool) -> tuple[int, int, int, int]:
    layout = f"{order}IIQQQQ" if wide else f"{order}6I"
    _, kind, flags, _, offset, length = struct.unpack_from(layout, raw)
    return kind, flags, offset, length


def _build_ids(
    file: BinaryIO, place: FilePlace, offset: int, length: int, order: str
) -> Iterator[FilePart]:
    data = read_at(file, place.start + offset, length)
    at = 0
    while at + 16 <= len(data):
        name, size, kind = struct.unpack_from(f"{order}III", data, at)
        begin = at + 12 + name + -name % 4
        after = begin + size + -size % 4
        if kind == _BUILD_ID and data[at + 12 : begin] == b"GNU\0" and begin + size <= len(data):
            yield FilePart(
                offset=place.start + offset + begin,
                length=size,
                field="build-id",
                place=place,
                mask=NormalizerName.ELF_BUILD_ID,
            )
        at = after


def pe_parts(file: BinaryIO, place: FilePlace, _: Wanted) -> Iterator[FilePart]:
    """Yield the parts of a PE file; raises `UnmaskableError`."""
    (at,) = struct.unpack("<I", read_at(file, place.start + 0x3C, 4))
    header = read_at(file, place.start + at, 24 + 112)
    count, optional, magic = (
        struct.unpack_from("<H", header, 6)[0],
        *struct.unpack_from("<H2xH", header, 20),
    )
    if header[:4] != b"PE\0\0" or magic not in _DIRECTORIES:
        raise UnmaskableError(MaskFault.UNREADABLE, "a PE file without its header")
    base = place.start + at
    yield _stamp(place, base + 8, "time-stamp")
    yield _stamp(place, base + 24 + 64, "checksum")
    sections = [
        struct.unpack("<8x4I12xI", read_at(file, base + 24 + optional + 40 * number, 40))
        for number in range(count)
    ]
    for _size, _address, length, offset, flags in sections:
        if flags & _PE_CODE:
            yield _code(place, "executable-section", offset, length)
    directories = _DIRECTORIES[magic]
    for number, length, most in ((_EXPORT, 40, 1), (_DEBUG, 28, 64)):
        if directories + 8 * number + 8 <= optional:
            entry = read_at(file, base + 24 + directories + 8 * number, 8)
            address, size = struct.unpack("<II", entry)
            begin = _offset_of(address, size, sections)
            if begin is not None:
                for copy in range(min(size // length, most)):
                    offset = place.start + begin + copy * length + 4
                    yield _stamp(place, offset, "time-stamp-copy")


def _offset_of(address: int, size: int, sections: list[tuple[int, ...]]) -> int | None:
    """Return the offset in the file of an address, of the only section that has it."""
    found = [
        offset + address - begin
        for _, begin, length, offset, _ in sections
        if begin <= address and address + size <= begin + length
    ]
    return found[0] if len(found) == 1 else None


def _stamp(place: FilePlace, offset: int, field: str) -> FilePart:
    return FilePart(
        offset=offset, length=4, field=field, place=place, mask=NormalizerName.PE_TIME_STAMP
    )


def _code(place: FilePlace, field: str, offset: int, length: int) -> FilePart:
    return FilePart(
        offset=place.start + offset,
        length=length,
        field=field,
        place=place,
        fault=MaskFault.EXECUTABLE,
    )
