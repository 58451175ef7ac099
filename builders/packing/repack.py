"""A file packed again as declared: the same contents in another envelope.

The envelope that the build left is opened, its content is put in the declared order, and packed by
the declared parameters. It runs in the parser jail: what a build leaves is as foreign as any file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple, assert_never, cast

from pydantic import TypeAdapter

from builders.archives import ArchiveError
from builders.archives.ar import MAGIC
from builders.archives.compressed import DecompressedStream, compression
from builders.archives.limits import Budget
from builders.archives.streams import ByteReader
from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Reader, Scratch
from builders.packing.compress import PackingError, compressed
from builders.packing.parameters import (
    ArPacking,
    GzipPacking,
    Packing,
    TarPacking,
    XzPacking,
    ZipPacking,
)
from builders.packing.tar_order import piece, reordered_tar
from builders.packing.zip_layout import LIMITS, repacked_zip

_HEADER = 60
_HEAD = 16


class ArMember(NamedTuple):
    """A member of an ar archive: its name, its header, and where its bytes are."""

    name: str
    header: bytes
    start: int
    size: int


def repacked(file: BinaryIO, packing: Packing, scratch: Scratch) -> Iterator[bytes]:
    """Yield a seekable file packed again; raises `ArchiveError`, `PackingError`."""
    match packing:
        case GzipPacking() | XzPacking():
            with ExitStack() as held:
                yield from compressed(_content(file, packing.content, scratch, held), packing)
        case ZipPacking():
            yield from repacked_zip(file, packing)
        case TarPacking():
            yield from reordered_tar(file, packing.order)
        case ArPacking():
            yield from _repacked_ar(file, packing, scratch)
        case other:
            assert_never(other)


def unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a compressed file, or the file itself; raises `ArchiveError`."""
    file.seek(0)
    reader = ByteReader(file)
    kind = compression(reader.peek(_HEAD))
    if kind is None:
        yield from reader.pieces()
    else:
        yield from ByteReader(DecompressedStream(reader, kind, Budget(LIMITS))).pieces()


def _content(
    file: BinaryIO, content: TarPacking | None, scratch: Scratch, held: ExitStack
) -> Iterator[bytes]:
    if content is None:
        return unpacked(file)
    copy = cast("BinaryIO", held.enter_context(scratch()))
    copy.writelines(unpacked(file))
    return reordered_tar(copy, content.order)


def ar_members(file: BinaryIO) -> list[ArMember]:
    """Return the members of an ar archive with short names; raises `ArchiveError`."""
    end = file.seek(0, 2)
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        raise ArchiveError("no ar archive", expected="one that begins with !<arch>")
    found, at = [], len(MAGIC)
    while at < end:
        file.seek(at)
        header = file.read(_HEADER)
        size = header[48:58].strip(b" ")
        if header[58:] != b"`\n" or not size.isdigit():
            raise ArchiveError("a broken ar archive", got=repr(header[:16]))
        name = header[:16].rstrip(b" ").rstrip(b"/").decode("latin-1")
        found.append(ArMember(name, header, at + _HEADER, int(size)))
        at = found[-1].start + found[-1].size + int(size) % 2
    return found


def _repacked_ar(file: BinaryIO, packing: ArPacking, scratch: Scratch) -> Iterator[bytes]:
    members = ar_members(file)
    names = [member.name for member in members]
    if absent := [name for name in packing.members if names.count(name) != 1]:
        raise ArchiveError(
            f"an ar archive without the member {absent[0]}", expected="one of that name"
        )
    yield MAGIC
    for member in members:
        size, end = member.size, member.start + member.size
        with scratch() as before, scratch() as after:
            body, length = piece(file, member.start, end), size
            if inside := packing.members.get(member.name):
                before.writelines(body)
                after.writelines(repacked(cast("BinaryIO", before), inside, scratch))
                length = after.tell()
                body = piece(after, 0, length)
            yield member.header[:48] + str(length).encode().ljust(10) + member.header[58:]
            yield from body
            yield b"\n" * (length % 2)


class Repacking(FrozenModel):
    """How a file is packed, and how many bytes that may give."""

    packing: Packing
    most: int


def _repack(files: Sequence[BinaryIO], parameters: Repacking, scratch: Scratch) -> int:
    file, out = files
    size = 0
    for data in repacked(file, parameters.packing, scratch):
        size += len(data)
        if size > parameters.most:
            raise PackingError(
                "a file that is too large when it is packed as declared",
                got=f"more than {parameters.most} bytes",
                expected=f"at most {parameters.most} bytes",
            )
        out.write(data)
    out.flush()
    return size


REPACK = Reader(
    name="builders.packing.repack:REPACK",
    read=_repack,
    parameters=Repacking,
    result=TypeAdapter(int),
    limits=JailLimits(
        seconds=900, answer=1 << 10, memory=1 << 30, scratch_files=4, scratch=4 << 30
    ),
    errors=(ArchiveError, PackingError),
)
"""Packs a file again."""
