"""Forward-only streams stacked on each other, each holding at most one chunk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from builders.archives.limits import CHUNK, ArchiveError
from builders.core.digest import Digest

_SMALL = 1 << 14
"""Bytes below which a read is served from a chunk read ahead."""


class Readable(Protocol):
    """Anything with `read`; fewer bytes than asked for may come, none only at the end."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""


class Reader:
    """Exact reads and a look ahead over any `Readable`."""

    def __init__(self, source: Readable) -> None:
        """Read from `source`, from where it stands."""
        self._source = source
        self._ahead = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""
        if size <= 0:
            return b""
        if self._at == len(self._ahead):
            if size >= _SMALL:
                return self._source.read(min(size, CHUNK))
            self._ahead, self._at = self._source.read(CHUNK), 0
        piece = self._ahead[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes without consuming them; fewer only at the end."""
        while len(self._ahead) - self._at < size:
            piece = self._source.read(CHUNK)
            if not piece:
                break
            self._ahead, self._at = self._ahead[self._at :] + piece, 0
        return self._ahead[self._at : self._at + size]

    def upto(self, size: int) -> bytes:
        """Return `size` bytes (at most a few MiB), or fewer when the stream ends before."""
        piece = self.read(size)
        if len(piece) == size or not piece:
            return piece
        pieces = [piece]
        left = size - len(piece)
        while left and (piece := self.read(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def exactly(self, size: int, what: str) -> bytes:
        """Return `size` bytes; raises `ArchiveError` naming `what` when the stream ends before."""
        piece = self.upto(size)
        if len(piece) != size:
            raise ArchiveError(
                f"truncated archive: {what}", got=f"{len(piece)} bytes", expected=f"{size} bytes"
            )
        return piece

    def pieces(self) -> Iterator[bytes]:
        """Yield what is left, in chunks."""
        while piece := self.read(CHUNK):
            yield piece


class Part:
    """The next `size` bytes of a reader, as a stream of their own."""

    def __init__(self, source: Reader, size: int, what: str) -> None:
        """Take `size` bytes of `source`; `what` names them in errors."""
        self._source = source
        self._left = size
        self._what = what

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; raises `ArchiveError` if the source ends too early."""
        wanted = min(size, self._left, CHUNK)
        if not wanted:
            return b""
        piece = self._source.read(wanted)
        if not piece:
            raise ArchiveError(
                f"truncated archive: {self._what}",
                got="its end",
                expected=f"{self._left} more bytes",
            )
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        """Pass over whatever was not read."""
        while self.read(CHUNK):
            pass


class Hashed:
    """A stream that hashes what passes through it."""

    def __init__(self, source: Readable, tick: Callable[[], None]) -> None:
        """Hash what is read of `source`, in memory of one buffer; `tick` is called on each read."""
        self._source = source
        self._tick = tick
        self._hasher = hashlib.sha256()
        self._fault: ArchiveError | None = None
        self.size = 0

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; a fault of the source is raised again on every read."""
        if self._fault:
            raise self._fault
        self._tick()
        try:
            piece = self._source.read(size)
        except ArchiveError as error:
            self._fault = error
            raise
        self._hasher.update(piece)
        self.size += len(piece)
        return piece

    def finish(self) -> Digest:
        """Read to the end, and return the digest of all of it."""
        while self.read(CHUNK):
            pass
        return Digest(self._hasher.hexdigest())
