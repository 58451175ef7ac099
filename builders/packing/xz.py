"""The xz file format, as liblzma writes it: one stream, the filter LZMA2, one or several blocks.

Python's library writes neither several blocks nor the layout of the encoder with threads. Each
block is then written by it as a file of its own, whose LZMA2 data and checksum are taken over, and
headers and index are put together here. Sources: "The .xz File Format" 1.2.1; XZ Utils,
`stream_encoder_mt.c`, `block_buffer_encoder.c` and `block_header_encoder.c` for the size that a
header has: it is reserved before the sizes in it are known.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from builders.packing.parameters import Check, XzPacking

MAGIC, FOOTER = b"\xfd7zXZ\0", b"YZ"
CHECKS: dict[Check, int] = {
    "none": lzma.CHECK_NONE,
    "crc32": lzma.CHECK_CRC32,
    "crc64": lzma.CHECK_CRC64,
    "sha256": lzma.CHECK_SHA256,
}
DICTIONARIES = (
    1 << 18, 1 << 20, 1 << 21, 1 << 22, 1 << 22, 1 << 23, 1 << 23, 1 << 24, 1 << 25, 1 << 26,
)  # fmt: skip
"""Bytes of the dictionary of each preset."""
HEADER = 12
"""Bytes of the header of a stream, and of its footer."""
_CHECK_SIZES = {"none": 0, "crc32": 4, "crc64": 8, "sha256": 32}
_SIZES = 0xC0
"""The flags of a block header that has both sizes."""
_HEADERS_BOUND, _CHUNK = 92, 1 << 16
_MIN_BLOCK = 1 << 20


class _Block(NamedTuple):
    """One block as Python's library writes it."""

    filters: bytes
    """The filter flags of its header."""
    data: bytes
    check: bytes
    size: int
    """Bytes of its content."""


def xz_pieces(pieces: Iterable[bytes], packing: XzPacking) -> Iterator[bytes]:
    """Yield the xz file of a content."""
    if not packing.threads and packing.block_size is None:
        stream = _compressor(packing)
        for piece in pieces:
            yield stream.compress(piece)
        yield stream.flush()
        return
    flags = bytes([0, CHECKS[packing.check]])
    yield MAGIC + flags + _crc(flags)
    records = []
    for block in _blocks(pieces, packing):
        header = _block_header(block, packing)
        yield header + block.data + bytes(-len(block.data) % 4) + block.check
        records.append((len(header) + len(block.data) + len(block.check), block.size))
    index = b"\0" + number(len(records)) + b"".join(number(n) for row in records for n in row)
    index += bytes(-len(index) % 4)
    yield index + _crc(index)
    end = struct.pack("<I", len(index) // 4) + flags
    yield _crc(end) + end + FOOTER


def block_size(packing: XzPacking) -> int:
    """Return the bytes of content of one block, of a packing that has several."""
    dictionary = packing.dictionary or DICTIONARIES[packing.preset]
    return packing.block_size or max(3 * dictionary, _MIN_BLOCK)


def number(value: int) -> bytes:
    """Return the variable-length form of a number."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _compressor(packing: XzPacking) -> lzma.LZMACompressor:
    preset = packing.preset | (lzma.PRESET_EXTREME if packing.extreme else 0)
    settings: dict[str, int] = {"id": lzma.FILTER_LZMA2, "preset": preset}
    if packing.dictionary is not None:
        settings["dict_size"] = packing.dictionary
    return lzma.LZMACompressor(lzma.FORMAT_XZ, CHECKS[packing.check], filters=[settings])


def _blocks(pieces: Iterable[bytes], packing: XzPacking) -> Iterator[_Block]:
    most = block_size(packing)
    stream, size, found = _compressor(packing), 0, bytearray()
    for piece in pieces:
        at = 0
        while at < len(piece):
            if size == most:
                yield _taken(bytes(found + stream.flush()), size, packing)
                stream, size, found = _compressor(packing), 0, bytearray()
            part = piece[at : at + most - size]
            found += stream.compress(part)
            at, size = at + len(part), size + len(part)
    if size:
        yield _taken(bytes(found + stream.flush()), size, packing)


def _taken(file: bytes, size: int, packing: XzPacking) -> _Block:
    """Return the only block of a file of Python's library."""
    (backward,) = struct.unpack_from("<I", file, len(file) - 8)
    end = len(file) - HEADER - 4 * (backward + 1)
    length = 4 * (file[HEADER] + 1)
    check = _CHECK_SIZES[packing.check]
    index = file[end + 2 :]
    unpadded = shift = 0
    for byte in index:
        unpadded |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    begin = HEADER + length
    return _Block(
        filters=file[HEADER + 2 : HEADER + 5],
        data=file[begin : HEADER + unpadded - check],
        check=file[end - check : end],
        size=size,
    )


def _block_header(block: _Block, packing: XzPacking) -> bytes:
    if not packing.threads:
        fields, reserved = b"\0" + block.filters, 0
    else:
        most = block_size(packing)
        bound = -(-(most + -(-most // _CHUNK) * 3 + 1) // 4) * 4 + _HEADERS_BOUND
        sizes = number(len(block.data)) + number(block.size)
        fields = bytes([_SIZES]) + sizes + block.filters
        reserved = 1 + len(number(bound) + number(most)) + len(block.filters)
    length = -(-(1 + max(len(fields), reserved) + 4) // 4) * 4
    header = bytes([length // 4 - 1]) + fields
    header += bytes(length - 4 - len(header))
    return header + _crc(header)


def _crc(data: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(data))
