"""The payload of an RPM package, compressed as deltarpm does (`cfile.c` of deltarpm 3.6.5)."""

from __future__ import annotations

import bz2
import sys
from collections.abc import Iterator

from builders.packing.compress import Compressor, compressed
from builders.packing.parameters import DeflateEncoder, GzipPacking, XzPacking
from pipelines.judge.updates.delta_io import unsupported
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNCOMPRESSED = 0
_GZIP, _BZIP2, _XZ, _ZSTD = 1, 2, 6, 7
_REFUSED = {
    3: "gzip for rsync",
    4: "bzip2 of level 17",
    5: "lzma",
    8: "zstd with threads",
}
_USUAL = {_GZIP: 9, _BZIP2: 9, _XZ: 3, _ZSTD: 3}
_MOST = {_GZIP: 9, _BZIP2: 9, _XZ: 8, _ZSTD: 22}
"""The highest levels; that of xz is bounded by its memory."""
_MAX_MADE = 8 << 30


def payload_pieces(pieces: Iterator[bytes], packing: int, plain: int) -> Iterator[bytes]:
    """Yield what is made: so many bytes plain, and the others compressed; raises `UpdateError`.

    `packing` is the number that deltarpm has for a compression and its level.
    """
    kind, level = packing & 0xFF, packing >> 8 & 0xFF
    if kind != UNCOMPRESSED and kind not in _USUAL:
        raise unsupported(f"a target compressed by {_REFUSED.get(kind, f'number {kind}')}")
    level = level or _USUAL.get(kind, 0)
    if level > _MOST.get(kind, 0):
        raise unsupported(f"a target compressed at level {level}, at most {_MOST.get(kind, 0)}")
    rest = b""
    for piece in pieces:
        yield piece[:plain]
        rest, plain = piece[plain:], max(0, plain - len(piece))
        if not plain:
            break
    if plain:
        raise UpdateError(UpdateFault.LENGTH, f"{plain} bytes too few for a header")
    yield from _compressed(_bounded(rest, pieces), kind, level)


def _bounded(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    size = len(first)
    for piece in others:
        size += len(piece)
        if size > _MAX_MADE:
            raise UpdateError(UpdateFault.UNBOUNDED, f"a payload of more than {_MAX_MADE} bytes")
        yield piece


def _compressed(pieces: Iterator[bytes], kind: int, level: int) -> Iterator[bytes]:
    match kind:
        case 1:
            yield from compressed(pieces, GzipPacking(encoder=DeflateEncoder(level=level)))
        case 2:
            yield from _streamed(pieces, bz2.BZ2Compressor(level))
        case 6:
            yield from compressed(pieces, XzPacking(preset=level, check="sha256"))
        case 7:
            yield from _streamed(pieces, zstd.ZstdCompressor(level))
        case _:
            yield from pieces


def _streamed(pieces: Iterator[bytes], stream: Compressor) -> Iterator[bytes]:
    for piece in pieces:
        yield stream.compress(piece)
    yield stream.flush()
