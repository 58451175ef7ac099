"""Where the bytes of two seekable files differ, read in pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Front:
    """What reading two files from their start on found."""

    first: int | None
    """The first offset at which they differ; None if there was none so far."""
    count: int
    """Offsets with different bytes, of those that both have."""
    scanned: int
    whole: bool
    """Whether one was read to its end; else the time ran out."""


def read_front(one: IO[bytes], other: IO[bytes], more: Callable[[], bool]) -> Front:
    """Compare from the start, as long as `more` says so after each piece."""
    one.seek(0)
    other.seek(0)
    at = count = 0
    first: int | None = None
    while True:
        a, b = _read(one, _CHUNK), _read(other, _CHUNK)
        common = min(len(a), len(b))
        if a[:common] != b[:common]:
            differing = _xor(a[:common], b[:common])
            if first is None:
                first = at + len(differing) - len(differing.lstrip(b"\0"))
            count += common - differing.count(0)
        if len(a) != len(b) and first is None:
            first = at + common
        at += common
        if common < _CHUNK or not more():
            return Front(first=first, count=count, scanned=at, whole=common < _CHUNK)


def common_tail(
    one: IO[bytes], other: IO[bytes], first: int, more: Callable[[], bool]
) -> int | None:
    """Return the length of the tail both share after `first`; None when the time runs out."""
    sizes = (one.seek(0, 2), other.seek(0, 2))
    room = min(sizes) - first
    tail = 0
    while tail < room:
        step = min(_CHUNK, room - tail)
        pieces = []
        for stream, size in ((one, sizes[0]), (other, sizes[1])):
            stream.seek(size - tail - step)
            pieces.append(_read(stream, step))
        if pieces[0] != pieces[1]:
            differing = _xor(pieces[0], pieces[1])
            return tail + len(differing) - len(differing.rstrip(b"\0"))
        tail += step
        if not more():
            return None
    return tail


def count_differing(one: IO[bytes], other: IO[bytes], tick: Callable[[], None]) -> int:
    """Return how many bytes differ: of files of one size, by their offset.

    Of others, all between what both begin with and what both end with. `tick` may raise.
    """

    def more() -> bool:
        tick()
        return True

    front = read_front(one, other, more)
    sizes = (one.seek(0, 2), other.seek(0, 2))
    if front.first is None or sizes[0] == sizes[1]:
        return front.count
    tail = common_tail(one, other, front.first, more) or 0
    return max(sizes) - front.first - tail


def count_offsets(one: bytes, other: bytes) -> int:
    """Return at how many offsets two pieces of one size differ."""
    return len(one) - _xor(one, other).count(0)


def _read(stream: IO[bytes], size: int) -> bytes:
    """Read `size` bytes, fewer only at the end."""
    piece = stream.read(size)
    while 0 < len(piece) < size and (more := stream.read(size - len(piece))):
        piece += more
    return piece


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))
