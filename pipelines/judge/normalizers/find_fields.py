"""The reader of the jail: which fields the bytes are in at which two files differ.

It sees one of the two files and those offsets, never the other file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, BinaryIO

from pydantic import Field, TypeAdapter

from builders.archives import ar, tar
from builders.archives import zip as zipfiles
from builders.archives.compressed import compression
from builders.archives.limits import ArchiveError
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Reader, Scratch
from builders.recipe.normalizers import MAX_MASKED, NormalizerName
from pipelines.judge.normalizers.archive_parts import ar_parts, tar_parts
from pipelines.judge.normalizers.ledger import (
    MAX_DETAIL,
    FieldName,
    MaskFault,
    Members,
    NotMasked,
    Offset,
)
from pipelines.judge.normalizers.parts import FilePart, FilePlace, UnmaskableError, Wanted, read_at
from pipelines.judge.normalizers.program_parts import elf_parts, is_pyc, pe_parts, pyc_parts
from pipelines.judge.normalizers.zip_parts import zip_parts

_DEPTH = 4
_HEAD = 512
_SHOWN = 200
_Parts = Callable[[BinaryIO, FilePlace, Wanted], Iterator[FilePart]]


class AskedFields(FrozenModel):
    """The offsets at which two files differ."""

    at: Annotated[tuple[Offset, ...], Field(min_length=1, max_length=MAX_MASKED)]


class FileField(FrozenModel):
    """A field that a normalizer may mask, as a process of the jail says."""

    normalizer: NormalizerName
    field: FieldName
    offset: Offset
    length: Annotated[int, Field(ge=1, le=MAX_MASKED)]
    members: Members
    start: Offset
    """Where the file or member begins that the field is about."""
    size: Offset


Fields = Annotated[tuple[FileField, ...], Field(max_length=MAX_MASKED)]


def find_fields(file: BinaryIO, asked: AskedFields) -> tuple[FileField, ...]:
    """Return the fields that cover the offsets asked for; raises `UnmaskableError`."""
    wanted, size = Wanted(asked.at), file.seek(0, 2)
    whole = FilePlace(start=0, size=size)
    unknown = FilePart(offset=0, length=size, field="no-part", place=whole, fault=MaskFault.OUTSIDE)
    found = [unknown] * len(asked.at)
    for part in _parts(file, whole, wanted, depth=0):
        for index in wanted.within(part.offset, part.length):
            found[index] = _better(found[index], part)
    fields = {part.offset: _field(at, part) for at, part in zip(asked.at, found, strict=True)}
    return tuple(fields.values())


def _better(before: FilePart, part: FilePart) -> FilePart:
    """Return which part says what a byte is: one that is run, or else the one inside of the other.

    Of each file, the parts come from outside to inside.
    """
    return before if before.fault is MaskFault.EXECUTABLE else part


def _parts(file: BinaryIO, place: FilePlace, wanted: Wanted, *, depth: int) -> Iterator[FilePart]:
    if not wanted.within(place.start, place.size):
        return
    head = read_at(file, place.start, min(place.size, _HEAD))
    read, fault = _reader_of(head)
    yield FilePart(
        offset=place.start,
        length=place.size,
        field="content" if fault is not MaskFault.OUTSIDE else "no-member",
        place=place,
        fault=fault,
    )
    if read is None:
        return
    for part in read(file, place, wanted):
        if part.mask and not place.start <= part.offset <= place.end - part.length:
            raise UnmaskableError(MaskFault.OUTSIDE, f"{_where(part.offset, part)}, but not inside")
        yield part
        if part.inside and depth < _DEPTH:
            yield from _parts(file, part.place, wanted, depth=depth + 1)


def _reader_of(head: bytes) -> tuple[_Parts | None, MaskFault]:
    """Return what reads a file that begins so, and why bytes may not be masked that it leaves."""
    if head.startswith(ar.MAGIC):
        return ar_parts, MaskFault.OUTSIDE
    if head.startswith(zipfiles.MAGICS):
        return zip_parts, MaskFault.OUTSIDE
    if tar.looks_like_tar(head):
        return tar_parts, MaskFault.OUTSIDE
    if compression(head):
        return None, MaskFault.COMPRESSED
    for known, read in ((b"\x7fELF", elf_parts), (b"MZ", pe_parts)):
        if head.startswith(known):
            return read, MaskFault.CONTENT
    return pyc_parts if is_pyc(head) else None, MaskFault.CONTENT


def _where(at: int, part: FilePart) -> str:
    of = f" of {'/'.join(part.place.members)[:_SHOWN]}" if part.place.members else ""
    return f"byte {at} is in {part.field}{of}"


def _field(at: int, part: FilePart) -> FileField:
    """Return the field that a byte is in; raises `UnmaskableError` if no normalizer masks it."""
    if part.mask is None:
        raise UnmaskableError(part.fault, _where(at, part))
    return FileField(
        normalizer=part.mask,
        field=part.field,
        offset=part.offset,
        length=part.length,
        members=tuple(name[:512] for name in part.place.members),
        start=part.place.start,
        size=part.place.size,
    )


def _read(files: Sequence[BinaryIO], asked: AskedFields, _: Scratch) -> Fields | NotMasked:
    try:
        return find_fields(files[0], asked)
    except UnmaskableError as error:
        return error.refused
    except ArchiveError as error:
        return NotMasked(fault=MaskFault.UNREADABLE, detail=str(error)[:MAX_DETAIL])


FIELDS = Reader(
    name="pipelines.judge.normalizers.find_fields:FIELDS",
    read=_read,
    parameters=AskedFields,
    result=TypeAdapter[Fields | NotMasked](Fields | NotMasked),
    limits=JailLimits(seconds=120, answer=64 << 20),
)
"""Says which fields of a file the bytes are in that differ."""
