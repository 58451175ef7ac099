"""What was found in the sections of two executables, counted by what it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipelines.explain.executables.executable import Symbol
from pipelines.explain.format_fields import Field, Told
from pipelines.explain.texts import named_text
from pipelines.judge.difference import FieldKind

_SHOWN = 3
_MAX_TEXTS = 10_000


class Label(NamedTuple):
    """A field within a section: its bytes in the shipped file, and what it says on both sides."""

    name: str
    kind: FieldKind
    begin: int
    end: int
    shipped: str | None
    rebuilt: str | None


class _Text(NamedTuple):
    section: str
    shipped: str | None
    rebuilt: str | None


def told(
    name: str, kind: FieldKind, count: int, values: Sequence[str | None] = (None, None)
) -> Told:
    """Return what is told of a field by this name: what it says on both sides."""
    shipped, rebuilt = values
    return Told(field=Field(name=name, kind=kind), shipped=shipped, rebuilt=rebuilt, count=count)


class Tally:
    """Counts bytes that differ."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.addresses = Counter[str]()
        """By section: what only says where something went."""
        self.code = Counter[str]()
        """By function."""
        self.labelled = Counter[Label]()
        self.padding = 0
        self.moved = 0
        """Functions that stand in another order."""
        self.only: tuple[list[Symbol], list[Symbol]] = ([], [])
        """Functions that one side has."""
        self._places = defaultdict[tuple[str, str], list[tuple[int, int]]](list)
        self._texts = Counter[_Text]()
        self._last: _Text | None = None

    def text(self, section: str, shipped: str | None, rebuilt: str | None, count: int) -> None:
        """Count bytes of strings."""
        if len(self._texts) >= _MAX_TEXTS:
            self.data("strings", section, 0, count)
            return
        self._last = _Text(section, shipped, rebuilt)
        self._texts[self._last] += count

    def same_text(self, count: int) -> None:
        """Count more bytes of the strings before."""
        if self._last:
            self._texts[self._last] += count

    def data(self, what: str, section: str, at: int, count: int) -> None:
        """Count bytes of which nothing is known but their place, `at` bytes into a section."""
        self._places[what, section].append((at, count))

    def told(self, tables: Collection[str]) -> Iterator[Told]:
        """Yield it; of `tables`, which describe other sections, what those do not explain."""
        for label, count in self.labelled.items():
            yield told(label.name, label.kind, count, (label.shipped, label.rebuilt))
        yield from self._told_texts()
        if self.moved:
            yield told("order of functions", FieldKind.SETTING, 0, ("one", "another"))
        for symbols, is_ours in zip(self.only, (False, True), strict=True):
            if symbols:
                text = listed(symbol.name or hex(symbol.address) for symbol in symbols)
                sides = (None, text) if is_ours else (text, None)
                count = sum(symbol.size for symbol in symbols)
                yield told("functions", FieldKind.CONTENT, count, sides)
        if self.code:
            names = listed(name or "functions without names" for name in self.code)
            yield told(f"code of {names}", FieldKind.CONTENT, self.code.total())
        yield from self._told_places(tables)
        if self.addresses:
            where = f"addresses in {listed(self.addresses)}"
            yield told(where, FieldKind.DERIVED, self.addresses.total())
        if self.padding:
            yield told("padding between functions", FieldKind.DERIVED, self.padding)

    def _told_places(self, tables: Collection[str]) -> Iterator[Told]:
        """Yield bytes of which only the place is known, unless they are of derived tables."""
        derived = Counter[str]()
        code = bool(self.code or self.moved or self.padding or any(self.only))
        for (what, section), places in self._places.items():
            count = sum(count for _, count in places)
            if (code and section in tables) or ((code or self._texts) and is_debug(section)):
                derived[section] += count
            else:
                where = f"{what} in {section} from {places[0][0]:#x} on"
                yield told(where, FieldKind.CONTENT, count)
        if derived:
            yield told(f"tables {listed(derived)}", FieldKind.DERIVED, derived.total())

    def _told_texts(self) -> Iterator[Told]:
        """Yield strings, by what is named in them; the same ones at other places are an order."""
        theirs = {(text.section, text.shipped) for text in self._texts}
        ours = {(text.section, text.rebuilt) for text in self._texts}
        found = defaultdict[tuple[str, FieldKind], list[tuple[_Text, int]]](list)
        for text, count in self._texts.items():
            section, one, other = text
            if (one is None or (section, one) in ours) and (
                other is None or (section, other) in theirs
            ):
                key = f"order of strings in {section}", FieldKind.SETTING
            else:
                name, kind, one, other, _ = named_text(section, one, other)
                key = (f"string in {name}" if name == section else name), kind
            found[key].append((_Text(section, one, other), count))
        for (name, kind), texts in found.items():
            sides = [[t.shipped for t, _ in texts], [t.rebuilt for t, _ in texts]]
            values = [listed(dict.fromkeys(filter(None, side))) for side in sides]
            yield told(name, kind, sum(count for _, count in texts), values)


def is_debug(section: str) -> bool:
    """Say whether a section holds debug information."""
    return section.startswith((".debug_", ".zdebug_", ".rela.debug_"))


def listed(texts: Iterable[str]) -> str | None:
    """Return the first texts, and how many there are more."""
    shown = list(texts)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more or None
