"""Reader for zip archives, wheels among them: APPNOTE.TXT 6.3.

Members are those of the central directory, as for every tool that unpacks a zip, and each local
header is compared with it. Members are stored, or compressed with deflate or bzip2.
"""

from __future__ import annotations

import bz2
import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import IO

from zlib_ng import zlib_ng

from builders.archives.compressed import Decompressor, ZlibDecompressor, ZlibError
from builders.archives.limits import CHUNK, ArchiveError, Budget, UnsupportedArchiveError
from builders.archives.member import Entry, MemberHeader, MemberKind
from builders.archives.streams import ByteReader, Readable, Slice
from builders.archives.zip_directory import LOCAL, DirectoryEntry, broken_zip, read_directory

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_PACKINGS = {0: "stored", 8: "deflate", 12: "bzip2"}
_MAX_LINK = 1 << 16
_UTF8 = 1 << 11
_LINK, _DIRECTORY, _TYPE = 0o120000, 0o040000, 0o170000


def zip_entries(stream: IO[bytes], budget: Budget) -> Iterator[Entry]:
    """Yield the members of a seekable zip in directory order; raises `ArchiveError`."""
    for entry in read_directory(stream, budget):
        if entry.packing not in _PACKINGS:
            raise UnsupportedArchiveError(
                "an unsupported compression of a zip member",
                got=entry.packing,
                expected=f"one of {', '.join(_PACKINGS.values())}",
            )
        body = _body(stream, entry, budget)
        header = _header(entry)
        if header.kind == "symlink":
            target = ByteReader(body).upto(_MAX_LINK)
            header = replace(header, target=target.decode("utf-8", "backslashreplace"))
        yield Entry(header=header, body=body if header.kind == "file" else None)


def _header(entry: DirectoryEntry) -> MemberHeader:
    kind: MemberKind = "file"
    if entry.name.endswith(b"/") or entry.mode & _TYPE == _DIRECTORY:
        kind = "directory"
    elif entry.mode & _TYPE == _LINK:
        kind = "symlink"
    return MemberHeader(
        path=entry.name.decode("utf-8" if entry.flags & _UTF8 else "cp437", "backslashreplace"),
        kind=kind,
        mode=entry.mode & 0o7777 if entry.mode else None,
        mtime=_time(*entry.stamp),
        packing=_PACKINGS[entry.packing],
    )


def _time(on: int, at: int) -> int | None:
    try:
        day = datetime(1980 + (on >> 9), on >> 5 & 15, on & 31, at >> 11, at >> 5 & 63)  # noqa: DTZ001
    except ValueError:
        return None
    return calendar.timegm(day.timetuple()) + (at & 31) * 2


def _body(stream: IO[bytes], entry: DirectoryEntry, budget: Budget) -> Readable:
    stream.seek(entry.offset)
    raw = stream.read(LOCAL.size).ljust(LOCAL.size, b"\0")
    magic, flags, packing, name, extra = LOCAL.unpack(raw)
    path = stream.read(name)
    if (magic, path, packing) != (b"PK\x03\x04", entry.name, entry.packing):
        what = "a local header that is not as the directory says"
        raise broken_zip(what, got=repr((path or magic)[:64]), expected=repr(entry.name[:64]))
    if (flags | entry.flags) & 1:
        what = "an encrypted zip member cannot be read"
        raise UnsupportedArchiveError(what, got=repr(entry.name[:64]))
    stream.seek(extra, 1)
    packed = Slice(ByteReader(_OwnPosition(stream)), entry.packed, "zip member")
    return _Content(ByteReader(packed), entry, budget)


class _OwnPosition:
    """A seekable stream with a position of its own, so that others may move the stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._at = stream.tell()

    def read(self, size: int, /) -> bytes:
        self._stream.seek(self._at)
        piece = self._stream.read(size)
        self._at += len(piece)
        return piece


class _Content:
    """The unpacked bytes of one member; its size and CRC are checked at the end."""

    def __init__(self, packed: ByteReader, entry: DirectoryEntry, budget: Budget) -> None:
        self._packed = packed
        self._entry = entry
        self._budget = budget
        self._decompressor: Decompressor | None = None
        if entry.packing:
            deflate = entry.packing == 8
            self._decompressor = ZlibDecompressor(-15) if deflate else bz2.BZ2Decompressor()
        self._crc = 0
        self._size = 0
        self._done = False

    def read(self, size: int, /) -> bytes:
        while not self._done:
            piece, self._done = self._step(min(size, CHUNK))
            self._budget.bytes(len(piece))
            self._crc = zlib_ng.crc32(piece, self._crc)
            self._size += len(piece)
            self._check(whole=self._done)
            if piece:
                return piece
        return b""

    def _step(self, size: int) -> tuple[bytes, bool]:
        """Return a piece, and whether it is the last one."""
        if self._decompressor is None:
            piece = self._packed.read(size)
            return piece, not piece
        data = b""
        if self._decompressor.needs_input:
            data = self._packed.read(CHUNK >> 2)
            if not data:
                return b"", True
        try:
            piece = self._decompressor.decompress(data, size)
        except (ZlibError, OSError, EOFError, ValueError) as error:
            packing = _PACKINGS[self._entry.packing]
            raise ArchiveError("broken zip member", got=error, expected=packing) from error
        return piece, self._decompressor.eof

    def _check(self, *, whole: bool) -> None:
        size, crc = self._entry.size, self._entry.crc
        if self._size > size or (whole and (self._size, self._crc) != (size, crc)):
            raise ArchiveError(
                "broken zip member: not as the directory says",
                got=f"{self._size} bytes, CRC {self._crc:08x}",
                expected=f"{size} bytes, CRC {crc:08x}",
            )
