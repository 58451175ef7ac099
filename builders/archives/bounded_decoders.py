"""Decoders whose memory does not depend on what a header asks for.

They read what only looks like a stream, too: such bytes ask for anything.
"""

from __future__ import annotations

import lzma
import struct

from builders.archives.compressed import decompressor

LZMA_HEADER = struct.Struct("<BIQ")
"""The header of an lzma stream: its properties, and the sizes of its dictionary and content."""
_DICTIONARY = 64 << 20
_ZEROS = bytes(64)
_SINGLE, _WINDOW = 0x20, 0x88
"""Parts of the header of a zstd frame: the content is the window; a window of 128 MiB."""


class LzmaAlone:
    """A decoder of lzma streams whose memory does not depend on what the header asks for.

    Much looks like such a header, and asks for gigabytes. A stream is over at 64 zeros in a row:
    they would unpack to zeros without end, and are what no encoder writes.
    """

    unused_data = b""
    """Not known: nothing needs it."""

    def __init__(self) -> None:
        """Start a stream, with its header."""
        self._header = b""
        self._raw: lzma.LZMADecompressor | None = None
        self._left = 1
        self._over = False

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        return self._left == 0 or (self._raw is not None and self._raw.eof)

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are needed for more output."""
        return self._raw is None or self._raw.needs_input

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""
        if self._raw is None:
            self._header += data
            if len(self._header) < LZMA_HEADER.size:
                return b""
            self._raw, data = self._started(), self._header[LZMA_HEADER.size :]
        if (zeros := data.find(_ZEROS)) >= 0:
            data, self._over = data[:zeros], True
        piece = self._raw.decompress(data, min(max_length, self._left))
        self._left -= len(piece)
        if self._over and self._raw.needs_input:
            self._left = 0
        return piece

    def _started(self) -> lzma.LZMADecompressor:
        properties, dictionary, self._left = LZMA_HEADER.unpack_from(self._header)
        rest, lc = divmod(properties, 9)
        pb, lp = divmod(rest, 5)
        size = min(dictionary, _DICTIONARY)
        settings = {"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": lc, "lp": lp, "pb": pb}
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings])


class ZstdFrame:
    """A decoder of a zstd frame whose window does not depend on what the header asks for.

    Programs hold the magic number as a constant, and what follows it may ask for terabytes.
    """

    def __init__(self) -> None:
        """Start a frame."""
        self._frame = decompressor("zstd")()
        self._header = b""
        self._begun = False

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        return self._frame.eof

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are needed for more output."""
        return self._frame.needs_input

    @property
    def unused_data(self) -> bytes:
        """The bytes that follow the frame."""
        return self._frame.unused_data

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""
        if not self._begun:
            self._header += data
            if (known := _with_window(self._header)) is None:
                return b""
            self._begun, data = True, known
        return self._frame.decompress(data, max_length)


def _with_window(frame: bytes) -> bytes | None:
    """Return the frame with a window of 128 MiB at most (RFC 8878, 3.1.1.1); None if cut off."""
    if len(frame) < 6:
        return None
    start, descriptor, window = frame[:4], frame[4], frame[5]
    if not descriptor & _SINGLE:
        return start + bytes([descriptor, min(window, _WINDOW)]) + frame[6:]
    length = (0, 2, 4, 8)[descriptor >> 6]
    at = 5 + (0, 1, 2, 4)[descriptor & 3]
    if length < 4:
        return frame
    if len(frame) < at + length:
        return None
    if int.from_bytes(frame[at : at + length], "little") <= 1 << 27:
        return frame
    return start + bytes([descriptor & 0x1F, _WINDOW]) + frame[5:at] + frame[at + length :]
