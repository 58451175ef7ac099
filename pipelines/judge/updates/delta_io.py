"""What the formats of deltas read and write with: strict, bounded, and streamed.

Everything raises `UpdateError` with the fault that the applier reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, BinaryIO, Protocol

from builders.archives.compressed import DECOMPRESSION_ERRORS, Compression, decompressor
from builders.archives.streams import Writable
from builders.core.digest import CHUNK
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_PIECE = 1 << 16
_LOW = int.from_bytes(b"\x7f" * _PIECE, "little")
_HIGH = int.from_bytes(b"\x80" * _PIECE, "little")


class BoundedOutput:
    """The file that a delta makes, which may not outgrow the target."""

    def __init__(self, out: Writable, size: int) -> None:
        """Take at most `size` bytes."""
        self._out = out
        self._size = size
        self.made = 0
        """Bytes written so far."""

    @property
    def left(self) -> int:
        """How many bytes there may still be."""
        return self._size - self.made

    def require(self, size: int) -> None:
        """Raise `UpdateError` unless `size` more bytes may be written."""
        if size > self.left:
            what = f"{self.made + size} bytes or more, and the target has {self._size}"
            raise UpdateError(UpdateFault.UNBOUNDED, what)

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self.require(len(data))
        self._out.write(data)
        self.made += len(data)

    def finish(self) -> None:
        """Raise `UpdateError` if the target has more bytes."""
        if self.left:
            what = f"{self.made} bytes, and the target has {self._size}"
            raise UpdateError(UpdateFault.LENGTH, what)


class Base:
    """The file that a delta is applied to, or a part of one."""

    def __init__(self, file: IO[bytes], start: int = 0, size: int | None = None) -> None:
        """Read of `file` from `start` on, `size` bytes or all."""
        self._file, self._start = file, start
        self.size = file.seek(0, 2) - start if size is None else size

    def pieces(self, start: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes from `start` on; raises `UpdateError` if the base has not all."""
        if size and (start < 0 or start + size > self.size):
            what = f"bytes {start} to {start + size} of a base of {self.size} bytes"
            raise UpdateError(UpdateFault.OUTSIDE_BASE, what)
        at = self._start + start
        while size:
            self._file.seek(at)  # others read of it, too
            data = self._file.read(min(size, _PIECE))
            if not data:
                raise unreadable("a base that became shorter")
            size, at = size - len(data), at + len(data)
            yield data


class DeltaBytes(Protocol):
    """Bytes of a delta, taken in order."""

    def exactly(self, size: int, /) -> bytes:
        """Return the next `size` bytes; raises `UpdateError` if there are fewer."""

    def pieces(self, size: int, /) -> Iterator[bytes]:
        """Yield the next `size` bytes; raises `UpdateError` if there are fewer."""


class DeltaPart:
    """A part of a delta that is in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        """Take of `data`, called `name` in errors."""
        self._data, self._name, self._at = data, name, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes; raises `UpdateError` if there are fewer."""
        end = self._at + size
        if end > len(self._data):
            raise unreadable(f"{self._name} that end {end - len(self._data)} bytes too early")
        found, self._at = self._data[self._at : end], end
        return found

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes; raises `UpdateError` if there are fewer."""
        while size:
            piece = self.exactly(min(size, _PIECE))
            size -= len(piece)
            yield piece

    def rest(self) -> bytes:
        """Return all that follows."""
        return self.exactly(len(self._data) - self._at)

    def finish(self) -> None:
        """Raise `UpdateError` unless all was used."""
        if left := len(self._data) - self._at:
            what = f"{left} bytes of the {self._name} that nothing uses"
            raise UpdateError(UpdateFault.LEFT_OVER, what)


class PackedPart:
    """One compressed stream that fills a part of a file, unpacked as it is read."""

    def __init__(self, file: BinaryIO, start: int, end: int, name: Compression) -> None:
        """Read the stream that begins at `start` and ends at `end`."""
        self._file, self._at, self._end = file, start, end
        self._name = name
        self._stream = decompressor(name)()

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes; raises `UpdateError` if there are fewer."""
        while size:
            data = self._next(min(size, _PIECE))
            if not data:
                raise unreadable(f"a {self._name} stream without the {size} bytes that follow")
            size -= len(data)
            yield data

    def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes; raises `UpdateError` if there are fewer."""
        return b"".join(self.pieces(size))

    def rest(self, most: int) -> Iterator[bytes]:
        """Yield all that follows; raises `UpdateError` if that is more than `most` bytes."""
        while data := self._next(_PIECE):
            most -= len(data)
            if most < 0:
                what = f"a {self._name} stream that goes on for {-most} bytes or more"
                raise UpdateError(UpdateFault.UNBOUNDED, what)
            yield data
        self.finish()

    def finish(self) -> None:
        """Raise `UpdateError` unless stream and part end here."""
        if self._next(1):
            what = f"a {self._name} stream with bytes that nothing uses"
            raise UpdateError(UpdateFault.LEFT_OVER, what)
        if self._stream.unused_data or self._at < self._end:
            what = f"bytes after the end of a {self._name} stream"
            raise UpdateError(UpdateFault.LEFT_OVER, what)

    def _next(self, size: int) -> bytes:
        """Return at most `size` bytes; none at the end of the stream."""
        while not self._stream.eof:
            data = b""
            if self._stream.needs_input:
                self._file.seek(self._at)
                data = self._file.read(min(CHUNK, self._end - self._at))
                if not data:
                    raise unreadable(f"a {self._name} stream that is cut off")
                self._at += len(data)
            try:
                piece = self._stream.decompress(data, size)
            except DECOMPRESSION_ERRORS as error:
                raise unreadable(f"a broken {self._name} stream: {error}") from error
            if piece:
                return piece
        return b""


def byte_sums(one: bytes, other: bytes) -> bytes:
    """Return the sums, modulo 256, of two runs of as many bytes, at most 64 KiB."""
    if not any(one):
        return other
    a, b = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    return (((a & _LOW) + (b & _LOW)) ^ ((a ^ b) & _HIGH)).to_bytes(len(one), "little")


def unreadable(detail: str) -> UpdateError:
    """Return the error for a delta that is broken or cut off."""
    return UpdateError(UpdateFault.UNREADABLE, detail)


def unsupported(detail: str) -> UpdateError:
    """Return the error for a delta that uses what is not supported here."""
    return UpdateError(UpdateFault.UNSUPPORTED, detail)
