"""Compressed streams that begin anywhere, unpacked as their bytes come, whether they end or not.

`compressed` reads a stream that must be whole. Here most of what looks like a stream is none, and
one that breaks off is told by nothing but the bytes that came of it.
"""

from __future__ import annotations

import lzma
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zlib_ng import zlib_ng

from builders.archives.bounded_decoders import LZMA_HEADER, LzmaAlone, ZstdFrame
from builders.archives.compressed import (
    DECOMPRESSION_ERRORS,
    Decompressor,
    ZlibDecompressor,
    ZlibError,
    asks_for_memory,
    decompressor,
)
from builders.archives.limits import CHUNK, ArchiveError, UnsupportedArchiveError
from builders.archives.streams import ByteSink

_STEP = 1 << 7
"""Bytes that are tried first: what is no stream fails soon."""
_KEPT = 1 << 20
"""Bytes of a frame that are kept until it ends, in case it breaks off."""
_MEMBER = struct.Struct("<4xHHH8x4xIHH")
"""The header of a zip member: version, flags, method, unpacked size, lengths of name and extra."""
_ENCRYPTED, _SIZE_FOLLOWS, _RESERVED = 1, 8, 0xC780
_UNREAD = {1, 2, 3, 4, 5, 6, 9, 10, 14, 16, 18, 19, 94, 96, 97, 98, 99}
"""Methods of APPNOTE.TXT 4.4.5 that are not read here."""
_SMALL = 32
"""Bytes that a copy has at least."""
_TRIED = 24
"""Bytes of a stream that must unpack for it to be one; less can hold no copy."""
_TRIED_ZLIB = 12
_FRAME = 10
"""Bytes that tell whether another frame follows."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """One kind of compressed stream."""

    name: str
    beginning: re.Pattern[bytes]
    start: Callable[[], Decompressor]
    header: Callable[[bytes], int | None] = lambda head: 0  # noqa: ARG005
    """Takes what begins like a stream; returns the bytes in front of the compressed ones, or None
    when it is no stream."""
    frames: bool = False
    """Whether several of them in a row are one stream."""


def _lzma_header(head: bytes) -> int | None:
    """Accept what tools write: a dictionary of 2^n or 3 * 2^n bytes, and some content."""
    _, dictionary, size = LZMA_HEADER.unpack_from(head)
    odd = dictionary >> max((dictionary & -dictionary).bit_length() - 1, 0)
    packed = head[LZMA_HEADER.size : LZMA_HEADER.size + _TRIED]
    if odd not in {1, 3} or dictionary < 1 << 12 or not size or not any(packed[:5]):
        return None
    try:
        LzmaAlone().decompress(head[: LZMA_HEADER.size] + packed, CHUNK)
    except lzma.LZMAError:
        return None
    return 0


def _zlib_header(head: bytes) -> int | None:
    """Accept what unpacks as far as its first bytes go."""
    try:
        ZlibDecompressor(15).decompress(head[:_TRIED_ZLIB], CHUNK)
    except ZlibError:
        return None
    return 0


def ends_as_zlib(data: bytes) -> bool:
    """Say whether `data` unpacks up to a checksum."""
    unpacker, left = zlib_ng.decompressobj(), data
    try:
        while left and not unpacker.eof:
            unpacker.decompress(left, CHUNK)
            left = unpacker.unconsumed_tail
    except ZlibError:
        return False
    return unpacker.eof


def _zip_header(head: bytes) -> int | None:
    """Accept any method: the directory of the zip may name another one."""
    if len(head) < _MEMBER.size:
        return None
    *_, name, extra = _MEMBER.unpack_from(head)
    return _MEMBER.size + int(name) + int(extra)


def unread_member(head: bytes) -> str | None:
    """Return why the member of a zip whose header, here or in the directory, is `head` is not read.

    None if it is read, if it is too small to matter, or if it is no member: the mark of one alone
    says little.
    """
    start = 46 if head.startswith(b"PK\x01\x02") else _MEMBER.size
    if not head.startswith(UNREAD) or len(head) < start:
        return None
    # In the directory there is one more field, the first one.
    version, flags, method, size, name, _ = _MEMBER.unpack_from(head, 0 if start < 46 else 2)
    path = head[start : start + name]
    if version > 63 or flags & _RESERVED or not path or min(path) < ord(" "):
        return None
    if size < _SMALL and not flags & _SIZE_FOLLOWS:
        return None
    if flags & _ENCRYPTED:
        return "encrypted"
    return f"method {method}" if method in _UNREAD else None


def _packing(
    name: str,
    beginning: bytes,
    start: Callable[[], Decompressor],
    header: Callable[[bytes], int | None] = lambda head: 0,  # noqa: ARG005
    *,
    frames: bool = False,
) -> Packing:
    pattern = re.compile(beginning, re.DOTALL)
    return Packing(name=name, beginning=pattern, start=start, header=header, frames=frames)


_BLOCKS = [b for b in range(256) if b & 6 != 6 and (b & 6 != 4 or b >> 3 < 30)]
"""First bytes of compressed data: of a block that is stored, or of one with at most 286 codes."""
_ZLIB = b"|".join(
    b"%s[%s][%s]" % tuple(re.escape(bytes(part)) for part in ([first], flags, _BLOCKS))
    for first in range(0x08, 0x80, 0x10)
    if (flags := [f for f in range(256) if (first << 8 | f) % 31 == 0 and not f & 0x20])
)
"""For each size of the window; without a preset dictionary, which only the build has."""
_PROPERTIES = re.escape(
    bytes((pb * 5 + lp) * 9 + lc for pb in range(5) for lp in range(5) for lc in range(5 - lp))
)
_LZMA_SIZES = re.compile(
    rb"[\x01-\x04\x06\x08\x0c\x10\x18\x20\x30\x40\x60\x80\xc0](?:"
    rb"(?<=[P]\0.)(?:\0\0|(?<=\x80)\x01\0)()|"
    rb"(?<=[P]\0\0.)(?:\0|(?<=\x80)\x01)()|"
    rb"(?<=[P]\0\0\0.)())"
    rb"(?:\xff{8}|.{4}[\0-\x3f]\0{3})\0(?!\0{4})".replace(b"[P]", b"[%s]" % _PROPERTIES),
    re.DOTALL,
)
"""The sizes in the header of an lzma stream, from the first byte that is not zero."""

_PACKINGS = (
    _packing("gzip", rb"\x1f\x8b\x08[\0-\x1f]", decompressor("gzip"), frames=True),
    _packing("bzip2", rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", decompressor("bzip2"), frames=True),
    _packing("xz", rb"\xfd7zXZ\0", decompressor("xz"), frames=True),
    _packing("zstd", rb"\x28\xb5\x2f\xfd", ZstdFrame, frames=True),
    _packing("zlib", _ZLIB, lambda: ZlibDecompressor(15), _zlib_header),
    _packing("zip", rb"PK\x03\x04", lambda: ZlibDecompressor(-15), _zip_header),
)
UNREAD = (b"PK\x03\x04", b"PK\x01\x02")
"""How the headers of zip members begin, for `unread_member`."""
BEGINNINGS = tuple({packing.beginning.pattern: None for packing in _PACKINGS})
"""Regular expressions of how a stream begins; but for lzma, which `lzma_streams` finds."""
_FIRST = b"\x1fB\xfd\x28P"
"""First bytes of streams other than zlib."""
_ZLIBS = [packing for packing in _PACKINGS if packing.name == "zlib"]
_LZMA = _packing("lzma", b"", LzmaAlone, _lzma_header)


def lzma_streams(data: bytes, stop: int) -> Iterator[tuple[int, Packing]]:
    """Yield where in `data`, before `stop`, lzma streams may begin.

    Their first byte says little, so they are found by the dictionary's size, behind it.
    """
    if b"\0\0\0\0" not in data and b"\xff" * 8 not in data:
        return
    for match in _LZMA_SIZES.finditer(data, 0, stop + LZMA_HEADER.size):
        at = match.start() - 1 - (match.lastindex or 0)
        if at < stop and _lzma_header(data[at : at + 128]) is not None:
            yield at, _LZMA


def packings(head: bytes) -> list[Packing]:
    """Return what a stream that begins with `head` (128 bytes, or all that there is) may be."""
    likely = _PACKINGS if head[0] in _FIRST else _ZLIBS
    return [p for p in likely if p.beginning.match(head) and p.header(head) is not None]


class PackedStream:
    """One stream that is being unpacked."""

    def __init__(
        self,
        packing: Packing,
        frames: set[int],
        opened: Callable[[], ByteSink],
        missed: Callable[[ArchiveError], None],
    ) -> None:
        """Unpack into the sink that `opened` makes once there is a byte.

        `frames` gets the offset of each further frame. `missed` is told of what is a stream, and
        cannot be unpacked here.
        """
        self._packing = packing
        self._frames = frames
        self._opened = opened
        self._missed = missed
        self._sink: ByteSink | None = None
        self._frame: Decompressor | None = None
        self._before = b""
        """What follows a frame, as long as it may be the beginning of another one."""
        self._kept = bytearray()
        self._given = 0
        """Bytes that the frame was unpacked to."""
        self._skip = 0
        self._step = _STEP

    def begin(self, data: bytes, offset: int) -> bool:
        """Take the first bytes, which begin at `offset`; as `feed`."""
        self._skip = self._packing.header(data[:128]) or 0
        self._start()
        return self.feed(data, offset)

    def feed(self, piece: bytes, offset: int) -> bool:
        """Take the next bytes; return whether more are wanted. `offset` is that of `piece`."""
        at = min(self._skip, len(piece))
        self._skip -= at
        while at < len(piece):
            if self._frame is None:
                at = self._between(piece, at, offset)
                if at < 0:
                    return self._ended()
                continue
            taken = piece[at : at + self._step]
            self._step = min(self._step * 2, CHUNK)
            left = self._unpack(self._frame, taken)
            if left is None:
                return self._ended()
            at += len(taken) - left
        return True

    def end(self) -> None:
        """Take note that the stream was cut off, or is over."""
        if self._sink:
            self._sink.end()

    def _ended(self) -> bool:
        self.end()
        return False

    def _start(self) -> Decompressor:
        self._frame = self._packing.start()
        self._kept.clear()
        self._given = 0
        self._step = _STEP
        return self._frame

    def _unpack(self, frame: Decompressor, data: bytes) -> int | None:
        """Return how many bytes are left after the frame; None when it is over for good."""
        if len(self._kept) <= _KEPT:
            self._kept += data
        try:
            for piece in _unpacked(frame, data):
                self._give(piece)
        except DECOMPRESSION_ERRORS as error:
            if asks_for_memory(error):
                what = f"a {self._packing.name} stream that asks for too much memory"
                self._missed(UnsupportedArchiveError(what, got=error))
            else:
                self._salvage(len(data))
            return None
        if not frame.eof:
            return 0
        if not self._packing.frames:
            return None
        self._frame = None
        return len(frame.unused_data)

    def _give(self, piece: bytes) -> None:
        if self._sink is None:
            self._sink = self._opened()
        self._given += len(piece)
        self._sink.feed(piece)

    def _salvage(self, last: int) -> None:
        """Give what the `last` bytes unpack to before the one that broke the frame.

        An error takes what came before it in the same call. So the frame is read again, and these
        bytes one by one.
        """
        if len(self._kept) > _KEPT:
            what = f"a long {self._packing.name} stream that is broken"
            self._missed(ArchiveError(what, expected="its end"))
            return
        frame, seen = self._packing.start(), 0
        intact = len(self._kept) - last
        pieces = [bytes(self._kept[:intact]), *(bytes([byte]) for byte in self._kept[intact:])]
        try:
            for data in pieces:
                for piece in _unpacked(frame, data):
                    seen += len(piece)
                    if seen > self._given:
                        self._give(piece[self._given - seen :])
        except DECOMPRESSION_ERRORS:
            return

    def _between(self, piece: bytes, at: int, offset: int) -> int:
        """Look for another frame from `at` on, and return where to go on; -1 if there is none."""
        if not self._before:
            at = len(piece) - len(piece[at:].lstrip(b"\0"))
        begun = offset + at - len(self._before)
        taken = piece[at : at + _FRAME - len(self._before)]
        self._before += taken
        at += len(taken)
        if not self._packing.beginning.match(self._before):
            return at if len(self._before) < _FRAME else -1
        head, self._before = self._before, b""
        self._frames.add(begun)
        left = self._unpack(self._start(), head)
        return -1 if left is None else at - left


def _unpacked(frame: Decompressor, data: bytes) -> Iterator[bytes]:
    """Yield what `data` is unpacked to, up to the end of the frame."""
    while True:
        piece, data = frame.decompress(data, CHUNK), b""
        if piece:
            yield piece
        if frame.eof or frame.needs_input:
            return
