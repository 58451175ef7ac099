"""Pairs of programs that must not be equivalent, and what each is called."""

from __future__ import annotations

import io
import struct
import tarfile

from builders.recipe.normalizers import NormalizerName
from tests.judge.normalizers.made_files import (
    FILLER,
    edited,
    elf,
    elf32,
    in_tar,
    large_note,
    pe,
    pe_with_copies,
    pyc,
)
from tests.judge.normalizers.trick import NEW, OLD, Trick, declared, trick
from tests.judge.signatures.signing import HEADERS, PE, SECTION

ELF_TEXT, PE_TEXT = 64 + 2 * 56, HEADERS
ELF = elf(bytes(20), segment=4)


def code_in_pe(text: bytes, stamp: int = 1) -> bytes:
    made = bytearray(pe(stamp, text=text))
    struct.pack_into("<I", made, SECTION + 36, 0x60000020)
    return bytes(made)


def noteless(build_id: bytes) -> bytes:
    """Return an ELF file in which the section of the build id is called data."""
    made = elf(build_id, segment=4)
    return edited(made, len(made) - 2 * 64 + 4, b"\1")


def segment_beyond_the_end(build_id: bytes) -> bytes:
    """Return an ELF file whose note is in an executable segment that is longer than the file."""
    return edited(elf(build_id, segment=5), 64 + 56 + 32, struct.pack("<Q", 1 << 40))


def header_in_code(stamp: int) -> bytes:
    """Return a PE file whose executable section has its headers too."""
    made = edited(code_in_pe(FILLER, stamp), SECTION + 20, bytes(4))
    return edited(made, SECTION + 16, struct.pack("<I", len(made)))


def second_section_of_code(stamp: int) -> bytes:
    """Return a PE file whose copies of the time stamp are in the second of two sections, code."""
    made = pe_with_copies(stamp)
    second = edited(made[SECTION : SECTION + 40], 36, struct.pack("<I", 0x60000020))
    first = edited(made[SECTION : SECTION + 40], 8, bytes(12))
    return edited(edited(made, SECTION, first + second), PE + 6, b"\2")


def no_debug_directory(stamp: int) -> bytes:
    """Return a PE file with six directories, whose section has the name of a debug directory."""
    return pe_with_copies(stamp, directories=6)


def library_before(name: str, build_id: bytes) -> bytes:
    """Return a tar whose first member has a note that reaches into the header of the second."""
    library = elf(bytes(20), segment=4)
    library += bytes(-(len(library) + 16 + 4) % 512) + struct.pack("<III4s", 4, 20, 3, b"GNU\0")
    at = len(library) - 16
    library = edited(library + build_id, len(elf(bytes(20))) - 2 * 64 + 24, struct.pack("<Q", at))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member, content in (("a.so", library), (name, FILLER)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


PROGRAMS: dict[str, Trick] = {
    "a build id of another length": Trick(
        fault="sizes-differ",
        shipped=lambda: elf(bytes(16), segment=4),
        rebuilt=lambda: elf(bytes(20), segment=4),
    ),
    "code of an ELF file": trick("executable-code", ELF, ELF_TEXT, b"\xcc"),
    "code of an ELF file in a tar": trick("executable-code", in_tar(ELF), 512 + ELF_TEXT, b"\xcc"),
    "data of an ELF file": trick("content", ELF, ELF_TEXT + 200, b"evil"),
    "header of an ELF file": trick("content", ELF, 24, b"\x01"),
    "a build id in an executable segment": Trick(
        fault="executable-code",
        shipped=lambda: elf(bytes(20), segment=5),
        rebuilt=lambda: elf(b"\1" * 20, segment=5),
    ),
    "a build id in an executable section": Trick(
        fault="executable-code",
        shipped=lambda: elf(bytes(20), note_flags=6, segment=4),
        rebuilt=lambda: elf(b"\1" * 20, note_flags=6, segment=4),
    ),
    "an ELF file without sections": Trick(
        fault="fields-unreadable",
        shipped=lambda: edited(elf(bytes(20), segment=4), 60, b"\0\0"),
        rebuilt=lambda: edited(elf(b"\1" * 20, segment=4), 60, b"\0\0"),
    ),
    "code of a PE file": Trick(
        fault="executable-code",
        shipped=lambda: edited(code_in_pe(FILLER), PE_TEXT, b"\xcc"),
        rebuilt=lambda: code_in_pe(FILLER),
    ),
    "a copy of a time stamp in executable code": Trick(
        fault="executable-code",
        shipped=lambda: pe_with_copies(OLD, flags=0x60000020),
        rebuilt=lambda: pe_with_copies(NEW, flags=0x60000020),
    ),
    "a copy of a time stamp that is none": trick(
        "no-such-field", pe_with_copies(OLD), HEADERS + 4, b"evil"
    ),
    "a build id in a 32-bit file whose code is altered": Trick(
        fault="executable-code",
        shipped=lambda: edited(elf32(bytes(16)), -400, b"evil"),
        rebuilt=lambda: elf32(b"\1" * 16),
    ),
    "a note that is no build id": trick("content", elf32(bytes(16)), 52 + 32 + 16, b"evil"),
    "an ELF file of no known class": Trick(
        fault="fields-unreadable",
        shipped=lambda: edited(ELF, 4, b"\3"),
        rebuilt=lambda: edited(edited(ELF, 4, b"\3"), 200, b"x"),
    ),
    "an ELF file of no known byte order": Trick(
        fault="fields-unreadable",
        shipped=lambda: edited(ELF, 5, b"\0"),
        rebuilt=lambda: edited(edited(ELF, 5, b"\0"), 200, b"x"),
    ),
    "a PE file without its header": Trick(
        fault="fields-unreadable",
        shipped=lambda: edited(pe(1), PE, b"X"),
        rebuilt=lambda: edited(pe(2), PE, b"X"),
    ),
    "a PE file of no known kind": Trick(
        fault="fields-unreadable",
        shipped=lambda: edited(pe(1), PE + 24, b"\x07"),
        rebuilt=lambda: edited(pe(2), PE + 24, b"\x07"),
    ),
    "data of a PE file": trick("content", pe(1), PE_TEXT, b"evil"),
    "a checksum of a PE file that is stale": Trick(
        fault="no-such-field", shipped=lambda: pe(1, valid=False), rebuilt=lambda: pe(2)
    ),
    "a checksum of ours that is stale": Trick(
        fault="no-such-field", shipped=lambda: pe(2), rebuilt=lambda: pe(1, valid=False)
    ),
    "a build id in a section that is no note": Trick(
        fault="content",
        shipped=lambda: noteless(bytes(20)),
        rebuilt=lambda: noteless(b"\1" * 20),
    ),
    "a build id in a segment that is longer than the file": Trick(
        fault="executable-code",
        shipped=lambda: segment_beyond_the_end(bytes(20)),
        rebuilt=lambda: segment_beyond_the_end(b"\1" * 20),
    ),
    "a build id in an executable segment of a 32-bit file": Trick(
        fault="executable-code",
        shipped=lambda: elf32(bytes(16), code=2, segment=5),
        rebuilt=lambda: elf32(b"\1" * 16, code=2, segment=5),
    ),
    "a build id in an executable segment of a member": Trick(
        fault="executable-code",
        shipped=lambda: in_tar(elf(bytes(20), segment=5)),
        rebuilt=lambda: in_tar(elf(b"\1" * 20, segment=5)),
    ),
    "a build id in an executable section of a member": Trick(
        fault="executable-code",
        shipped=lambda: in_tar(elf(bytes(20), note_flags=6, segment=4)),
        rebuilt=lambda: in_tar(elf(b"\1" * 20, note_flags=6, segment=4)),
    ),
    "a build id in a section that is too large": Trick(
        fault="content",
        shipped=lambda: large_note(bytes(20), (1 << 16) + 1),
        rebuilt=lambda: large_note(b"\1" * 20, (1 << 16) + 1),
    ),
    "a build id that reaches into the name of the next member": Trick(
        fault="outside-members",
        shipped=lambda: library_before("evil.sh", b"\1\1\1\1"),
        rebuilt=lambda: library_before("live.sh", b"\2\2\2\2"),
    ),
    "a time stamp in executable code": Trick(
        fault="executable-code",
        shipped=lambda: header_in_code(OLD),
        rebuilt=lambda: header_in_code(NEW),
    ),
    "a copy of a time stamp in a second section": Trick(
        fault="executable-code",
        shipped=lambda: second_section_of_code(OLD),
        rebuilt=lambda: second_section_of_code(NEW),
    ),
    "a copy of a time stamp in a section that is executed": Trick(
        fault="executable-code",
        shipped=lambda: pe_with_copies(OLD, flags=0x20000000),
        rebuilt=lambda: pe_with_copies(NEW, flags=0x20000000),
    ),
    "copies of a time stamp behind the debug directory": Trick(
        fault="content",
        shipped=lambda: pe_with_copies(OLD, beyond=1),
        rebuilt=lambda: pe_with_copies(NEW, beyond=1),
    ),
    "more copies of a time stamp than are looked at": Trick(
        fault="content",
        shipped=lambda: pe_with_copies(OLD, entries=65),
        rebuilt=lambda: pe_with_copies(NEW, entries=65),
    ),
    "copies of a time stamp in a directory that no section has": Trick(
        fault="content",
        shipped=lambda: pe_with_copies(OLD, export=0x9000),
        rebuilt=lambda: pe_with_copies(NEW, export=0x9000),
    ),
    "copies of a time stamp without a debug directory": Trick(
        fault="content",
        shipped=lambda: no_debug_directory(OLD),
        rebuilt=lambda: no_debug_directory(NEW),
    ),
    "code of a .pyc": trick("content", pyc(1), 40, b"evil"),
    "version of a .pyc": trick("content", pyc(1), 0, b"\xcc"),
    "size of the source of a .pyc": trick("content", pyc(1), 12, b"\xff"),
    "a .pyc with a hash in place of a time": Trick(
        fault="content", shipped=lambda: pyc(1, flags=1), rebuilt=lambda: pyc(2, flags=1)
    ),
    "a normalizer of another format": Trick(
        fault="undeclared-normalizer",
        shipped=lambda: elf(bytes(20), segment=4),
        rebuilt=lambda: elf(b"\1" * 20, segment=4),
        allowed=declared(NormalizerName.PE_TIME_STAMP),
    ),
}
