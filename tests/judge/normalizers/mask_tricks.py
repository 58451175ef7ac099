"""Pairs of files that must not be equivalent, and what each is called."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable

from builders.recipe.normalizers import NormalizerName
from tests.judge.normalizers.made_files import (
    FILLER,
    ar,
    edited,
    in_tar,
    pyc,
    tar,
    times,
    zip_of,
)
from tests.judge.normalizers.program_tricks import PROGRAMS
from tests.judge.normalizers.trick import NEW, OLD, Trick, declared, trick


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


def packed(content: bytes) -> bytes:
    return zip_of(0, content=content, packing=zipfile.ZIP_DEFLATED)


AR, TAR, ZIP = ar(OLD), tar(OLD), zip_of(2)
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


def bsd(name: bytes) -> bytes:
    """Return an ar whose member has its name in front of its content."""
    size = len(name) + len(FILLER)
    head = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"#1/%d" % len(name), 0, 0, 0, 0o644, size)
    return b"!<arch>\n" + head + name + FILLER


def without_magic(second: int) -> bytes:
    """Return a zip whose second local header is not marked as one."""
    made = zip_of(second)
    return edited(made, made.index(b"b.bin") - 30, b"KP")


def into_the_directory(second: int) -> bytes:
    """Return a zip whose last member reaches into the directory by its own header."""
    made = zip_of(second)
    return edited(made, made.index(b"b.bin") - 2, b"\x0a\0")


TRICKS: dict[str, Trick] = {
    **PROGRAMS,
    "a longer file": Trick(
        fault="sizes-differ", shipped=lambda: ar(OLD) + b"\n", rebuilt=lambda: ar(OLD)
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
    "an ar member without a name": Trick(
        fault="fields-unreadable",
        shipped=lambda: ar(OLD, name=b""),
        rebuilt=lambda: ar(NEW, name=b""),
    ),
    "two tables of names in an ar": Trick(
        fault="fields-unreadable",
        shipped=lambda: edited(b"!<arch>\n" + NAMES + NAMES + LONG, -48, b"1"),
        rebuilt=lambda: b"!<arch>\n" + NAMES + NAMES + LONG,
    ),
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
    "a name in the table of an ar": trick("name", b"!<arch>\n" + NAMES + LONG, 70, b"evil"),
    "a name before the content of an ar member": trick("name", b"!<arch>\n" + BSD, 70, b"evil"),
    "a hard link in a tar with a size": Trick(
        fault="fields-unreadable", shipped=lambda: linked(OLD), rebuilt=lambda: linked(NEW)
    ),
    "a zip member with two names": Trick(
        fault="fields-unreadable", shipped=lambda: misnamed(2), rebuilt=lambda: misnamed(4)
    ),
    "a .pyc in five tars": Trick(
        fault="content",
        shipped=lambda: in_tar(in_tar(in_tar(in_tar(in_tar(pyc(1)))))),
        rebuilt=lambda: in_tar(in_tar(in_tar(in_tar(in_tar(pyc(2)))))),
    ),
    "a compressed file in a tar": Trick(
        fault="compressed-content",
        shipped=lambda: in_tar(gzip.compress(FILLER, mtime=1)),
        rebuilt=lambda: in_tar(gzip.compress(FILLER, mtime=2)),
    ),
    "a time in the name of an ar member": Trick(
        fault="name",
        shipped=lambda: bsd(pyc(1)[:40]),
        rebuilt=lambda: bsd(pyc(2)[:40]),
    ),
    "time of a .pyc in a zip and no checksum": trick(
        "content", zip_of(2, content=pyc(1)), 30 + 5 + 8, b"\2"
    ),
    "last byte of a zip member and no checksum": trick(
        "content", ZIP, 30 + 5 + len(FILLER) - 1, b"x"
    ),
    "a local header of a zip without its mark": Trick(
        fault="fields-unreadable",
        shipped=lambda: without_magic(2),
        rebuilt=lambda: without_magic(4),
    ),
    "a size of an ar member in other columns": Trick(
        fault="fields-unreadable",
        shipped=lambda: edited(ar(OLD), 8 + 48, b"%10d" % len(FILLER)),
        rebuilt=lambda: edited(ar(NEW), 8 + 48, b"%10d" % len(FILLER)),
    ),
    "a time in the comment of a zip member": Trick(
        fault="outside-members",
        shipped=lambda: zip_of(2, remark=times(1)),
        rebuilt=lambda: zip_of(2, remark=times(2)),
    ),
    "a zip member that reaches into the directory": Trick(
        fault="layout",
        shipped=lambda: into_the_directory(2),
        rebuilt=lambda: into_the_directory(4),
    ),
    "a tar member without a name": Trick(
        fault="fields-unreadable",
        shipped=lambda: tar(OLD, name=""),
        rebuilt=lambda: tar(NEW, name=""),
    ),
    "a normalizer that is not declared": Trick(
        fault="undeclared-normalizer",
        shipped=lambda: ar(OLD),
        rebuilt=lambda: ar(NEW),
        allowed=declared(NormalizerName.AR_OWNERS),
    ),
    "a format that nobody knows": trick("content", FILLER, 5, b"x"),
    "an archive that ends early": Trick(
        fault="fields-unreadable", shipped=lambda: ar(OLD)[:-9], rebuilt=lambda: ar(NEW)[:-9]
    ),
    "a shipped file of another format": trick("type", ZIP, 0, b"!<ar"),
}
