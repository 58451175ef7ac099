"""Functions and objects of two executables: which is which, and what is between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from pipelines.explain.executables.executable import Image, ImageSection, Symbol

_MOST_COMPARED = 2000
"""Functions whose order is compared by their sizes: what that costs grows with their square."""
_MAX_GAP = 64 << 10
_PADDING = re.compile(
    rb"(?:\x66*\x2e?\x0f\x1f(?:\0|\x40\0|\x44\0\0|\x80\0{4}|\x84\0{5})|\x66*\x90|\xcc|\0)*\Z"
)
"""What compilers for x86 put between functions."""


class SymbolPair(NamedTuple):
    """A function, or an object, that both sides have."""

    shipped: Symbol
    rebuilt: Symbol


class Stretch(NamedTuple):
    """Code of both sides that is compared: a function, or what follows one."""

    name: str | None
    """Of the function, empty where it has none; None between functions."""
    shipped: tuple[int, int]
    """Begin and end, in addresses."""
    rebuilt: tuple[int, int]


def match_symbols(shipped: Image, rebuilt: Image) -> list[SymbolPair]:
    """Return what both sides have, by name; functions without names, by their sizes."""
    one, other = _by_address(shipped.symbols), _by_address(rebuilt.symbols)
    if any(symbol.name for symbol in one) and any(symbol.name for symbol in other):
        there = dict(_numbered(other))
        pairs = ((symbol, there.get(key)) for key, symbol in _numbered(one))
        return [SymbolPair(a, b) for a, b in pairs if b is not None and a.function == b.function]
    one, other = ([s for s in side if s.function] for side in (one, other))
    if sorted(s.size for s in one) == sorted(s.size for s in other):
        if [s.size for s in one] != [s.size for s in other]:
            one, other = (sorted(side, key=lambda s: s.size) for side in (one, other))
        return [SymbolPair(*pair) for pair in zip(one, other, strict=True)]
    return list(_aligned(one, other))


def misplaced(pairs: Iterable[SymbolPair]) -> int:
    """Return how often a symbol stands behind one that it stands before in the shipped file."""
    there = [pair.rebuilt.address for pair in sorted(pairs, key=lambda p: p.shipped.address)]
    return sum(a > b for a, b in pairwise(there))


def stretches(
    pairs: Sequence[SymbolPair],
    sections: tuple[ImageSection, ImageSection],
    sides: tuple[Image, Image],
) -> Iterator[Stretch]:
    """Yield the symbols of a section, and what stands before, between and after them."""
    starts = [
        sorted({s.address for s in side.symbols if s.size and _within(section, s.address)})
        for side, section in zip(sides, sections, strict=True)
    ]
    bounds = [(section.address, section.address + section.size) for section in sections]
    heads = [side[0] if side else end for side, (_, end) in zip(starts, bounds, strict=True)]
    yield Stretch(None, (bounds[0][0], heads[0]), (bounds[1][0], heads[1]))
    follows = [dict(pairwise([*side, end])) for side, (_, end) in zip(starts, bounds, strict=True)]
    for one, other in pairs:
        ends = one.address + one.size, other.address + other.size
        yield Stretch(one.name, (one.address, ends[0]), (other.address, ends[1]))
        after = [follows[0].get(one.address, ends[0]), follows[1].get(other.address, ends[1])]
        yield Stretch(None, (ends[0], max(ends[0], after[0])), (ends[1], max(ends[1], after[1])))


def _within(section: ImageSection, address: int) -> bool:
    return 0 <= address - section.address < section.size


def without_padding(data: bytes) -> bytes:
    """Return code without what a compiler fills the gap after it with."""
    if len(data) > _MAX_GAP:
        return data
    found = _PADDING.search(data)
    return data[: found.start()] if found else data


def _by_address(symbols: Iterable[Symbol]) -> list[Symbol]:
    """Return functions and objects, one for each address."""
    found = {s.address: s for s in symbols if s.size}
    return [found[address] for address in sorted(found)]


def _numbered(symbols: Iterable[Symbol]) -> Iterator[tuple[tuple[str, int], Symbol]]:
    """Yield symbols by name, and by how many of that name came before."""
    seen = Counter[str]()
    for symbol in symbols:
        yield (symbol.name, seen[symbol.name]), symbol
        seen[symbol.name] += 1


def _aligned(one: list[Symbol], other: list[Symbol]) -> Iterator[SymbolPair]:
    """Pair functions without names in their order, those of the same sizes first."""
    sizes = [[s.size for s in side] for side in (one, other)]
    if max(map(len, sizes)) > _MOST_COMPARED:
        yield from map(SymbolPair._make, zip(one, other, strict=False))
        return
    for _, a, b, c, d in SequenceMatcher(a=sizes[0], b=sizes[1], autojunk=False).get_opcodes():
        if b - a == d - c:
            yield from map(SymbolPair._make, zip(one[a:b], other[c:d], strict=True))
