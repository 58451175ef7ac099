"""Two executables compared: section by section, function by function, string by string.

Bytes are compared where their section, or their function, begins, so what only moved does not
differ. Whatever differs is counted once: as addresses of what moved, as a string, as the code of a
function, as data, or under the name that the format has for it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from pipelines.explain.differing import count_differing
from pipelines.explain.executables.alignment import Block, Hunk, equal_blocks, hunks, moved_blocks
from pipelines.explain.executables.data_parts import DataPart, DataPartKind, cut
from pipelines.explain.executables.embedded_strings import string_pair
from pipelines.explain.executables.executable import (
    MAX_CONTENT,
    Image,
    ImageSection,
    Symbol,
    UnreadableError,
    read_at,
    same_bytes,
)
from pipelines.explain.executables.moved_addresses import Moves, Piece, Place
from pipelines.explain.executables.symbol_pairs import (
    Stretch,
    SymbolPair,
    match_symbols,
    misplaced,
    stretches,
    without_padding,
)
from pipelines.explain.executables.tally import Label, Tally, told
from pipelines.explain.format_fields import Content, Told
from pipelines.judge.difference import FieldKind

_ROOM = 8
"""A number may begin so much before the first byte of it that differs, and end after the last."""


class SectionPair(NamedTuple):
    """A section that both have."""

    shipped: ImageSection
    rebuilt: ImageSection

    @property
    def size(self) -> int:
        """That of the larger one."""
        return max(self.shipped.size, self.rebuilt.size)


class _Contents(NamedTuple):
    """What is compared of a section."""

    pair: SectionPair
    one: bytes
    other: bytes
    symbols: list[SymbolPair]
    """Those by which it is compared."""
    parts: list[DataPart]
    """Where there are no symbols."""
    blocks: list[Piece]

    @property
    def name(self) -> str:
        return self.pair.shipped.name

    @property
    def starts(self) -> tuple[int, int]:
        return self.pair.shipped.address, self.pair.rebuilt.address


class ImageComparison:
    """The comparison of two executables; `tick` raises when the time is used up."""

    def __init__(
        self, shipped: Image, rebuilt: Image, tick: Callable[[], None], *, detail: bool = True
    ) -> None:
        """Pair the sections; without `detail` the bytes of those that differ are only counted."""
        self._sides = shipped, rebuilt
        self._detail = detail
        self._tick = tick
        for side in self._sides:
            if sum(section.size for section in side.sections) > 2 * side.size:
                raise UnreadableError("sections that lie over each other")
        one, other = shipped.named(), rebuilt.named()
        self.pairs = [SectionPair(one[key], other[key]) for key in one if key in other]
        self.only_shipped = [section for key, section in one.items() if key not in other]
        self.only_rebuilt = [section for key, section in other.items() if key not in one]
        self.differing = [pair for pair in self.pairs if not self._is_same(pair)]
        self._symbols = match_symbols(shipped, rebuilt)
        self._found = Tally()
        self._found.moved = misplaced(b for b in self._symbols if b.shipped.function)
        self._labels: Sequence[Label] = ()

    def read(self, pair: SectionPair) -> tuple[bytes, bytes]:
        """Return both contents of a section."""
        return self._sides[0].read(pair.shipped), self._sides[1].read(pair.rebuilt)

    def content(
        self,
        *,
        but: Iterable[str] = (),
        labels: Sequence[Label] = (),
        tables: Iterable[str] = (),
    ) -> Iterator[Told]:
        """Yield what differs in the sections, other than those named, whose format tells more.

        Sections that are `tables` describe others, and differ where those do.
        """
        self._labels = labels
        left = [pair for pair in self.differing if pair.shipped.name not in set(but)]
        contents, room = [], MAX_CONTENT if self._detail else -1
        for pair in sorted(left, key=lambda one: one.size):
            room -= pair.size
            if room >= 0:
                contents.append(self._contents(pair))
            else:
                yield told(pair.shipped.name, FieldKind.CONTENT, self._count(pair))
        moves = Moves(self._sides, self._fine(contents), self._coarse(), self._tick)
        for section in contents:
            if section.symbols:
                self._by_symbols(section, moves)
            for part in section.parts:
                self._part(section, part, moves)
        yield from self._found.told(set(tables))

    def around(self, *, known: int = 0) -> Iterator[Told]:
        """Yield what differs outside of the sections: in the headers, and in what fills gaps.

        Of the headers, `known` bytes were told already.
        """
        tables = zip(*(side.headers for side in self._sides), strict=True)
        count = sum(
            count_of(*(read_at(side.file, *at) for side, at in zip(self._sides, both, strict=True)))
            for both in tables
        )
        if count > known:
            yield told("headers", FieldKind.DERIVED, count - known)
        gaps = [side.gaps() for side in self._sides]
        if gaps[0] != gaps[1]:
            name, kind = "bytes outside of sections", FieldKind.CONTENT
            if not any(gap.strip(b"\0") for gap in gaps):
                name, kind = "padding between sections", FieldKind.DERIVED
            yield told(name, kind, count_of(*gaps))

    def _count(self, pair: SectionPair) -> int:
        """Return how many bytes of a section differ, without reading all of it."""
        one, other = (
            Content(side.file, section.offset, section.size)
            for side, section in zip(self._sides, pair, strict=True)
        )
        return count_differing(one, other, self._tick)

    def _is_same(self, pair: SectionPair) -> bool:
        self._tick()
        return same_bytes(self._sides[0], pair.shipped, self._sides[1], pair.rebuilt)

    def _contents(self, pair: SectionPair) -> _Contents:
        """Return by what a section is compared: functions, data by name if it moved, or bytes."""
        self._tick()
        one, other = self.read(pair)
        inside = [both for both in self._symbols if all(map(_holds, pair, both))]
        code = pair.shipped.executable and any(both.shipped.function for both in inside)
        if code or misplaced(inside):
            return _Contents(pair, one, other, inside, [], [])
        if len(one) == len(other) and not self._found.moved:
            whole = DataPart(DataPartKind.REST, (0, len(one)), (0, len(one)))
            return _Contents(pair, one, other, [], [whole], [])
        blocks, left = moved_blocks(one, other) if self._found.moved else _in_order(one, other)
        parts = [part for hunk in left for part in cut(one, hunk[0], other, hunk[1])]
        even = [
            (p.shipped[0], p.rebuilt[0], p.shipped[1] - p.shipped[0]) for p in parts if p.is_even
        ]
        begin, start = pair.shipped.address, pair.rebuilt.address
        pieces = [Piece(begin + a, start + b, size) for a, b, size in (*blocks, *even)]
        return _Contents(pair, one, other, [], parts, pieces if pair.shipped.in_memory else [])

    def _fine(self, contents: Iterable[_Contents]) -> Iterator[Piece]:
        for one, other in self._symbols:
            if one.size == other.size:
                yield Piece(one.address, other.address, one.size)
        yield from chain.from_iterable(section.blocks for section in contents)

    def _coarse(self) -> Iterator[Piece]:
        for one, other in self.pairs:
            if one.in_memory:
                size = min(one.in_memory, other.in_memory)
                yield Piece(one.address, other.address, size)

    def _by_symbols(self, section: _Contents, moves: Moves) -> None:
        """Compare the functions or the data of a section, and what is between them."""
        for stretch in stretches(section.symbols, section.pair, self._sides):
            self._tick()
            at, there = (
                (begin - start, end - start)
                for start, (begin, end) in zip(section.starts, stretch[1:], strict=True)
            )
            if section.one[slice(*at)] == section.other[slice(*there)]:
                continue
            if section.pair.shipped.executable:
                self._code(section, stretch, moves)
            else:
                for part in cut(section.one, at, section.other, there):
                    self._part(section, part, moves)
        if section.pair.shipped.executable:
            for index, side in enumerate(self._sides):
                known = {both[index].address for both in section.symbols}
                for symbol in side.symbols:
                    if symbol.address not in known and _holds(section.pair[index], symbol):
                        known.add(symbol.address)
                        self._found.only[index].append(symbol)

    def _code(self, section: _Contents, stretch: Stretch, moves: Moves) -> None:
        """Compare a function, or what follows one."""
        name, here, there = stretch
        first, second = section.starts
        a = section.one[here[0] - first : here[1] - first]
        b = section.other[there[0] - second : there[1] - second]
        if name is None:
            whole, a, b = count_of(a, b), without_padding(a), without_padding(b)
            self._found.padding += whole - count_of(a, b)
        count = count_of(a, b)
        if len(a) == len(b):
            place = Place(a, b, here[0], there[0], section.starts, code=True)
            count = sum(end - begin for begin, end in self._moved(section, place, moves))
        if count and name is not None:
            self._found.code[name] += count
        elif count:
            self._found.data("code", section.name, here[0] - first, count)

    def _part(self, section: _Contents, part: DataPart, moves: Moves) -> None:
        """Compare bytes of which only the place is known."""
        at, there = part.shipped, part.rebuilt
        if part.kind is DataPartKind.PADDING:
            self._found.padding += abs((at[1] - at[0]) - (there[1] - there[0]))
            return
        left = [(at, there)]
        if part.is_even:
            distance = there[0] - at[0]
            before = min(_ROOM, at[0], there[0])
            ends = min(at[1] + _ROOM, len(section.one)), min(there[1] + _ROOM, len(section.other))
            after = min(ends[0] - at[1], ends[1] - there[1])
            place = Place(
                section.one[at[0] - before : at[1] + after],
                section.other[there[0] - before : there[1] + after],
                section.starts[0] + at[0] - before,
                section.starts[1] + there[0] - before,
                section.starts,
                code=section.pair.shipped.executable,
            )
            shift = at[0] - before
            runs = [(a + shift, b + shift) for a, b in self._moved(section, place, moves)]
            left = [((a, b), (a + distance, b + distance)) for a, b in runs if at[0] <= a < at[1]]
        known = 0
        for run, place_there in left:
            count = max(run[1] - run[0], place_there[1] - place_there[0])
            known = self._bytes(section, run, place_there, count, known)

    def _bytes(
        self,
        section: _Contents,
        at: tuple[int, int],
        there: tuple[int, int],
        count: int,
        known: int,
    ) -> int:
        """Count bytes that differ; return where the string ends that was counted last."""
        if at[0] < known:
            self._found.same_text(count)
            return known
        offset = section.pair.shipped.offset + at[0]
        label = next((one for one in self._labels if one.begin <= offset < one.end), None)
        code = section.pair.shipped.executable
        text = None if code or label else string_pair(section.one, at, section.other, there)
        if label:
            self._found.labelled[label] += count
        elif text:
            self._found.text(section.name, text.shipped, text.rebuilt, count)
            return text.end
        else:
            self._found.data("code" if code else "data", section.name, at[0], count)
        return known

    def _moved(self, section: _Contents, place: Place, moves: Moves) -> list[tuple[int, int]]:
        """Count the addresses among bytes that differ, and return the others."""
        split = moves.split(place)
        if split.moved:
            self._found.addresses[section.name] += split.moved
        if split.rest:
            what = "code" if place.code else "data"
            self._found.data(what, section.name, split.left[-1][1], split.rest)
        return split.left


def _in_order(one: bytes, other: bytes) -> tuple[list[Block], list[Hunk]]:
    blocks = equal_blocks(one, other)
    return blocks, list(hunks(blocks, (len(one), len(other))))


def _holds(section: ImageSection, symbol: Symbol) -> bool:
    """Say whether a function or an object is within a section."""
    at = symbol.address - section.address
    return 0 <= at < section.size and 0 < symbol.size <= section.size - at


def count_of(one: bytes, other: bytes) -> int:
    """Return how many bytes differ, as `count_differing` does."""
    return count_differing(io.BytesIO(one), io.BytesIO(other), _no_limit)


def _no_limit() -> None:
    """Let bytes that are in memory be compared to their end."""
