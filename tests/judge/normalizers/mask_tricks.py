"""Pairs of files that must not be equivalent, and what each is called."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from builders.recipe.normalizers import DeclaredNormalizer, NormalizerName
from tests.judge.normalizers.made_files import (
    FILLER,
    ar,
    elf,
    elf32,
    in_tar,
    pe,
    pe_with_copies,
    pyc,
    tar,
    times,
    zip_of,
)
from tests.judge.signatures.signing import HEADERS, PE, SECTION

ALL = tuple(NormalizerName)
ELF_TEXT, PE_TEXT = 64 + 2 * 56, HEADERS
OLD, NEW = 1_700_000_000, 1_800_000_001


def declared(*names: NormalizerName, bytes: int | None = None) -> tuple[DeclaredNormalizer, ...]:  # noqa: A002
    return tuple(
        DeclaredNormalizer(name=name, reason="the vendor's tool gives no such time", bytes=bytes)
        for name in names
    )


@dataclass(frozen=True, kw_only=True)
class Trick:
    """A shipped and a rebuilt file, and what the verdict on them is called."""

    fault: str
    shipped: Callable[[], bytes]
    rebuilt: Callable[[], bytes]
    allowed: tuple[DeclaredNormalizer, ...] = declared(*ALL)


def edited(made: bytes, offset: int, data: bytes) -> bytes:
    at = offset if offset >= 0 else len(made) + offset
    return made[:at] + data + made[at + len(data) :]


def trick(fault: str, made: bytes, offset: int, data: bytes) -> Trick:
    """A file of which the vendor altered some bytes."""
    shipped = edited(made, offset, data)
    assert shipped != made
    return Trick(fault=fault, shipped=lambda: shipped, rebuilt=lambda: made)


def checked(block: bytes) -> bytes:
    """Return a tar header with its checksum."""
    bare = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(bare) + block[156:]


def tar_header(made: bytes, offset: int, data: bytes) -> bytes:
    """Return a tar whose first header is altered and has its checksum."""
    return checked(edited(made[:512], offset, data)) + made[512:]


def twice(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        write(archive)
    return out.getvalue()


def zip_twice(second: int) -> bytes:
    def write(archive: zipfile.ZipFile) -> None:
        for content in (FILLER, FILLER[::-1]):
            archive.writestr(zipfile.ZipInfo("a", (2026, 1, 1, 1, 1, second)), content)

    return twice(write)


def tar_twice(time: int) -> bytes:
    return tar(time, name="a")


def hidden(second: int) -> bytes:
    """Return a zip of whose two members the directory has the second alone."""
    made = zip_of(second)
    end = made.rindex(b"PK\x05\x06")
    start, size = made.index(b"PK\x01\x02"), made.rindex(b"PK\x01\x02") - made.index(b"PK\x01\x02")
    record = bytearray(made[end:])
    struct.pack_into("<HHII", record, 8, 1, 1, end - start - size, start)
    return made[:start] + made[start + size : end] + bytes(record)


def pax(time: int, *, size: bool = False) -> bytes:
    """Return a tar with an extended header."""
    out = io.BytesIO()
    shared = {"size": str(len(FILLER))} if size else {}
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers=shared
    ) as archive:
        info = tarfile.TarInfo("a")
        info.size = len(FILLER)
        info.mtime = time if size else time + 0.5
        archive.addfile(info, io.BytesIO(FILLER))
    return out.getvalue()


def code_in_pe(text: bytes, stamp: int = 1) -> bytes:
    made = bytearray(pe(stamp, text=text))
    struct.pack_into("<I", made, SECTION + 36, 0x60000020)
    return bytes(made)


def packed(content: bytes) -> bytes:
    return zip_of(0, content=content, packing=zipfile.ZIP_DEFLATED)


AR, TAR, ZIP, ELF = ar(OLD), tar(OLD), zip_of(2), elf(bytes(20), segment=4)
ODD = b"!<arch>\n" + b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"a", 0, 0, 0, 0o644, 3) + b"odd\n"
DEFLATED = packed(FILLER)
CENTRAL = ZIP.index(b"PK\x01\x02")

NAMES = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"//", 0, 0, 0, 0, 24) + b"a-name-that-is-long.o/\n\n"
LONG = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"/0", 0, 0, 0, 0o644, 4) + b"data"
BSD = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"#1/8", 0, 0, 0, 0o644, 12) + b"a-name.o" + b"data"


def linked(time: int) -> bytes:
    """Return a tar whose hard link has a size, which some readers skip and others do not."""
    made = tar(time)
    link = made.rindex(b"ustar") - 257
    header = edited(edited(made[link : link + 512], 156, b"1"), 124, b"00000001000")
    return made[:link] + checked(header) + made[link + 512 :]


def misnamed(second: int) -> bytes:
    """Return a zip with another name in a local header than in the directory."""
    return edited(zip_of(second), 30, b"e")


def noteless(build_id: bytes) -> bytes:
    """Return an ELF file in which the section of the build id is called data."""
    made = elf(build_id, segment=4)
    return edited(made, len(made) - 2 * 64 + 4, b"\1")


TRICKS: dict[str, Trick] = {
    "a longer file": Trick(
        fault="sizes-differ", shipped=lambda: ar(OLD) + b"\n", rebuilt=lambda: ar(OLD)
    ),
    "a build id of another length": Trick(
        fault="sizes-differ",
        shipped=lambda: elf(bytes(16), segment=4),
        rebuilt=lambda: elf(bytes(20), segment=4),
    ),
    "more bytes than any recipe may mask": Trick(
        fault="too-much-masked",
        shipped=lambda: in_tar(b"x" * 20_000),
        rebuilt=lambda: in_tar(b"y" * 20_000),
    ),
    "more than a thousandth of a file": Trick(
        fault="too-much-masked",
        shipped=lambda: tar(OLD, content=b"small"),
        rebuilt=lambda: tar(NEW, content=b"small"),
    ),
    "more than the recipe says": Trick(
        fault="too-much-masked",
        shipped=lambda: tar(OLD),
        rebuilt=lambda: tar(NEW),
        allowed=declared(NormalizerName.TAR_TIMES, bytes=8),
    ),
    "content of an ar member": trick("content", AR, 68, b"evil"),
    "name of an ar member": trick("name", AR, 8, b"e"),
    "mode of an ar member": trick("mode", AR, 8 + 40, b"104755"),
    "time of an ar member in no digits": trick("fields-unreadable", AR, 8 + 16, b"x"),
    "size of an ar member": trick("layout", AR, 8 + 48, b"9"),
    "end of an ar header": trick("layout", AR, 8 + 58, b"x"),
    "padding of an ar member": trick("outside-members", ODD, -1, b"x"),
    "an ar member twice": Trick(
        fault="duplicate-member",
        shipped=lambda: ar(OLD, name=b"data.o"),
        rebuilt=lambda: ar(NEW, name=b"data.o"),
    ),
    "mode of a tar member": trick("mode", TAR, 0, tar_header(TAR, 100, b"0000755")[:512]),
    "setuid bit of a tar member": trick("mode", TAR, 0, tar_header(TAR, 100, b"0004755")[:512]),
    "owner of a tar member": trick("owner", TAR, 0, tar_header(TAR, 108, b"0001750")[:512]),
    "owner name of a tar member": trick("owner", TAR, 0, tar_header(TAR, 265, b"eve")[:512]),
    "name of a tar member": trick("name", TAR, 0, tar_header(TAR, 0, b"e")[:512]),
    "prefix of a tar name": trick("name", TAR, 0, tar_header(TAR, 345, b"etc")[:512]),
    "type of a tar member": trick("type", TAR, 0, tar_header(TAR, 156, b"7")[:512]),
    "device of a tar member": trick("type", TAR, 0, tar_header(TAR, 329, b"1")[:512]),
    "target of a link in a tar": Trick(
        fault="name", shipped=lambda: tar(OLD, target="b"), rebuilt=lambda: tar(OLD)
    ),
    "content of a tar member": trick("content", TAR, 512, b"evil"),
    "padding of a tar member": trick("outside-members", in_tar(b"odd"), 512 + 3, b"x"),
    "a tar header without its checksum": trick("content", TAR, 136, b"00000000000"),
    "bytes after the end of a tar": trick("outside-members", TAR, -1, b"x"),
    "a tar member twice": Trick(
        fault="duplicate-member", shipped=lambda: tar_twice(OLD), rebuilt=lambda: tar_twice(NEW)
    ),
    "time in an extended header": Trick(
        fault="layout", shipped=lambda: pax(OLD), rebuilt=lambda: pax(NEW)
    ),
    "size in an extended header": Trick(
        fault="fields-unreadable",
        shipped=lambda: pax(OLD, size=True),
        rebuilt=lambda: pax(NEW, size=True),
    ),
    "content of a zip member": Trick(
        fault="layout",
        shipped=lambda: zip_of(2, content=FILLER[:-4] + b"evil"),
        rebuilt=lambda: zip_of(2),
    ),
    "content of a zip member and no checksum": trick("content", ZIP, 35, b"evil"),
    "mode of a zip member": Trick(
        fault="mode", shipped=lambda: zip_of(2, mode=0o4755), rebuilt=lambda: zip_of(2)
    ),
    "name of a zip member": trick("name", ZIP, 30, b"e"),
    "name of a zip member in the directory": trick("name", ZIP, CENTRAL + 46, b"e"),
    "both names of a zip member": Trick(
        fault="name",
        shipped=lambda: ZIP.replace(b"a.bin", b"e.bin"),
        rebuilt=lambda: ZIP,
    ),
    "system of a zip member": trick("type", ZIP, CENTRAL + 5, b"\0"),
    "compression of a zip member": trick("type", ZIP, 8, b"\x08"),
    "a month that there is not": trick("no-such-field", ZIP, 12, b"\xff"),
    "an hour that there is not": trick("no-such-field", ZIP, 11, b"\xff"),
    "comment of a zip": Trick(
        fault="outside-members",
        shipped=lambda: zip_of(2, comment=b"evil"),
        rebuilt=lambda: zip_of(2, comment=b"good"),
    ),
    "bytes of a zip that no member has": Trick(
        fault="outside-members", shipped=lambda: hidden(2), rebuilt=lambda: hidden(40)
    ),
    "an extra field that is no time": Trick(
        fault="layout",
        shipped=lambda: zip_of(2, extra=struct.pack("<HHI", 0x9999, 4, 1)),
        rebuilt=lambda: zip_of(2, extra=struct.pack("<HHI", 0x9999, 4, 2)),
    ),
    "flags of a time in an extra field": Trick(
        fault="layout",
        shipped=lambda: zip_of(2, extra=times(1)),
        rebuilt=lambda: zip_of(2, extra=times(1).replace(b"\x05\0\x01", b"\x05\0\x03")),
    ),
    "a zip member twice": Trick(
        fault="duplicate-member", shipped=lambda: zip_twice(2), rebuilt=lambda: zip_twice(4)
    ),
    "content of a compressed member": trick("compressed-content", DEFLATED, 60, b"\xff"),
    "a compressed file": Trick(
        fault="compressed-content",
        shipped=lambda: gzip.compress(FILLER, mtime=1),
        rebuilt=lambda: gzip.compress(FILLER, mtime=2),
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
    "a name in the table of an ar": trick("name", b"!<arch>\n" + NAMES + LONG, 70, b"evil"),
    "a name before the content of an ar member": trick("name", b"!<arch>\n" + BSD, 70, b"evil"),
    "a hard link in a tar with a size": Trick(
        fault="fields-unreadable", shipped=lambda: linked(OLD), rebuilt=lambda: linked(NEW)
    ),
    "a zip member with two names": Trick(
        fault="fields-unreadable", shipped=lambda: misnamed(2), rebuilt=lambda: misnamed(4)
    ),
    "a build id in a section that is no note": Trick(
        fault="content",
        shipped=lambda: noteless(bytes(20)),
        rebuilt=lambda: noteless(b"\1" * 20),
    ),
    "code of a .pyc": trick("content", pyc(1), 40, b"evil"),
    "version of a .pyc": trick("content", pyc(1), 0, b"\xcc"),
    "size of the source of a .pyc": trick("content", pyc(1), 12, b"\xff"),
    "a .pyc with a hash in place of a time": Trick(
        fault="content", shipped=lambda: pyc(1, flags=1), rebuilt=lambda: pyc(2, flags=1)
    ),
    "a normalizer that is not declared": Trick(
        fault="undeclared-normalizer",
        shipped=lambda: ar(OLD),
        rebuilt=lambda: ar(NEW),
        allowed=declared(NormalizerName.AR_OWNERS),
    ),
    "a normalizer of another format": Trick(
        fault="undeclared-normalizer",
        shipped=lambda: elf(bytes(20), segment=4),
        rebuilt=lambda: elf(b"\1" * 20, segment=4),
        allowed=declared(NormalizerName.PE_TIME_STAMP),
    ),
    "a format that nobody knows": trick("content", FILLER, 5, b"x"),
    "an archive that ends early": Trick(
        fault="fields-unreadable", shipped=lambda: ar(OLD)[:-9], rebuilt=lambda: ar(NEW)[:-9]
    ),
    "a shipped file of another format": trick("type", ZIP, 0, b"!<ar"),
}
