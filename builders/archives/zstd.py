"""Zstandard decompression through the system's libzstd, where there is one.

Python has no zstd of its own before 3.14, and every Debian has libzstd. The functions used are the
stable streaming API of zstd.h: ZSTD_createDStream, ZSTD_decompressStream, ZSTD_freeDStream. Memory
is bounded by the library's default window limit of 128 MiB.
"""

from __future__ import annotations

import ctypes
from functools import cache

from builders.archives.limits import CHUNK, ArchiveError, UnsupportedArchiveError


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("position", ctypes.c_size_t),
    )


class ZstdDecompressor:
    """One frame, fed piece by piece, like `bz2.BZ2Decompressor`."""

    def __init__(self) -> None:
        """Start a frame; raises `UnsupportedArchiveError` where there is no libzstd."""
        self._library = _library()
        self._stream: int | None = self._library.ZSTD_createDStream()
        if self._stream is None:
            raise MemoryError
        self._out = ctypes.create_string_buffer(CHUNK)
        self._input = b""
        self.eof = False
        self.needs_input = True

    @property
    def unused_data(self) -> bytes:
        """Return what follows the frame."""
        return self._input if self.eof else b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes; raises `ArchiveError`."""
        data = self._input + data
        source = ctypes.create_string_buffer(data, len(data))
        took = _Buffer(ctypes.addressof(source), len(data), 0)
        gave = _Buffer(ctypes.addressof(self._out), min(max_length, CHUNK), 0)
        code = self._library.ZSTD_decompressStream(
            self._stream, ctypes.byref(gave), ctypes.byref(took)
        )
        if self._library.ZSTD_isError(code):
            name = self._library.ZSTD_getErrorName(code)
            raise ArchiveError(
                "broken zstd stream", got=name.decode("ascii", "replace"), expected="a zstd frame"
            )
        self._input = data[took.position :]
        self.eof = code == 0
        self.needs_input = not self._input and gave.position < gave.size
        return self._out.raw[: gave.position]

    def __del__(self) -> None:
        """Give the library's memory back."""
        if getattr(self, "_stream", None) is not None:
            self._library.ZSTD_freeDStream(self._stream)
            self._stream = None


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libzstd.so.1")
    except OSError as error:
        raise UnsupportedArchiveError(
            "a zstd stream cannot be read on this machine",
            got="no libzstd.so.1",
            todo="Install it (the package libzstd1 on Debian)",
        ) from error
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.ZSTD_isError.argtypes = [ctypes.c_size_t]
    library.ZSTD_getErrorName.argtypes = [ctypes.c_size_t]
    library.ZSTD_getErrorName.restype = ctypes.c_char_p
    return library
