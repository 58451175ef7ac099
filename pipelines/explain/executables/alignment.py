"""Which bytes two pieces of data have in common, in order, and which of them moved.

Greedy and bounded: where the data stops being equal, it goes on at the next 16 bytes that both
have, at the same place if there are such, else within a window.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_PROBE = 16
_WINDOW = 64 << 10
_AHEAD = 4 << 10
_WORK = 256 << 20
"""Bytes searched in all."""
_MAX_BLOCKS = 20_000
_PIECE = 1 << 20
_MOST_MOVED = 16 << 10
_SHORTEST_MOVED = 8
_MOVED_WORK = 32 << 20
_EQUAL = re.compile(rb"\0{%d}" % _PROBE)
_RUN = re.compile(rb"[^\0]+")


class Block(NamedTuple):
    """Bytes that both have: offsets in either, and their length."""

    shipped: int
    rebuilt: int
    length: int


class Hunk(NamedTuple):
    """What stands between two blocks: begin and end in either."""

    shipped: tuple[int, int]
    rebuilt: tuple[int, int]


def differing_runs(one: bytes, other: bytes) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the runs of bytes that differ, of data of the same length.

    One that goes on from one MiB into the next is two.
    """
    for start in range(0, len(one), _PIECE):
        piece = _xor(one[start : start + _PIECE], other[start : start + _PIECE])
        for match in _RUN.finditer(piece):
            yield start + match.start(), start + match.end()


def equal_blocks(one: bytes, other: bytes) -> list[Block]:
    """Return what both have in common, in order."""
    found: list[Block] = []
    at, there, work = 0, 0, _WORK
    while len(found) < _MAX_BLOCKS:
        length = _common(one, at, other, there)
        if length:
            found.append(Block(at, there, length))
        at, there = at + length, there + length
        if at >= len(one) or there >= len(other):
            break
        step, searched = _resume(one, at, other, there, work)
        work -= searched
        if step is None:
            break
        at, there = at + step[0], there + step[1]
    return found


def hunks(blocks: list[Block], sizes: tuple[int, int]) -> Iterator[Hunk]:
    """Yield what stands between, before and after the blocks."""
    at = there = 0
    for block in [*blocks, Block(*sizes, 0)]:
        if block.shipped > at or block.rebuilt > there:
            yield Hunk((at, block.shipped), (there, block.rebuilt))
        at, there = block.shipped + block.length, block.rebuilt + block.length


def moved_blocks(one: bytes, other: bytes) -> tuple[list[Block], list[Hunk]]:
    """Return what both have in common in any order, and what is left, paired by its length.

    Of larger data, as `equal_blocks` and `hunks` do.
    """
    if max(len(one), len(other)) > _MOST_MOVED:
        blocks = equal_blocks(one, other)
        return blocks, list(hunks(blocks, (len(one), len(other))))
    found: list[Block] = []
    free, taken = bytearray(other), bytearray(len(other))
    at, work = 0, _MOVED_WORK
    while at < len(one) - _SHORTEST_MOVED and work > 0:
        probe = one[at : at + _SHORTEST_MOVED]
        there = free.find(probe) if probe.count(probe[:1]) < _SHORTEST_MOVED else -1
        length = _common(one, at, other, there) if there >= 0 else 0
        # what was taken is zeros by now, which may be a part of what was found
        end = taken.find(1, max(there, 0))
        length = min(length, (len(other) if end < 0 else end) - there)
        work -= there if there >= 0 else len(other)
        if length < _SHORTEST_MOVED:
            at += 1
            continue
        found.append(Block(at, there, length))
        free[there : there + length] = bytes(length)
        taken[there : there + length] = b"\1" * length
        at += length
    left = [
        _between(sorted((b[side], b[side] + b.length) for b in found), len(data))
        for side, data in enumerate((one, other))
    ]
    paired: list[Hunk] = []
    for begin, end in left[0]:
        same = next((r for r in left[1] if r[1] - r[0] == end - begin), None)
        if same:
            left[1].remove(same)
        paired.append(Hunk((begin, end), same or (0, 0)))
    return found, [*paired, *(Hunk((0, 0), there) for there in left[1])]


def _between(taken: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Return the ranges of `size` bytes that are not taken."""
    found, at = [], 0
    for begin, end in [*taken, (size, size)]:
        if begin > at:
            found.append((at, begin))
        at = max(at, end)
    return found


def _resume(
    one: bytes, at: int, other: bytes, there: int, work: int
) -> tuple[tuple[int, int] | None, int]:
    """Return how far to go on in either, and how many bytes were searched."""
    room = min(_AHEAD, len(one) - at, len(other) - there)
    in_place = _EQUAL.search(_xor(one[at : at + room], other[there : there + room]))
    if in_place:
        return (in_place.start(), in_place.start()), 0
    searched = 0
    for ahead in range(0, min(_WINDOW, len(one) - at - _PROBE), _PROBE):
        probe = one[at + ahead : at + ahead + _PROBE]
        if probe.count(probe[:1]) == _PROBE:
            continue  # of zeros there are too many
        place = other.find(probe, there, there + _WINDOW)
        if place < 0:
            searched += _WINDOW
            if searched > work:
                return None, searched
            continue
        searched += place - there
        back = 0
        while back < min(ahead, place - there):
            if one[at + ahead - back - 1] != other[place - back - 1]:
                break
            back += 1
        return (ahead - back, place - there - back), searched
    return None, searched


def _common(one: bytes, at: int, other: bytes, there: int) -> int:
    """Return how many bytes are equal from two offsets on."""
    room, length, step = min(len(one) - at, len(other) - there), 0, 256
    while length < room:
        step = min(step, room - length)
        a = one[at + length : at + length + step]
        b = other[there + length : there + length + step]
        if a != b:
            differing = _xor(a, b)
            return length + len(differing) - len(differing.lstrip(b"\0"))
        length += step
        step = min(step * 4, 1 << 20)
    return length


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))
