"""The parameters of gzip and xz files, each read on its own."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from builders.archives import ArchiveError
from builders.archives.limits import CHUNK
from builders.packing.compress import compressed
from builders.packing.parameters import GzipPacking, XzPacking
from builders.packing.tar_order import piece
from builders.packing.xz import CHECKS, DICTIONARIES, FOOTER, HEADER, MAGIC, block_size
from pipelines.judge.packing.encoders import encoders, gives, is_affordable

_GZIP, _NAMED, _TRAILER = b"\x1f\x8b\x08", 8, 8
_HEAD = 10 + 255 + 1
"""Bytes of a gzip header with the longest name."""
_LZMA2 = b"\x21\x01"
_SIZES = 0xC0
"""The flags of a block header that has both sizes, as liblzma with threads writes it."""
_MAX_INDEX = 1 << 20
_PROBE = 4 << 20
"""Bytes of content on which a preset of xz is tried first."""
_LAST = 1 << 17
"""Bytes at the end of a probe that say nothing: more content would change them."""
_NO_PRESET = "no preset of xz gives it"
UNKNOWN = "no encoder that is known here (zlib, zlib-ng, libdeflate, zopfli) gives its deflate"
"""GNU gzip, Info-ZIP, 7-Zip, Go, Rust's miniz and Chromium's zlib have encoders of their own."""


class UnknownPackingError(Exception):
    """A packing that no parameters describe; its text says why."""


class Deadline:
    """A time at which a search ends."""

    def __init__(self, seconds: float) -> None:
        """End in so many seconds."""
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise `UnknownPackingError` after it."""
        if time.monotonic() > self._end:
            raise UnknownPackingError("the time for the search of its parameters is used up")

    def watched(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces; raises `UnknownPackingError` after it."""
        for data in pieces:
            self.check()
            yield data


def reading(file: BinaryIO, start: int, end: int) -> Callable[[int], bytes]:
    """Return what reads the next bytes between two offsets."""
    at = start

    def read(size: int) -> bytes:
        nonlocal at
        file.seek(at)
        data = file.read(min(size, end - at))
        at += len(data)
        return data

    return read


def read_gzip(file: BinaryIO, content: BinaryIO, deadline: Deadline) -> GzipPacking:
    """Return how the gzip file of a content is packed; raises `UnknownPackingError`."""
    size, length = file.seek(0, 2), content.seek(0, 2)
    file.seek(0)
    head = file.read(_HEAD)
    if head[:3] != _GZIP or size < 20:
        raise UnknownPackingError("it is no gzip file")
    flags, mtime, xfl, system = struct.unpack_from("<BIBB", head, 3)
    if flags & ~_NAMED:
        raise UnknownPackingError(f"its gzip header has the flags {flags:#04x}")
    start, name = 10, None
    if flags:
        end = head.find(b"\0", 10)
        start, name = end + 1, head[10:end].decode("latin-1")
        if end < 11 or not all(c.isprintable() for c in name):
            raise UnknownPackingError("its gzip header has an odd name")
    if _after_deflate(file, start, deadline) != size - _TRAILER:
        raise UnknownPackingError("it has several gzip members, or bytes after its end")
    whole = GzipPacking(os=system, mtime=mtime, name=name)
    tried = [whole.model_copy(update={"encoder": encoder}) for encoder in encoders()]
    for packing in sorted(tried, key=lambda packing: packing.flags != xfl):
        deadline.check()
        if not is_affordable(packing.encoder, length):
            continue
        packed = reading(file, start, size - _TRAILER)
        if gives(piece(content, 0, length), packing.encoder, packed):
            return packing if packing.flags == xfl else packing.model_copy(update={"xfl": xfl})
    raise UnknownPackingError(UNKNOWN)


def _after_deflate(file: BinaryIO, start: int, deadline: Deadline) -> int:
    """Return where a deflate stream ends; raises `UnknownPackingError`."""
    stream, end = zlib.decompressobj(-15), file.seek(0, 2)
    read = reading(file, start, end)
    try:
        while not stream.eof and (data := stream.unconsumed_tail or read(CHUNK)):
            deadline.check()
            stream.decompress(data, CHUNK)
    except zlib.error as error:
        raise UnknownPackingError(f"a broken deflate stream: {error}") from error
    return file.tell() - len(stream.unused_data)


@dataclass(frozen=True, kw_only=True)
class _XzLayout:
    """What the headers and the index of an xz file say."""

    check: str
    dictionary: int
    threads: bool
    blocks: tuple[int, ...]
    """Bytes of content of each."""
    data: int
    """Where the data of the first block begins."""


def _xz_layout(file: BinaryIO) -> _XzLayout:
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(HEADER + 1024)
    file.seek(max(0, size - HEADER))
    foot = file.read(HEADER)
    if not head.startswith(MAGIC) or foot[-2:] != FOOTER:
        raise UnknownPackingError("it is no xz file of one stream")
    checks = {number: name for name, number in CHECKS.items()}
    (backward,) = struct.unpack_from("<I", foot, 4)
    length = 4 * (backward + 1)
    if head[7] not in checks or length > min(_MAX_INDEX, size - 2 * HEADER):
        raise UnknownPackingError("its xz headers are odd")
    file.seek(size - HEADER - length)
    numbers = _numbers(file.read(length)[1:])
    count = next(numbers)
    rows = [(next(numbers), next(numbers)) for _ in range(min(count, length))]
    if not rows:
        raise UnknownPackingError("it has no content")
    if sum(-(-row[0] // 4) * 4 for row in rows) + 2 * HEADER + length != size:
        raise UnknownPackingError("it is no xz file of one stream")
    header = head[HEADER : HEADER + 4 * (head[HEADER] + 1)]
    flags, rest = header[1], header[2:]
    for _ in range(2 if flags else 0):
        skipped = next(i for i, byte in enumerate(rest) if byte < 0x80)
        rest = rest[skipped + 1 :]
    if rest[:2] != _LZMA2:
        raise UnknownPackingError("it is not compressed with the filter LZMA2 alone")
    return _XzLayout(
        check=checks[head[7]],
        dictionary=(2 | rest[2] & 1) << rest[2] // 2 + 11,
        threads=flags == _SIZES,
        blocks=tuple(content for _, content in rows),
        data=HEADER + len(header),
    )


def _numbers(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
    while True:
        raise UnknownPackingError("its xz index is cut off")


def read_xz(file: BinaryIO, content: BinaryIO, deadline: Deadline) -> XzPacking:
    """Return how the xz file of a content is packed; raises `UnknownPackingError`."""
    for packing in xz_packings(file, content, deadline):
        if _gives(file, content, packing, deadline):
            return packing
    raise UnknownPackingError(_NO_PRESET)


def xz_packings(file: BinaryIO, content: BinaryIO, deadline: Deadline) -> Iterator[XzPacking]:
    """Yield the packings by which the xz file of a content begins as it does, the usual ones first.

    Of a content of up to 4 MiB, those that give it whole. Raises `UnknownPackingError`.
    """
    try:
        layout = _xz_layout(file)
    except (IndexError, StopIteration) as error:
        raise UnknownPackingError("its xz headers are cut off") from error
    if not 4096 <= layout.dictionary <= 64 << 20:
        raise UnknownPackingError(f"a dictionary of {layout.dictionary} bytes")
    small = content.seek(0, 2) <= _PROBE
    for packing in _presets(layout):
        deadline.check()
        if (
            _gives(file, content, packing, deadline)
            if small
            else _begins(file, layout, content, packing)
        ):
            yield packing


def _gives(file: BinaryIO, content: BinaryIO, packing: XzPacking, deadline: Deadline) -> bool:
    size, length = file.seek(0, 2), content.seek(0, 2)
    read = reading(file, 0, size)
    made = deadline.watched(compressed(piece(content, 0, length), packing))
    return all(read(len(data)) == data for data in made) and not read(1)


def _presets(layout: _XzLayout) -> Iterator[XzPacking]:
    """Yield the packings that may have such headers, the usual ones first."""
    several = len(layout.blocks) > 1
    presets = sorted(range(10), key=lambda p: (DICTIONARIES[p] != layout.dictionary, -p))
    for extreme in (False, True):
        for preset in presets:
            usual = DICTIONARIES[preset] == layout.dictionary
            if preset > 6 and not usual:
                continue  # as 6, but for the dictionary
            found = XzPacking.model_validate(
                {
                    "preset": preset,
                    "extreme": extreme,
                    "check": layout.check,
                    "dictionary": None if usual else layout.dictionary,
                    "threads": layout.threads,
                }
            )
            if several and not (found.threads and block_size(found) == layout.blocks[0]):
                found = found.model_copy(update={"block_size": layout.blocks[0]})
            yield found


def _begins(file: BinaryIO, layout: _XzLayout, content: BinaryIO, packing: XzPacking) -> bool:
    """Say whether the data of the first block begins as this packing gives it."""
    plain = packing.model_copy(update={"threads": False, "block_size": None})
    end = min(_PROBE, layout.blocks[0])
    made = bytearray()
    for data in compressed(piece(content, 0, end), plain):
        made += data
        if len(made) > CHUNK:
            break
    known = made[HEADER + 12 : len(made) - _LAST]
    return reading(file, layout.data, layout.data + len(known))(len(known)) == known


def read_content(content: Iterator[bytes], into: BinaryIO) -> None:
    """Write the content of a file; raises `UnknownPackingError`."""
    try:
        into.writelines(content)
    except ArchiveError as error:
        raise UnknownPackingError(str(error)) from error
