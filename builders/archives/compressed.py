"""Single compressed streams: gzip, bzip2, xz and zstd, several frames in a row included."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Literal, Protocol

from builders.archives.limits import CHUNK, ArchiveError, Budget
from builders.archives.streams import Reader
from builders.archives.zstd import ZstdDecompressor

Compression = Literal["gzip", "bzip2", "xz", "zstd"]
Form = Literal["ar", "tar", "zip"] | Compression

_PIECE = 1 << 16
_MEMORY = 160 << 20
"""Bytes an xz stream may ask for; `xz -9` needs 65 MiB."""
_SUFFIXES = {
    ".tgz": ".tar",
    ".tbz2": ".tar",
    ".txz": ".tar",
    ".tzst": ".tar",
    ".gz": "",
    ".bz2": "",
    ".xz": "",
    ".zst": "",
}


class Decompressor(Protocol):
    """What the standard library's incremental decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether the frame is complete."""

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are wanted before more can come out."""

    @property
    def unused_data(self) -> bytes:
        """Return what follows the frame."""

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""


class Inflate:
    """zlib behind the interface of the other decompressors; `wbits` as zlib.decompressobj."""

    def __init__(self, wbits: int) -> None:
        """Start a stream."""
        self._zlib = zlib.decompressobj(wbits)
        self._more = False

    @property
    def eof(self) -> bool:
        """Whether the stream is complete."""
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are wanted."""
        return not self._more

    @property
    def unused_data(self) -> bytes:
        """Return what follows the stream."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""
        piece = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        # a full buffer may hide more that needs no further input
        self._more = bool(self._zlib.unconsumed_tail) or len(piece) == max_length
        return piece


_FRAMES: tuple[tuple[bytes, Compression, Callable[[], Decompressor]], ...] = (
    (b"\x1f\x8b\x08", "gzip", lambda: Inflate(31)),
    (b"BZh", "bzip2", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)),
    (b"\x28\xb5\x2f\xfd", "zstd", ZstdDecompressor),
)
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")


def compression(head: bytes) -> Compression | None:
    """Return the name of the compression that `head` (10 bytes or more) starts with."""
    for magic, name, _ in _FRAMES:
        if head.startswith(magic):
            if name == "bzip2" and head[4:10] not in _BZIP2_BLOCKS:
                return None
            return name
    return None


def unpacked_name(name: str) -> str:
    """Return the name of what a compressed file holds: `data.tar` for `data.tar.xz`."""
    for suffix, instead in _SUFFIXES.items():
        if name.endswith(suffix) and len(name) > len(suffix) and name[-len(suffix) - 1] != "/":
            return name[: -len(suffix)] + instead
    return f"{name}/(unpacked)" if name else "(unpacked)"


class Unpacked:
    """The content of a compressed stream."""

    def __init__(self, reader: Reader, name: str, budget: Budget) -> None:
        """Unpack `reader`, which starts with a frame of the compression `name`."""
        self._reader = reader
        self._name = name
        self._budget = budget
        self._new = next(new for _, known, new in _FRAMES if known == name)
        self._frame = self._start()
        self._fed = b""
        self._done = False

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; raises `ArchiveError`."""
        while not self._done:
            piece = self._step(min(size, CHUNK))
            if self._frame.eof:
                self._next_frame()
            if piece:
                self._budget.bytes(len(piece))
                return piece
        return b""

    def _step(self, size: int) -> bytes:
        data = b""
        if self._frame.needs_input:
            data = self._fed or self._reader.read(_PIECE)
            self._fed = b""
            if not data:
                raise ArchiveError(
                    f"truncated {self._name} stream", got="its end", expected="more bytes"
                )
        try:
            return self._frame.decompress(data, size)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise ArchiveError(
                f"broken {self._name} stream", got=error, expected=f"valid {self._name}"
            ) from error

    def _next_frame(self) -> None:
        """Go on with the frame that follows; zeros are padding, anything else a fault."""
        self._budget.time()
        left = self._frame.unused_data.lstrip(b"\0")
        while len(left) < 16 and (more := self._reader.read(_PIECE)):
            self._budget.time()
            left = (left + more).lstrip(b"\0")
        if not left:
            self._done = True
        elif compression(left) == self._name:
            self._frame, self._fed = self._start(), left
        else:
            raise ArchiveError(
                f"bytes after the end of a {self._name} stream",
                got=repr(left[:8]),
                expected=f"zeros, or another {self._name} stream",
            )

    def _start(self) -> Decompressor:
        try:
            return self._new()
        except (MemoryError, ValueError) as error:
            raise ArchiveError(f"cannot start on a {self._name} stream", got=error) from error
