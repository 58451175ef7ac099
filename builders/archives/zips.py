"""Zip archives, wheels among them: APPNOTE.TXT 6.3.

The central directory decides, as it does for every tool that builds from a zip, and each local
header is checked against it. Members are stored, or packed with deflate or bzip2.
"""

from __future__ import annotations

import bz2
import calendar
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import IO

from builders.archives.compressed import Decompressor, Inflate
from builders.archives.limits import CHUNK, ArchiveError, Budget, UnsupportedArchiveError
from builders.archives.member import Entry, Facts, MemberKind
from builders.archives.streams import Part, Readable, Reader
from builders.archives.zipdirectory import LOCAL, Row, directory

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_PACKINGS = {0: "stored", 8: "deflate", 12: "bzip2"}
_MAX_LINK = 1 << 16
_UTF8 = 1 << 11
_LINK, _DIRECTORY, _TYPE = 0o120000, 0o040000, 0o170000


def entries(stream: IO[bytes], budget: Budget) -> Iterator[Entry]:
    """Yield the members of a seekable zip, in the order of its directory; raises `ArchiveError`."""
    for row in directory(stream, budget):
        if row.packing not in _PACKINGS:
            raise UnsupportedArchiveError(
                "a zip packing that is not read here",
                got=row.packing,
                expected=f"one of {', '.join(_PACKINGS.values())}",
            )
        body = _body(stream, row, budget)
        facts = _facts(row)
        if facts.kind == "symlink":
            target = Reader(body).upto(_MAX_LINK)
            facts = replace(facts, target=target.decode("utf-8", "backslashreplace"))
        yield Entry(facts=facts, body=body if facts.kind == "file" else None)


def _facts(row: Row) -> Facts:
    kind: MemberKind = "file"
    if row.name.endswith(b"/") or row.mode & _TYPE == _DIRECTORY:
        kind = "directory"
    elif row.mode & _TYPE == _LINK:
        kind = "symlink"
    code = "utf-8" if row.flags & _UTF8 else "cp437"
    return Facts(
        path=row.name.decode(code, "backslashreplace"),
        kind=kind,
        mode=row.mode & 0o7777 if row.mode else None,
        mtime=_time(*row.stamp),
        packing=_PACKINGS[row.packing],
    )


def _time(on: int, at: int) -> int | None:
    try:
        day = datetime(1980 + (on >> 9), on >> 5 & 15, on & 31, at >> 11, at >> 5 & 63)  # noqa: DTZ001
    except ValueError:
        return None
    return calendar.timegm(day.timetuple()) + (at & 31) * 2


def _body(stream: IO[bytes], row: Row, budget: Budget) -> Readable:
    stream.seek(row.offset)
    raw = stream.read(LOCAL.size).ljust(LOCAL.size, b"\0")
    magic, flags, packing, name, extra = LOCAL.unpack(raw)
    path = stream.read(name)
    if (magic, path, packing) != (b"PK\x03\x04", row.name, row.packing):
        raise ArchiveError(
            "broken zip archive: a local header that is not what the directory says",
            got=repr((path or magic)[:64]),
            expected=repr(row.name[:64]),
        )
    if (flags | row.flags) & 1:
        raise ArchiveError("an encrypted zip member cannot be read", got=repr(row.name[:64]))
    stream.seek(extra, 1)
    return _Content(Reader(Part(Reader(_At(stream)), row.packed, "zip member")), row, budget)


class _At:
    """A seekable stream read from a place of its own, whoever else moves it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._at = stream.tell()

    def read(self, size: int, /) -> bytes:
        self._stream.seek(self._at)
        piece = self._stream.read(size)
        self._at += len(piece)
        return piece


class _Content:
    """The unpacked bytes of one member, checked against its size and CRC at the end."""

    def __init__(self, packed: Reader, row: Row, budget: Budget) -> None:
        self._packed = packed
        self._row = row
        self._budget = budget
        self._frame: Decompressor | None = None
        if row.packing:
            self._frame = Inflate(-15) if row.packing == 8 else bz2.BZ2Decompressor()
        self._crc = 0
        self._size = 0
        self._done = False

    def read(self, size: int, /) -> bytes:
        while not self._done:
            piece, self._done = self._step(min(size, CHUNK))
            self._budget.bytes(len(piece))
            self._crc = zlib.crc32(piece, self._crc)
            self._size += len(piece)
            self._check(whole=self._done)
            if piece:
                return piece
        return b""

    def _step(self, size: int) -> tuple[bytes, bool]:
        """Return a piece, and whether it is the last."""
        if self._frame is None:
            piece = self._packed.read(size)
            return piece, not piece
        data = b""
        if self._frame.needs_input:
            data = self._packed.read(CHUNK >> 2)
            if not data:
                return b"", True
        try:
            piece = self._frame.decompress(data, size)
        except (zlib.error, OSError, EOFError, ValueError) as error:
            packing = _PACKINGS[self._row.packing]
            raise ArchiveError("broken zip member", got=error, expected=packing) from error
        return piece, self._frame.eof

    def _check(self, *, whole: bool) -> None:
        row = self._row
        if self._size > row.size or (whole and (self._size, self._crc) != (row.size, row.crc)):
            raise ArchiveError(
                "broken zip member: not what the directory says",
                got=f"{self._size} bytes, CRC {self._crc:08x}",
                expected=f"{row.size} bytes, CRC {row.crc:08x}",
            )
