"""One compressed stream by its parameters: the same bytes as the encoder that is named.

Nothing is believed of an encoder: who needs the bytes of a vendor's file compares them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, assert_never

import deflate
from zlib_ng import zlib_ng
from zopfli import zopfli

from builders.core.errors import SamebitsError
from builders.packing.parameters import DeflateEncoder, GzipPacking, Library, XzPacking
from builders.packing.xz import xz_pieces

MAX_WHOLE = 64 << 20
"""Bytes of content for encoders that take it at once."""
_PIECE = 1 << 16
_RAW = -15
_STRATEGIES = {"default": 0, "filtered": 1, "huffman": 2, "rle": 3, "fixed": 4}
_GZIP = b"\x1f\x8b\x08"
_NAMED = 8


class PackingError(SamebitsError):
    """Content that cannot be packed as declared."""


class Compressor(Protocol):
    """What is common to the encoders."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what is complete so far."""

    def flush(self) -> bytes:
        """Return the rest."""


class _Whole:
    """An encoder that takes all content at once."""

    def __init__(self, encode: Callable[[bytes], bytes]) -> None:
        self._encode, self._content = encode, bytearray()

    def compress(self, data: bytes, /) -> bytes:
        self._content += data
        if len(self._content) > MAX_WHOLE:
            raise PackingError(
                "content that is too large for this encoder",
                got=f"more than {MAX_WHOLE} bytes",
                expected=f"at most {MAX_WHOLE} bytes",
            )
        return b""

    def flush(self) -> bytes:
        return self._encode(bytes(self._content))


def _started(encoder: DeflateEncoder) -> Compressor:
    level, memory = encoder.level, encoder.memory_level
    match encoder.library:
        case "zlib":
            if "ng" in zlib.ZLIB_RUNTIME_VERSION:
                raise _absent(encoder.library, zlib.ZLIB_RUNTIME_VERSION)
            strategy = _STRATEGIES[encoder.strategy]
            return zlib.compressobj(level, zlib.DEFLATED, _RAW, memory, strategy)
        case "zlib-ng":
            strategy = _STRATEGIES[encoder.strategy]
            return zlib_ng.compressobj(level, zlib_ng.DEFLATED, _RAW, memory, strategy)
        case "libdeflate":
            return _Whole(lambda data: bytes(deflate.deflate_compress(data, level)))
        case "zopfli":
            # It writes a zlib stream (RFC 1950): two bytes in front, four of checksum behind.
            return _Whole(lambda data: zopfli.compress(data, numiterations=level)[2:-4])
        case other:
            assert_never(other)


def compressed(pieces: Iterable[bytes], packing: GzipPacking | XzPacking) -> Iterator[bytes]:
    """Yield the compressed file of the content `pieces`; raises `PackingError`.

    The packing of the content itself is not applied here.
    """
    match packing:
        case GzipPacking():
            yield from _gzip_pieces(pieces, packing)
        case XzPacking():
            yield from xz_pieces(pieces, packing)
        case other:
            assert_never(other)


def _gzip_pieces(pieces: Iterable[bytes], packing: GzipPacking) -> Iterator[bytes]:
    named = _NAMED if packing.name is not None else 0
    yield _GZIP + struct.pack("<BIBB", named, packing.mtime, packing.flags, packing.os)
    if packing.name is not None:
        yield packing.name.encode("latin-1") + b"\0"
    crc = size = 0

    def counted() -> Iterator[bytes]:
        nonlocal crc, size
        for piece in pieces:
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            yield piece

    yield from deflated(counted(), packing.encoder)
    yield struct.pack("<II", crc, size & 0xFFFFFFFF)


def deflated(pieces: Iterable[bytes], encoder: DeflateEncoder) -> Iterator[bytes]:
    """Yield the deflate stream of a content; raises `PackingError`.

    The encoder gets the content in even pieces: what some write depends on them.
    """
    stream, held = _started(encoder), bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= _PIECE:
            yield stream.compress(bytes(held[:_PIECE]))
            del held[:_PIECE]
    yield stream.compress(bytes(held))
    yield stream.flush()


def _absent(library: Library, got: str) -> PackingError:
    return PackingError(
        f"no encoder of {library} is here",
        got=got,
        expected=f"Python with {library}",
        todo="Use the Python that infra/bootstrap.sh sets up",
    )
