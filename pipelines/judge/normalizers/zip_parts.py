"""The parts of a zip archive: which bytes of it are times, and which are not."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from builders.archives.limits import ArchiveLimits, Budget
from builders.archives.zip_directory import LOCAL, DirectoryEntry, read_directory
from builders.core.frozen_model import duplicate
from builders.recipe.normalizers import NormalizerName
from pipelines.judge.normalizers.ledger import MaskFault
from pipelines.judge.normalizers.parts import FilePart, FilePlace, UnmaskableError, Wanted, read_at

_NESTED = 64 << 20
_CENTRAL = 46
_LOCAL_FIELDS = (
    (0, 4, "signature", MaskFault.TYPE),
    (4, 6, "packing", MaskFault.TYPE),
    (10, 4, "modification-time", None),
    (14, 16, "sizes", MaskFault.LAYOUT),
)
_CENTRAL_FIELDS = (
    (0, 12, "packing", MaskFault.TYPE),
    (12, 4, "modification-time", None),
    (16, 20, "sizes", MaskFault.LAYOUT),
    (36, 2, "kind-of-content", MaskFault.TYPE),
    (38, 4, "mode", MaskFault.MODE),
    (42, 4, "local-offset", MaskFault.LAYOUT),
)
_TIMES = 0x5455
"""The extra field of Info-ZIP with times in seconds since 1970."""
_LOCAL_TIMES = ("extra-modification-time", "extra-access-time", "extra-creation-time")


def zip_parts(file: BinaryIO, place: FilePlace, wanted: Wanted) -> Iterator[FilePart]:
    """Yield the parts of a zip archive; raises `UnmaskableError` and `ArchiveError`."""
    entries = read_directory(_window(file, place), Budget(ArchiveLimits()))
    names = [entry.name.decode("utf-8", "backslashreplace") for entry in entries]
    if (twice := duplicate(names)) is not None:
        raise UnmaskableError(MaskFault.DUPLICATE, f"the member {twice} is there twice")
    ends = _ends(entries)
    for name, entry in zip(names, entries, strict=True):
        members = (*place.members, name)
        end = place.start + ends[entry.offset]
        yield from _member(file, place.start + entry.offset, end, entry, members)
        at = place.start + entry.record
        lengths = struct.unpack("<3H", read_at(file, at + 28, 6))
        size = _CENTRAL + sum(lengths)
        if wanted.within(at, size):
            record = FilePlace(members=members, start=at, size=size)
            yield from _fields(_CENTRAL_FIELDS, record)
            yield from _texts(file, record, _CENTRAL, lengths)


def _ends(entries: Sequence[DirectoryEntry]) -> dict[int, int]:
    """Return where each local record has to end, by its offset: at the next, or the directory."""
    starts = sorted(entry.offset for entry in entries)
    directory = min((entry.record for entry in entries), default=0)
    return dict(zip(starts, [*starts[1:], directory], strict=False))


def _member(
    file: BinaryIO, at: int, end: int, entry: DirectoryEntry, members: tuple[str, ...]
) -> Iterator[FilePart]:
    magic, _, _, name, extra = LOCAL.unpack(read_at(file, at, LOCAL.size))
    if magic != b"PK\x03\x04" or read_at(file, at + LOCAL.size, name) != entry.name:
        raise UnmaskableError(
            MaskFault.UNREADABLE, f"a local header of {members[-1]} that is another's"
        )
    record = FilePlace(members=members, start=at, size=LOCAL.size + name + extra)
    yield from _fields(_LOCAL_FIELDS, record)
    yield from _texts(file, record, LOCAL.size, (name, extra, 0))
    content = FilePlace(members=members, start=record.end, size=entry.packed)
    if content.end > end:  # by its local header: the directory says nothing of extra fields there
        detail = f"the member {members[-1]} reaches into what follows it"
        raise UnmaskableError(MaskFault.LAYOUT, detail)
    yield FilePart(
        offset=content.start,
        length=content.size,
        field="content",
        place=content,
        fault=MaskFault.COMPRESSED if entry.packing else MaskFault.CONTENT,
    )


def _fields(
    fields: tuple[tuple[int, int, str, MaskFault | None], ...], record: FilePlace
) -> Iterator[FilePart]:
    for offset, length, field, fault in fields:
        yield FilePart(
            offset=record.start + offset,
            length=length,
            field=field,
            place=record,
            mask=None if fault else NormalizerName.ZIP_TIMES,
            fault=fault or MaskFault.UNLIKE,
        )


def _texts(
    file: BinaryIO, record: FilePlace, head: int, lengths: tuple[int, ...]
) -> Iterator[FilePart]:
    """Yield the parts that follow a header: name, extra fields and comment."""
    at = record.start + head
    faults = (MaskFault.NAME, MaskFault.LAYOUT, MaskFault.OUTSIDE)
    names = ("name", "extra-field", "comment")
    for length, field, fault in zip(lengths, names, faults, strict=True):
        yield FilePart(offset=at, length=length, field=field, place=record, fault=fault)
        if field == "extra-field":
            yield from _times(read_at(file, at, length), at, record)
        at += length


def _times(extra: bytes, at: int, record: FilePlace) -> Iterator[FilePart]:
    offset = 0
    while offset + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, offset)
        if kind == _TIMES and length in {5, 9, 13} and offset + 4 + length <= len(extra):
            for number in range((length - 1) // 4):
                yield FilePart(
                    offset=at + offset + 5 + 4 * number,
                    length=4,
                    field=_LOCAL_TIMES[number],
                    place=record,
                    mask=NormalizerName.ZIP_TIMES,
                )
        offset += 4 + length


def _window(file: BinaryIO, place: FilePlace) -> BinaryIO:
    if not place.members:
        return file
    if place.size > _NESTED:
        raise UnmaskableError(
            MaskFault.UNREADABLE, f"a zip of {place.size} bytes inside of an archive"
        )
    return io.BytesIO(read_at(file, place.start, place.size))
