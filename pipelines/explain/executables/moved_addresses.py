"""What an address of the shipped file is in the rebuilt one, and which bytes only say so.

Code and data that move change every number that points to them. Such a number is explained if it
points to the same thing on both sides; one that points to another thing is not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pipelines.explain.executables.alignment import differing_runs
from pipelines.explain.executables.executable import Image

_ENDS = (4, 5, 8, 6, 0)
"""Where an instruction ends after the distance in it begins; unwind tables count from there."""
_MAX_RUNS, _OFTEN = 100_000, 4096
_TRIED, _FEW = 100, 4
"""After so many numbers, of which fewer than one in `_FEW` is explained, none is tried any more."""


class Piece(NamedTuple):
    """Bytes in memory that are the same thing on both sides."""

    shipped: int
    rebuilt: int
    size: int


class Place(NamedTuple):
    """Bytes of both sides that are compared, of one length, and where they are in memory."""

    one: bytes
    other: bytes
    shipped: int
    rebuilt: int
    section: tuple[int, int]
    """Where their section begins."""
    code: bool


class Split(NamedTuple):
    """Bytes that differ."""

    moved: int
    """How many are addresses of what moved."""
    left: list[tuple[int, int]]
    """Ranges of others."""
    rest: int
    """How many were not looked at, as there are too many."""


class Moves:
    """Where things went."""

    def __init__(
        self,
        sides: tuple[Image, Image],
        fine: Iterable[Piece],
        coarse: Iterable[Piece],
        tick: Callable[[], None],
    ) -> None:
        """Look at `fine` pieces first, functions and data, then at `coarse` ones, sections.

        `tick` raises when the time is used up.
        """
        shipped, rebuilt = sides
        self._tick = tick
        self._fine, self._coarse = sorted(fine), sorted(coarse)
        self._starts = [[p.shipped for p in pieces] for pieces in (self._fine, self._coarse)]
        self._word = shipped.word
        self._order = "little" if shipped.little else "big"
        self._relative = shipped.relative
        self._bases = (shipped.base, rebuilt.base)
        self._deltas = {p.rebuilt - p.shipped for p in (*self._fine, *self._coarse)}
        self._tried = self._explained = 0

    def is_same(self, shipped: int, rebuilt: int) -> bool:
        """Say whether two addresses are of the same thing.

        One past the end of a thing is an address of it, unless another thing begins there.
        """
        for pieces, starts in zip((self._fine, self._coarse), self._starts, strict=True):
            at = bisect_right(starts, shipped) - 1
            if at < 0:
                continue
            piece = pieces[at]
            distance = shipped - piece.shipped
            if distance <= piece.size and distance == rebuilt - piece.rebuilt:
                return True
            if distance < piece.size:
                return False  # within a function that went elsewhere
            before = pieces[at - 1] if at and distance == 0 else piece
            if shipped == before.shipped + before.size and rebuilt == before.rebuilt + before.size:
                return True
        return False

    def split(self, place: Place) -> Split:
        """Tell moved addresses from other bytes that differ."""
        moved, left, known, rest = 0, list[tuple[int, int]](), 0, 0
        for number, (start, end) in enumerate(differing_runs(place.one, place.other)):
            begin = start
            if not number % _OFTEN:
                self._tick()
            if len(left) >= _MAX_RUNS:
                rest += end - begin
                continue
            while begin < end:
                if known <= begin:
                    known = self._reference(place, begin)
                if known <= begin:
                    left.append((begin, end))
                    break
                moved += min(known, end) - begin
                begin = known
        return Split(moved, left, rest)

    def _reference(self, place: Place, at: int) -> int:
        """Return where a number that holds the byte at `at` ends, if it only moved; else 0."""
        if self._tried > _TRIED and self._explained * _FEW < self._tried:
            return 0
        self._tried += 1
        after = self._distance(place, at) if place.code and self._relative else 0
        if after:
            self._explained += 1
            return after
        start = at - (place.shipped + at) % self._word
        for first, size in ((start, self._word), *((at - n, 4) for n in range(4))):
            if first < 0 or first + size > len(place.one):
                continue
            one, other = (
                int.from_bytes(side[first : first + size], self._order)  # type: ignore[arg-type]
                for side in (place.one, place.other)
            )
            if any(self.is_same(*pair) for pair in self._targets(place, first, size, one, other)):
                self._explained += 1
                return first + size
        return 0

    def _distance(self, place: Place, at: int) -> int:
        """Return where a distance ends that an instruction ends with: nearly all in code are so."""
        one, other, _, _, _, _ = place
        for first in range(at, max(-1, at - 4), -1):
            end = first + 4
            if end <= len(one):
                distance = int.from_bytes(one[first:end], "little", signed=True)
                target = int.from_bytes(other[first:end], "little", signed=True)
                if self.is_same(place.shipped + end + distance, place.rebuilt + end + target):
                    return end
        return 0

    def _targets(
        self, place: Place, first: int, size: int, one: int, other: int
    ) -> Iterator[tuple[int, int]]:
        """Yield what two numbers may be addresses of."""
        yield one, other
        if size != 4:
            return
        if self._bases != (0, 0):
            yield one + self._bases[0], other + self._bases[1]
        one, other = (n - (1 << 32) if n >> 31 else n for n in (one, other))
        if self._relative:
            here, there = place.shipped + first, place.rebuilt + first
            for end in _ENDS:
                yield here + end + one, there + end + other
        if not place.code:
            yield place.section[0] + one, place.section[1] + other
            if other + place.rebuilt - one - place.shipped in self._deltas:  # a table of distances
                yield self._starts[1][0], self._coarse[0].rebuilt
