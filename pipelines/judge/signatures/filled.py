"""Whether others that a splice plan puts in places of our file are what a signature needs there.

Used outside of the jail, on the file that was made: what stands in a place is computed here once
more, or is as long as the place and ends where our bytes go on.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from builders.core.digest import chunks
from pipelines.judge.signatures.left_out import (
    RPM_LEAD,
    TUF_SIGNATURES,
    info_members,
    pe_places,
    read_at,
    signature_header,
    tuf_signatures,
)
from pipelines.judge.signatures.pe_checksum import PeChecksum

_PE_ALIGNMENT = 8
_CAB_HEADER, _CAB_FOLDER, _CAB_SIZE, _CAB_FILES, _CAB_FLAGS = 36, 8, 8, 16, 30
_CAB_RESERVED, _CAB_KIND, _CAB_SHOWN = 20, 0x00100000, 4
_CAB_GROWN = 24
_RPM_INTRO, _RPM_ENTRY, _RPM_ENTRIES, _RPM_MD5 = 16, 16, 32, 1004
_FRAME = re.compile(rb"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: [A-Z0-9, -]+\n)*\n")
_ARMOR = re.compile(rb"\n?-----BEGIN PGP SIGNATURE-----\n[^-]*-----END PGP SIGNATURE-----\n")
_DASH, _ESCAPED = b"- ", (b"-", b"From ")
_CVD_HEADER, _TAR_BLOCK, _MAX_INFO = 512, 512, 1 << 20
_CVD_FIELDS = 9
_INFO_SIGNATURE = re.compile(rb"DSIG:[A-Za-z0-9+/]{1,400}\n")


@dataclass(frozen=True, kw_only=True)
class FilledGap:
    """Where bytes of ours are left out, or others stand."""

    begin: int
    end: int
    """In our file."""
    at: int
    length: int
    """Of the others, in the file that is made."""


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """What a field of a file has to be, as follows from all else in it."""

    at: int
    value: bytes

    def is_in(self, file: BinaryIO) -> bool:
        """Say whether a file has it."""
        return read_at(file, self.at, len(self.value)) == self.value

    def put_in(self, file: BinaryIO) -> None:
        """Write it to a file."""
        file.seek(self.at)
        file.write(self.value)
        file.flush()


NO_CHECKSUM = Checksum(at=0, value=b"")


def pe_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    """Say whether the directory entry is right, and a table is all that follows."""
    size, places = own.seek(0, 2), pe_places(own)
    if not places or not _keeps_lengths(gaps, size):
        return False
    _, (entry, _) = places
    made, table = out.seek(0, 2), size + -size % _PE_ALIGNMENT
    return (
        made > table
        and not any(read_at(out, size, table - size))
        and struct.unpack("<II", read_at(out, entry, 8)) == (table, made - table)
    )


def pe_checksum(out: BinaryIO) -> Checksum | None:
    """Return the checksum of a PE file; None where it has no place for one."""
    if not (places := pe_places(out)):
        return None
    (begin, end), _ = places
    total = PeChecksum()
    total.add(read_at(out, 0, begin) + bytes(end - begin))
    out.seek(end)
    for data in chunks(out):
        total.add(data)
    return Checksum(at=begin, value=total.value().to_bytes(end - begin, "little"))


def cab_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    """Say whether the header is ours with reserved fields that name all that follows our bytes."""
    size, made = own.seek(0, 2), out.seek(0, 2)
    head = bytearray(read_at(own, 0, _CAB_HEADER))
    if len(head) < _CAB_HEADER:
        return False
    (folders,) = struct.unpack_from("<H", head, 26)
    end = _CAB_HEADER + folders * _CAB_FOLDER
    head += read_at(own, _CAB_HEADER, end - _CAB_HEADER)
    (said,) = struct.unpack_from("<I", head, _CAB_SIZE)
    grown = size + _CAB_GROWN
    if not folders or not end < size == said or not grown < made < 1 << 32:
        return False
    for at in (_CAB_SIZE, _CAB_FILES, *range(_CAB_HEADER, end, _CAB_FOLDER)):
        (value,) = struct.unpack_from("<I", head, at)
        struct.pack_into("<I", head, at, (value + _CAB_GROWN) & 0xFFFFFFFF)
    struct.pack_into("<H", head, _CAB_FLAGS, _CAB_SHOWN)
    fields = _CAB_RESERVED, _CAB_KIND, grown, made - grown
    reserved = struct.pack("<IIII8x", *fields)
    expected = bytes(head[:_CAB_HEADER]) + reserved + bytes(head[_CAB_HEADER:])
    where = (_CAB_HEADER, _CAB_HEADER + 4)
    return _keeps_lengths(gaps, size, {where: len(reserved)}) and expected == read_at(
        out, 0, len(expected)
    )


def rpm_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    """Say whether our main header and payload follow a signature header, and nothing them."""
    places = tuple((gap.begin, gap.end) for gap in gaps)
    made = tuple((gap.at, gap.at + gap.length) for gap in gaps)
    return places == signature_header(own) and made == signature_header(out)


def rpm_checksum(out: BinaryIO) -> Checksum | None:
    """Return the MD5 of header and payload, if a package has a place for it.

    None of what has more tags in its signature header than any package.
    """
    for _, end in signature_header(out):
        head = read_at(out, RPM_LEAD, _RPM_INTRO + _RPM_ENTRIES * _RPM_ENTRY)
        (count,) = struct.unpack_from(">I", head, 8)
        if count > _RPM_ENTRIES:
            return None
        data = _RPM_INTRO + count * _RPM_ENTRY
        for tag, _, offset, _ in struct.iter_unpack(">IIII", head[_RPM_INTRO:data]):
            if tag == _RPM_MD5:
                digest = hashlib.md5(usedforsecurity=False)
                out.seek(end)
                for piece in chunks(out):
                    digest.update(piece)
                return Checksum(at=RPM_LEAD + data + offset, value=digest.digest())
    return NO_CHECKSUM


def clearsigned_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    """Say whether nothing but a frame, dashes in front of lines, and an armor are added."""
    size = own.seek(0, 2)
    return all(_is_frame(own, out, gap, size) for gap in gaps)


def _is_frame(own: BinaryIO, out: BinaryIO, gap: FilledGap, size: int) -> bool:
    data = read_at(out, gap.at, gap.length)
    if 0 < gap.begin < size:
        return data == _DASH
    frame = _FRAME.match(data) if gap.begin == 0 else None
    after = data[frame.end() :] if frame else data
    if gap.begin == size:
        return bool(_ARMOR.fullmatch(after))
    return bool(frame) and (
        not after or (after == _DASH and read_at(own, 0, 5).startswith(_ESCAPED))
    )


def tuf_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    """Say whether a list of signatures stands for ours, and nothing else is other than ours."""
    places = tuple((gap.begin, gap.end) for gap in gaps)
    return places == tuf_signatures(own) and all(
        TUF_SIGNATURES.fullmatch(read_at(out, gap.at, gap.length)) for gap in gaps
    )


def cvd_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    """Say whether a header stands for ours that differs in claims, digest and signature alone."""
    ours, made = read_at(own, 0, _CVD_HEADER), read_at(out, 0, _CVD_HEADER)
    return (
        all(gap.end <= _CVD_HEADER for gap in gaps)
        and not _growth(gaps)
        and _is_same_database(ours, made)
    )


def info_fits(own: BinaryIO, out: BinaryIO, gaps: Sequence[FilledGap]) -> bool:
    """Say whether a member .info stands for ours with other claims, and a signature at its end."""
    places, growth = info_members(own), _growth(gaps)
    if len(places) != 1:
        return False
    ((begin, end),) = places
    length = end + growth - begin
    if (
        any(gap.begin < begin or gap.end > end for gap in gaps)
        or info_members(out) != ((begin, end + growth),)
        or not length <= _MAX_INFO + 2 * _TAR_BLOCK
    ):
        return False
    (head, mine), (made, theirs) = (
        _member(read_at(own, begin, end - begin)),
        _member(read_at(out, begin, length)),
    )
    first, _, ours = mine.partition(b"\n")
    claims, _, rest = theirs.partition(b"\n")
    return (
        head == made
        and _is_same_database(first, claims)
        and rest.startswith(ours)
        and bool(_INFO_SIGNATURE.fullmatch(rest.removeprefix(ours)))
    )


def _member(data: bytes) -> tuple[bytes, bytes]:
    """Return the header of a member without its size and checksum, and the content of it."""
    size = int(data[124:136].strip(b"\0 "), 8)
    head, content = data[:_TAR_BLOCK], data[_TAR_BLOCK:]
    # What fills the last block has to be zeros: others are shown as part of the content.
    return head[:124] + head[136:148] + head[156:], content[:size] + content[size:].rstrip(b"\0")


def _is_same_database(ours: bytes, theirs: bytes) -> bool:
    """Say whether two headers are of the same kind, version, number of signatures and level."""
    fields, others = ours.split(b":"), theirs.split(b":")
    same = [one[:1] + one[2:5] for one in (fields, others)]
    return len(fields) == len(others) == _CVD_FIELDS and same[0] == same[1]


def _growth(gaps: Sequence[FilledGap]) -> int:
    return sum(gap.length - (gap.end - gap.begin) for gap in gaps)


def _keeps_lengths(
    gaps: Sequence[FilledGap], size: int, more: Mapping[tuple[int, int], int] | None = None
) -> bool:
    """Say whether all in place of ours, up to its end at `size`, is as long, or as much longer."""
    return all(
        gap.length == gap.end - gap.begin + (more or {}).get((gap.begin, gap.end), 0)
        for gap in gaps
        if gap.begin < size
    )
