"""Single compressed streams: gzip, bzip2, xz and zstd, with one or several frames."""

from __future__ import annotations

import bz2
import lzma
import sys
from collections.abc import Callable
from typing import Literal, Protocol, cast

from zlib_ng import zlib_ng

from builders.archives.limits import CHUNK, ArchiveError, Budget, UnsupportedArchiveError
from builders.archives.streams import ByteReader

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Compression = Literal["gzip", "bzip2", "xz", "zstd"]
ArchiveFormat = Literal["ar", "tar", "zip"] | Compression

_PIECE = 1 << 16
XZ_MEMORY = 160 << 20
"""Bytes that an xz stream may ask for; `xz -9` needs 65 MiB."""
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 27}
"""A zstd stream may ask for a window of 128 MiB, the default limit of libzstd."""
ZlibError = cast("type[Exception]", zlib_ng.error)  # its type stub names an instance
DECOMPRESSION_ERRORS = (ZlibError, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError)
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
        """Whether the end of the frame was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are needed for more output."""

    @property
    def unused_data(self) -> bytes:
        """The bytes that follow the frame."""

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""


class ZlibDecompressor:
    """zlib with the interface of the other decompressors: zlib-ng, which takes half of the time."""

    def __init__(self, wbits: int) -> None:
        """Start a stream; `wbits` as for `zlib.decompressobj`."""
        self._zlib = zlib_ng.decompressobj(wbits)
        self._more = False

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are needed for more output."""
        return not self._more

    @property
    def unused_data(self) -> bytes:
        """The bytes that follow the stream."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""
        piece = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        # After a full buffer there may be more output that needs no further input.
        self._more = bool(self._zlib.unconsumed_tail) or len(piece) == max_length
        return piece


_FORMATS: dict[Compression, tuple[bytes, Callable[[], Decompressor]]] = {
    "gzip": (b"\x1f\x8b\x08", lambda: ZlibDecompressor(31)),
    "bzip2": (b"BZh", bz2.BZ2Decompressor),
    "xz": (
        b"\xfd7zXZ\0",
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY),
    ),
    "zstd": (b"\x28\xb5\x2f\xfd", lambda: zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)),
}
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")


def compression(head: bytes) -> Compression | None:
    """Return the compression of a stream that starts with `head` (10 bytes or more)."""
    for name, (magic, _) in _FORMATS.items():
        if head.startswith(magic):
            return None if name == "bzip2" and head[4:10] not in _BZIP2_BLOCKS else name
    return None


def decompressor(name: Compression) -> Callable[[], Decompressor]:
    """Return what starts to read a frame."""
    return _FORMATS[name][1]


def asks_for_memory(error: Exception) -> bool:
    """Say whether a stream was refused for the memory that it asks for."""
    # The modules have no class for their limits.
    return "memory" in str(error).lower()


def unpacked_name(name: str) -> str:
    """Return the name of the content of a compressed file: `data.tar` for `data.tar.xz`."""
    for suffix, instead in _SUFFIXES.items():
        if name.endswith(suffix) and len(name) > len(suffix) and name[-len(suffix) - 1] != "/":
            return name[: -len(suffix)] + instead
    return f"{name}/(unpacked)" if name else "(unpacked)"


class DecompressedStream:
    """The content of a compressed stream."""

    def __init__(self, reader: ByteReader, name: Compression, budget: Budget) -> None:
        """Decompress `reader`, which starts with a frame of the compression `name`."""
        self._reader = reader
        self._name = name
        self._budget = budget
        self._frame = self._start()
        self._input = b""
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
            data, self._input = self._input or self._reader.read(_PIECE), b""
            if not data:
                what = f"truncated {self._name} stream"
                raise ArchiveError(what, got="its end", expected="more bytes")
        try:
            return self._frame.decompress(data, size)
        except DECOMPRESSION_ERRORS as error:
            if asks_for_memory(error):
                what = f"a {self._name} stream that asks for too much memory"
                raise UnsupportedArchiveError(what, got=error) from error
            what = f"broken {self._name} stream"
            raise ArchiveError(what, got=error, expected=f"valid {self._name}") from error

    def _next_frame(self) -> None:
        """Continue with the next frame; zeros are padding, and anything else is an error."""
        self._budget.time()
        left = self._frame.unused_data.lstrip(b"\0")
        while len(left) < 16 and (more := self._reader.read(_PIECE)):
            self._budget.time()
            left = (left + more).lstrip(b"\0")
        if not left:
            self._done = True
        elif compression(left) == self._name:
            self._frame, self._input = self._start(), left
        else:
            raise ArchiveError(
                f"bytes after the end of a {self._name} stream",
                got=repr(left[:8]),
                expected=f"zeros, or another {self._name} stream",
            )

    def _start(self) -> Decompressor:
        try:
            return _FORMATS[self._name][1]()
        except (MemoryError, ValueError) as error:
            raise ArchiveError(f"cannot decompress a {self._name} stream", got=error) from error
