"""Small files of each format that normalizers know, made twice with other stamps."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from builders.recipe.normalizers import NormalizerName
from pipelines.judge.signatures.pe_checksum import PeChecksum
from tests.judge.signatures.signing import CHECKSUM, HEADERS, PE, SECTION, program

FILLER = bytes(range(256)) * 128
"""Content of members, so that a few bytes are less than a thousandth of the file."""
CODE = b"\x90" * 64 + b"\xc3"


def ar(time: int, owner: int = 0, *, name: bytes = b"code.o", mode: int = 0o644) -> bytes:
    """Return an ar archive of two members."""
    made = b"!<arch>\n"
    for member in (name, b"data.o"):
        head = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (member, time, owner, owner, mode, len(FILLER))
        made += head + FILLER
    return made


def tar(time: int, *, name: str = "b", target: str = "a", content: bytes = FILLER) -> bytes:
    """Return a tar archive of two files and a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in ("a", name):
            info = tarfile.TarInfo(member)
            info.size, info.mtime = len(content), time
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname, link.mtime = tarfile.SYMTYPE, target, time
        archive.addfile(link)
    return out.getvalue()


def zip_of(
    second: int,
    *,
    content: bytes = FILLER,
    packing: int = zipfile.ZIP_STORED,
    mode: int = 0o644,
    comment: bytes = b"",
    extra: bytes = b"",
    remark: bytes = b"",
) -> bytes:
    """Return a zip of two members with times that differ by `second`, each with a `remark`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("a.bin", "b.bin"):
            info = zipfile.ZipInfo(name, (2026, 11, 28, 3, 0, second))
            info.compress_type, info.external_attr, info.extra = packing, mode << 16, extra
            info.comment = remark
            archive.writestr(info, content)
        archive.comment = comment
    return out.getvalue()


def times(seconds: int) -> bytes:
    """Return the extra field of Info-ZIP with a time of modification."""
    return struct.pack("<HHBI", 0x5455, 5, 1, seconds)


def pyc(time: int, *, flags: int = 0) -> bytes:
    """Return what looks like a .pyc file."""
    return b"\xcb\r\r\n" + struct.pack("<III", flags, time, 100) + b"\xe3" + FILLER


def elf(build_id: bytes, *, note_flags: int = 2, segment: int = 5, code: bytes = CODE) -> bytes:
    """Return an ELF file with code, a note of its build id, and data.

    `segment` is the flags of the segment that maps the note; 5 is one that is executable.
    """
    note = struct.pack("<III4s", 4, len(build_id), 3, b"GNU\0") + build_id
    head = 64 + 2 * 56
    text, notes = head, head + len(code)
    data = notes + len(note)
    sections = data + len(FILLER)
    made = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    made += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, sections, 0, 64, 56, 2, 64, 4, 0)
    made += struct.pack("<IIQQQQQQ", 1, 5, text, text, text, len(code), len(code), 1)
    made += struct.pack("<IIQQQQQQ", 1, segment, notes, notes, notes, len(note), len(note), 1)
    made += code + note + FILLER
    made += bytes(64)
    for kind, flags, offset, length in (
        (1, 6, text, len(code)),
        (7, note_flags, notes, len(note)),
        (1, 2, data, len(FILLER)),
    ):
        made += struct.pack("<IIQQQQIIQQ", 0, kind, flags, 0, offset, length, 0, 0, 1, 0)
    return made


def pe(stamp: int, *, text: bytes = FILLER, valid: bool = True) -> bytes:
    """Return a PE file with a time stamp, and the checksum that is its own unless not `valid`."""
    made = bytearray(program(text))
    (header,) = struct.unpack_from("<I", made, 0x3C)
    struct.pack_into("<I", made, header + 8, stamp)
    struct.pack_into("<I", made, CHECKSUM, 0)
    found = PeChecksum()
    found.add(made)
    struct.pack_into("<I", made, CHECKSUM, found.value() if valid else 0x1234)
    return bytes(made)


def pe_with_copies(
    stamp: int,
    *,
    flags: int = 0x40000040,
    wide: bool = True,
    entries: int = 2,
    beyond: int = 0,
    directories: int = 16,
    export: int = 0x1000,
) -> bytes:
    """Return a PE file whose export directory and debug entries repeat its time stamp.

    So do as many entries `beyond` those that its debug directory has. Where that is not among its
    `directories`, the section that follows them has its bytes as a name.
    """
    made = bytearray(pe(stamp))
    head = made[SECTION : SECTION + 40]
    table = PE + 24 + (112 if wide else 96)
    struct.pack_into("<H", made, PE + 24, 0x20B if wide else 0x10B)
    struct.pack_into("<H", made, PE + 20, table - PE - 24 + 8 * directories)
    made[table + 8 * directories : table + 8 * directories + 40] = head
    for number, address, size in ((0, export, 40), (6, 0x1100, entries * 28)):
        struct.pack_into("<II", made, table + 8 * number, address, size)
    for offset in (4, *(0x100 + 28 * entry + 4 for entry in range(entries + beyond))):
        struct.pack_into("<I", made, HEADERS + offset, stamp)
    struct.pack_into("<I", made, table + 8 * directories + 36, flags)
    struct.pack_into("<I", made, CHECKSUM, 0)
    found = PeChecksum()
    found.add(made)
    struct.pack_into("<I", made, CHECKSUM, found.value())
    return bytes(made)


def elf32(build_id: bytes, *, order: str = ">", code: int = 4, segment: int = 4) -> bytes:
    """Return a 32-bit ELF file, whose second section is data unless `code` says otherwise.

    `segment` is the flags of the one that maps the note.
    """
    other = struct.pack(f"{order}III4s", 4, 4, 1, b"GNU\0") + b"abi!"
    note = other + struct.pack(f"{order}III4s", 4, len(build_id), 3, b"GNU\0") + build_id
    notes, data = 52 + 32, 52 + 32 + len(note)
    made = b"\x7fELF" + bytes([1, 1 if order == "<" else 2, 1]) + bytes(9)
    sections = data + len(FILLER)
    made += struct.pack(f"{order}HHIIIIIHHHHHH", 3, 20, 1, 0, 52, sections, 0, 52, 32, 1, 40, 3, 0)
    made += struct.pack(f"{order}8I", 1, notes, notes, notes, len(note), len(note), segment, 4)
    made += note + FILLER + bytes(40)
    made += struct.pack(f"{order}10I", 0, 7, 2, 0, notes, len(note), 0, 0, 4, 0)
    return made + struct.pack(f"{order}10I", 0, 1, code, 0, data, len(FILLER), 0, 0, 1, 0)


def edited(made: bytes, offset: int, data: bytes) -> bytes:
    """Return a file with other bytes at an offset, which is from its end if it is negative."""
    at = offset if offset >= 0 else len(made) + offset
    return made[:at] + data + made[at + len(data) :]


def directory_reversed(made: bytes) -> bytes:
    """Return a zip of two members with the other one first in its directory."""
    first, second = made.index(b"PK\x01\x02"), made.rindex(b"PK\x01\x02")
    end = made.rindex(b"PK\x05\x06")
    return made[:first] + made[second:end] + made[first:second] + made[end:]


def without_code(build_id: bytes) -> bytes:
    """Return an ELF file of debug data: its code, which has no bytes in it, begins at the note."""
    made = elf(build_id, segment=4)
    (note,) = struct.unpack_from("<Q", made, 64 + 56 + 8)
    return edited(edited(made, -3 * 64 + 4, struct.pack("<I", 8)), -3 * 64 + 24, _Q(note))


def note_at_end(build_id: bytes) -> bytes:
    """Return an ELF file that ends with its build id."""
    made = elf(bytes(20), segment=4)
    note = struct.pack("<III4s", 4, len(build_id), 3, b"GNU\0") + build_id
    return edited(made, -2 * 64 + 24, _Q(len(made))) + note


def large_note(build_id: bytes, size: int) -> bytes:
    """Return an ELF file whose section of notes has so many bytes."""
    made = elf(build_id, segment=4)
    return edited(made, -2 * 64 + 32, _Q(size)) + bytes(size)


_Q = struct.Struct("<Q").pack
GNU_STACK = struct.pack("<I", 0x6474E551)
"""The type of a segment that says whether the stack is executable."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A shipped and a rebuilt file that differ in fields of one normalizer alone."""

    normalizer: NormalizerName
    make: Callable[[int], bytes]
    shipped: int
    rebuilt: int


def in_tar(content: bytes) -> bytes:
    """Return a tar that holds a file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("usr/lib/inner")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


PAIRS = {
    "ar times": Pair(
        normalizer=NormalizerName.AR_TIMES, make=ar, shipped=1_700_000_000, rebuilt=1_800_000_001
    ),
    "ar owners": Pair(
        normalizer=NormalizerName.AR_OWNERS, make=lambda n: ar(0, n), shipped=1000, rebuilt=0
    ),
    "tar times": Pair(
        normalizer=NormalizerName.TAR_TIMES, make=tar, shipped=1_700_000_000, rebuilt=1_800_000_001
    ),
    "zip times": Pair(normalizer=NormalizerName.ZIP_TIMES, make=zip_of, shipped=2, rebuilt=40),
    "zip extra times": Pair(
        normalizer=NormalizerName.ZIP_TIMES,
        make=lambda n: zip_of(0, extra=times(n)),
        shipped=1_700_000_000,
        rebuilt=1_800_000_001,
    ),
    "pyc time": Pair(normalizer=NormalizerName.PYC_TIME, make=pyc, shipped=1, rebuilt=2),
    "ELF build id": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: elf(bytes([n]) * 20, segment=4),
        shipped=1,
        rebuilt=2,
    ),
    "PE time stamp": Pair(
        normalizer=NormalizerName.PE_TIME_STAMP, make=pe, shipped=1_700_000_000, rebuilt=1
    ),
    "32-bit ELF build id": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: elf32(bytes([n]) * 16, code=2),
        shipped=1,
        rebuilt=2,
    ),
    "32-bit ELF build id of little-endian": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: elf32(bytes([n]) * 16, order="<", code=2),
        shipped=1,
        rebuilt=2,
    ),
    "ELF build id in a file without segments": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: edited(elf(bytes([n]) * 20), 54, bytes(4)),
        shipped=1,
        rebuilt=2,
    ),
    "ELF build id in an executable segment that is not loaded": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: edited(elf(bytes([n]) * 20), 64 + 56, GNU_STACK),
        shipped=1,
        rebuilt=2,
    ),
    "ELF build id where code begins that the file has not": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: without_code(bytes([n]) * 20),
        shipped=1,
        rebuilt=2,
    ),
    "ELF build id at the end of a file": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: note_at_end(bytes([n]) * 20),
        shipped=1,
        rebuilt=2,
    ),
    "ELF build id in a large section": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: large_note(bytes([n]) * 20, 1 << 16),
        shipped=1,
        rebuilt=2,
    ),
    "copies of a PE time stamp": Pair(
        normalizer=NormalizerName.PE_TIME_STAMP,
        make=pe_with_copies,
        shipped=1_700_000_000,
        rebuilt=1,
    ),
    "copies of the time stamp of a 32-bit PE file": Pair(
        normalizer=NormalizerName.PE_TIME_STAMP,
        make=lambda n: pe_with_copies(n, wide=False),
        shipped=1_700_000_000,
        rebuilt=1,
    ),
    "copies in the last directory of a PE file": Pair(
        normalizer=NormalizerName.PE_TIME_STAMP,
        make=lambda n: pe_with_copies(n, directories=7),
        shipped=1_700_000_000,
        rebuilt=1,
    ),
    "copies of a PE time stamp in a tar": Pair(
        normalizer=NormalizerName.PE_TIME_STAMP,
        make=lambda n: in_tar(pe_with_copies(n)),
        shipped=1_700_000_000,
        rebuilt=1,
    ),
    "a tar with what an extended header may say": Pair(
        normalizer=NormalizerName.TAR_TIMES,
        make=lambda n: tar(n, content=b"size=1\n" + FILLER),
        shipped=1_700_000_000,
        rebuilt=1_800_000_001,
    ),
    "a zip whose directory is in another order": Pair(
        normalizer=NormalizerName.ZIP_TIMES,
        make=lambda n: directory_reversed(zip_of(n)),
        shipped=2,
        rebuilt=4,
    ),
    "a tar with a broken program": Pair(
        normalizer=NormalizerName.TAR_TIMES,
        make=lambda n: tar(n, content=b"\x7fELF" + bytes(60) + FILLER),
        shipped=1_700_000_000,
        rebuilt=1_800_000_001,
    ),
    "a tar without an end": Pair(
        normalizer=NormalizerName.TAR_TIMES,
        make=lambda n: tar(n)[: 2 * (512 + len(FILLER)) + 512],
        shipped=1_700_000_000,
        rebuilt=1_800_000_001,
    ),
    "a pyc in four tars": Pair(
        normalizer=NormalizerName.PYC_TIME,
        make=lambda n: in_tar(in_tar(in_tar(in_tar(pyc(n))))),
        shipped=1,
        rebuilt=2,
    ),
    "a zip in an ar": Pair(
        normalizer=NormalizerName.ZIP_TIMES,
        make=lambda n: _in_ar(zip_of(n)),
        shipped=2,
        rebuilt=4,
    ),
    "a pyc in a tar": Pair(
        normalizer=NormalizerName.PYC_TIME,
        make=lambda n: in_tar(pyc(n)),
        shipped=1,
        rebuilt=2,
    ),
    "an ELF in a tar in an ar": Pair(
        normalizer=NormalizerName.ELF_BUILD_ID,
        make=lambda n: _in_ar(in_tar(elf(bytes([n]) * 20, segment=4))),
        shipped=1,
        rebuilt=2,
    ),
}


def _in_ar(content: bytes) -> bytes:
    head = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"data.tar", 0, 0, 0, 0o644, len(content))
    return b"!<arch>\n" + head + content
