"""Forward-only streams that can be stacked, each holding at most one chunk in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from builders.archives.limits import CHUNK, ArchiveError
from builders.core.digest import Digest

_SMALL = 1 << 14
"""Reads below this size are served from a chunk that is read ahead."""


class Readable(Protocol):
    """Anything with `read`, which may return less than asked, and nothing only at the end."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""


class ByteSink(Protocol):
    """Takes bytes as they come."""

    def feed(self, piece: bytes, /) -> None:
        """Take the next bytes."""

    def end(self) -> None:
        """Take note that there are no more."""


class Writable(Protocol):
    """Anything with `write`, which takes all that it is given."""

    def write(self, data: bytes, /) -> object:
        """Write bytes."""


class ByteReader:
    """Adds exact reads and look-ahead to any `Readable`."""

    def __init__(self, source: Readable) -> None:
        """Read from `source`, from its current position."""
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
        """Return `size` bytes (at most a few MiB); fewer only at the end."""
        pieces = []
        while size and (piece := self.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def exactly(self, size: int, what: str) -> bytes:
        """Return `size` bytes; raises `ArchiveError` about `what` if the stream ends before."""
        piece = self.upto(size)
        if len(piece) != size:
            raise ArchiveError(
                f"truncated archive: {what}", got=f"{len(piece)} bytes", expected=f"{size} bytes"
            )
        return piece

    def pieces(self) -> Iterator[bytes]:
        """Yield the rest of the stream in chunks."""
        while piece := self.read(CHUNK):
            yield piece


class Slice:
    """The next `size` bytes of a reader, as a stream of their own."""

    def __init__(self, source: ByteReader, size: int, what: str) -> None:
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
            left = f"{self._left} more bytes"
            raise ArchiveError(f"truncated archive: {self._what}", got="its end", expected=left)
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        """Skip what has not been read."""
        while self.read(CHUNK):
            pass


class CopyingStream:
    """A stream that writes what is read from it to a file."""

    def __init__(self, source: Readable, copy: Writable) -> None:
        """Write what is read of `source` to `copy`."""
        self._source = source
        self._copy = copy

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; raises `OSError` when they cannot be written."""
        piece = self._source.read(size)
        self._copy.write(piece)
        return piece


class HashingStream:
    """A stream that hashes what is read from it."""

    def __init__(self, source: Readable, tick: Callable[[], None]) -> None:
        """Hash what is read of `source`; `tick` is called before each read."""
        self._source = source
        self._tick = tick
        self._hasher = hashlib.sha256()
        self._error: ArchiveError | None = None
        self.size = 0

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; an error of the source is raised again by later reads."""
        if self._error:
            raise self._error
        self._tick()
        try:
            piece = self._source.read(size)
        except ArchiveError as error:
            self._error = error
            raise
        self._hasher.update(piece)
        self.size += len(piece)
        return piece

    def finish(self) -> Digest:
        """Read to the end, and return the digest of the whole stream."""
        while self.read(CHUNK):
            pass
        return Digest(self._hasher.hexdigest())
