"""The parts of ar and tar archives: which bytes of them are times and owners, and which are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from builders.archives import ar, tar
from builders.archives.limits import ArchiveLimits, Budget
from builders.archives.streams import ByteReader, Slice
from builders.core.frozen_model import duplicate
from builders.recipe.normalizers import NormalizerName
from pipelines.judge.normalizers.ledger import MaskFault
from pipelines.judge.normalizers.parts import FilePart, FilePlace, UnmaskableError, Wanted, read_at

_AR_HEADER = 60
_AR = (
    (0, 16, "name", MaskFault.NAME),
    (16, 12, "modification-time", NormalizerName.AR_TIMES),
    (28, 6, "owner", NormalizerName.AR_OWNERS),
    (34, 6, "group", NormalizerName.AR_OWNERS),
    (40, 8, "mode", MaskFault.MODE),
    (48, 12, "size", MaskFault.LAYOUT),
)
_TAR = (
    (0, 100, "name", MaskFault.NAME),
    (100, 8, "mode", MaskFault.MODE),
    (108, 16, "owner", MaskFault.OWNER),
    (124, 12, "size", MaskFault.LAYOUT),
    (136, 12, "modification-time", NormalizerName.TAR_TIMES),
    (148, 8, "checksum", NormalizerName.TAR_TIMES),
    (156, 1, "type", MaskFault.TYPE),
    (157, 100, "link-target", MaskFault.NAME),
    (257, 8, "format", MaskFault.TYPE),
    (265, 64, "owner-names", MaskFault.OWNER),
    (329, 16, "device", MaskFault.TYPE),
    (345, 167, "prefix", MaskFault.NAME),
)
_EXTENDED = b"LKxg"
_NO_CONTENT = b"123456"
_Fields = tuple[tuple[int, int, str, MaskFault | NormalizerName], ...]


def ar_parts(file: BinaryIO, place: FilePlace, wanted: Wanted) -> Iterator[FilePart]:
    """Yield the parts of an ar archive; raises `UnmaskableError` and `ArchiveError`."""
    listed = iter(_names(entry.header.path for entry in ar.ar_entries(_stream(file, place))))
    at = place.start + len(ar.MAGIC)
    while at < place.end:
        header = read_at(file, at, _AR_HEADER)
        size = _digits(header[48:58].rstrip(b" "), 10, at)
        table = header[:16].rstrip() == b"//"
        name = "//" if table else next(listed, "")
        if not name:
            raise _disputed(at)
        member = FilePlace(members=(*place.members, name), start=at + _AR_HEADER, size=size)
        yield from _header(_AR, at, member, wanted)
        long_name = header.startswith(b"#1/")
        what, fault = ("name", MaskFault.NAME) if table or long_name else ("content", None)
        yield _content(member, what, fault)
        at += _AR_HEADER + size + size % 2
    if next(listed, None) is not None:
        raise _disputed(at)


def tar_parts(file: BinaryIO, place: FilePlace, wanted: Wanted) -> Iterator[FilePart]:
    """Yield the parts of a tar archive; raises `UnmaskableError` and `ArchiveError`."""
    budget = Budget(ArchiveLimits())
    names = (e.header.path for e in tar.tar_entries(_stream(file, place), budget))
    at, listed = place.start, iter(_names(names))
    while at < place.end and any(block := read_at(file, at, tar.BLOCK)):
        flag, size = block[156:157], _digits(block[124:136].rstrip(b"\0 "), 8, at)
        extended = flag in _EXTENDED
        name = "extended header" if extended else next(listed, "")
        resized = extended and b"size=" in read_at(file, at + tar.BLOCK, size)
        if not name or resized or (flag in _NO_CONTENT and size):
            raise _disputed(at)
        member = FilePlace(members=(*place.members, name), start=at + tar.BLOCK, size=size)
        yield from _header(_TAR, at, member, wanted)
        what, fault = ("extended-header", MaskFault.LAYOUT) if extended else ("content", None)
        yield _content(member, what, fault)
        at += tar.BLOCK + size + -size % tar.BLOCK
    if next(listed, None) is not None:
        raise _disputed(at)


def _header(fields: _Fields, at: int, member: FilePlace, wanted: Wanted) -> Iterator[FilePart]:
    end = fields[-1][0] + fields[-1][1]
    if not wanted.within(at, end):
        return
    for offset, length, field, kind in fields:
        mask = kind if isinstance(kind, NormalizerName) else None
        fault = kind if isinstance(kind, MaskFault) else MaskFault.UNLIKE
        yield FilePart(
            offset=at + offset, length=length, field=field, place=member, mask=mask, fault=fault
        )


def _content(member: FilePlace, what: str, fault: MaskFault | None) -> FilePart:
    return FilePart(
        offset=member.start,
        length=member.size,
        field=what,
        place=member,
        fault=fault or MaskFault.CONTENT,
        inside=fault is None,
    )


def _stream(file: BinaryIO, place: FilePlace) -> ByteReader:
    file.seek(place.start)
    return ByteReader(Slice(ByteReader(file), place.size, "archive"))


def _names(paths: Iterable[str]) -> list[str]:
    """Return the paths of the members; two of one name are refused, as tools choose differently."""
    found = list(paths)
    if (twice := duplicate(found)) is not None:
        raise UnmaskableError(MaskFault.DUPLICATE, f"the member {twice} is there twice")
    return found


def _digits(field: bytes, base: int, at: int) -> int:
    if not field.isdigit():
        raise _disputed(at)
    return int(field, base)


def _disputed(at: int) -> UnmaskableError:
    return UnmaskableError(MaskFault.UNREADABLE, f"a header at {at} that readers may disagree on")
