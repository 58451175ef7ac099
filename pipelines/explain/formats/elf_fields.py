"""ELF: what programs, libraries and kernel modules say of themselves, and their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipelines.explain.executables.elf_file import (
    MAGIC,
    MODULE_SIGNATURE,
    ElfFile,
    ElfNote,
    ElfSection,
)
from pipelines.explain.executables.executable import MAX_CONTENT, ImageSection
from pipelines.explain.executables.go_build import go_lines
from pipelines.explain.executables.image_comparison import ImageComparison, SectionPair, count_of
from pipelines.explain.executables.named_lines import Line, compare_lines
from pipelines.explain.executables.tally import listed, told
from pipelines.explain.format_fields import FieldComparison, Format, Told
from pipelines.judge.difference import FieldKind

_MAX_TEXT = 1 << 20
_SYMBOLS, _NOTE, _DYNAMIC_SYMBOLS = 2, 7, 11
_GO_BUILD_ID, _PACKAGE = ("Go", 4), ("FDO", 0xCAFE1A7E)
_NOTES = {
    ("GNU", 3): ("build ID", FieldKind.DERIVED),
    _GO_BUILD_ID: ("Go build ID", FieldKind.DERIVED),
    _PACKAGE: ("package note", FieldKind.SETTING),
    ("GNU", 1): ("ABI note", FieldKind.SETTING),
    ("GNU", 5): ("GNU property note", FieldKind.SETTING),
}
_HEADER = {"kind": "file type", "machine": "machine", "version": "ELF version", "flags": "flags"}
_TEXT_TAGS = {1: "needed libraries", 14: "library name", 15: "RPATH", 29: "RUNPATH"}
_TAGS = {**_TEXT_TAGS, 24: "BIND_NOW", 30: "dynamic flags", 0x6FFFFFFB: "dynamic flags 1"}
_STRIPPED = (".debug_", ".zdebug_", ".symtab", ".strtab", ".gnu_debug", ".stab")
_TABLES = (
    ".eh_frame", ".eh_frame_hdr", ".gcc_except_table", ".rela.dyn", ".rela.plt", ".rela.text",
    ".rela.eh_frame", ".gnu.version_r", ".gnu.version_d", ".relr.dyn", ".shstrtab",
)  # fmt: skip
"""Sections that describe others."""
_NAMES = {
    _SYMBOLS: (".strtab",),
    _DYNAMIC_SYMBOLS: (".dynstr", ".gnu.hash", ".hash", ".gnu.version"),
}
"""Sections that say what the symbols of a table are named, by its type."""


class _Pair:
    """Two ELF files that are compared."""

    def __init__(self, comparison: FieldComparison) -> None:
        self.files = ElfFile(comparison.shipped), ElfFile(comparison.rebuilt)
        self._detail = comparison.detail
        images = [file.image(symbols=self._detail) for file in self.files]
        self._names = [[section.name for section in image.sections] for image in images]
        self.images = ImageComparison(images[0], images[1], comparison.tick, detail=self._detail)
        self.differing = {pair.shipped.name: pair for pair in self.images.differing}
        self._changed = set(self.images.differing)
        self._known: list[str] = []
        """Sections that were told of."""

    def told(self) -> Iterator[Told]:
        yield from self._producers()
        yield from self._headers()
        yield from self._order()
        yield from self._dynamic()
        for index, sections in enumerate((self.images.only_shipped, self.images.only_rebuilt)):
            yield from _one_sided(sections, index)
        for pair in self.images.pairs:
            one_section, other_section = pair
            if isinstance(one_section, ElfSection) and isinstance(other_section, ElfSection):
                yield from self._notes(one_section, other_section, pair)
                if self._detail:
                    yield from self._symbols(one_section, other_section)
        yield from self.images.content(but=self._known, tables=_TABLES)
        yield from self.images.around()

    def _producers(self) -> Iterator[Told]:
        """Tell what the file says of those who made it."""
        for one, other in self._take(".comment"):
            values = [_compilers(one), _compilers(other)]
            yield told(".comment", FieldKind.PRODUCER, count_of(one, other), values)
        for one, other in self._take(".go.buildinfo"):
            lines = go_lines(one), go_lines(other)
            yield from compare_lines(lines, count_of(one, other), FieldKind.PRODUCER)
        for one, other in self._take(".modinfo"):
            lines = _module_lines(one), _module_lines(other)
            yield from compare_lines(lines, count_of(one, other), FieldKind.SETTING)
        for one, other in self._take(MODULE_SIGNATURE):
            values = [f"{len(side)} bytes" for side in (one, other)]
            yield told(MODULE_SIGNATURE, FieldKind.PRODUCER, count_of(one, other), values)
        for one, other in self._take(".gnu_debuglink"):
            values = [
                side.partition(b"\0")[0].decode("utf-8", "backslashreplace")
                for side in (one, other)
            ]
            yield told("debug link", FieldKind.DERIVED, count_of(one, other), values)

    def _take(self, name: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the content of the section of a name, if both have it and it differs."""
        pair = self.differing.get(name)
        if pair and pair.size <= _MAX_TEXT:
            self._known.append(name)
            yield self.images.read(pair)

    def _headers(self) -> Iterator[Told]:
        one, other = (file.header for file in self.files)
        for field, name in _HEADER.items():
            values = getattr(one, field), getattr(other, field)
            if values[0] != values[1]:
                yield told(name, FieldKind.SETTING, 0, [hex(value) for value in values])

    def _order(self) -> Iterator[Told]:
        """Tell of sections in another order, as another linker lays them out."""
        one, other = self._names
        if one != other and sorted(one) == sorted(other):
            first = next(
                n for n, names in enumerate(zip(one, other, strict=True)) if len({*names}) > 1
            )
            yield told(
                "order of sections", FieldKind.SETTING, 0, [listed(n[first:]) for n in (one, other)]
            )
        for ours, theirs in self._take(".shstrtab"):
            yield told("names of sections", FieldKind.DERIVED, count_of(ours, theirs))

    def _dynamic(self) -> Iterator[Told]:
        """Tell what a program asks of the loader; the other entries are places of sections."""
        sides = [
            [
                Line(_TAGS[tag], text if tag in _TEXT_TAGS else hex(value))
                for tag, value, text in file.dynamic()
                if tag in _TAGS
            ]
            for file in self.files
        ]
        yield from compare_lines((sides[0], sides[1]), 0, FieldKind.SETTING)
        for one, other in self._take(".dynamic"):
            yield told("places in .dynamic", FieldKind.DERIVED, count_of(one, other))

    def _notes(self, one: ElfSection, other: ElfSection, pair: SectionPair) -> Iterator[Told]:
        if pair not in self._changed or pair.size > _MAX_TEXT:
            return
        if one.kind != _NOTE or other.kind != _NOTE:
            return
        self._known.append(one.name)
        left = count_of(*self.images.read(pair))
        sides = [
            {(note.owner, note.kind): note for note in file.notes(section)}
            for file, section in zip(self.files, (one, other), strict=True)
        ]
        for key in dict.fromkeys([*sides[0], *sides[1]]):
            here, there = (side.get(key) for side in sides)
            contents = [note.content if note else b"" for note in (here, there)]
            if contents[0] == contents[1]:
                continue
            count = min(left, count_of(contents[0], contents[1]))
            left -= count
            name, kind = _NOTES.get(key, (f"note {key[0]} {key[1]}", FieldKind.CONTENT))
            yield told(name, kind, count, [_note_text(here), _note_text(there)])
        if left:
            yield told(one.name, FieldKind.DERIVED, left)

    def _symbols(self, one: ElfSection, other: ElfSection) -> Iterator[Told]:
        """Tell which symbols one side lacks; tables that name the same ones are derived."""
        if one.kind not in _NAMES or one.kind != other.kind:
            return
        tables = (self.differing.get(name) for name in (one.name, *_NAMES[one.kind]))
        changed = [pair for pair in tables if pair and pair.size <= MAX_CONTENT]
        if not changed:
            return
        self._known += [pair.shipped.name for pair in changed]
        count = sum(count_of(*self.images.read(pair)) for pair in changed)
        names = [
            Counter(file.symbol_names(section))
            for file, section in zip(self.files, (one, other), strict=True)
        ]
        sides = [
            listed(name for (name, _), _ in found.items() if name)
            for found in (names[0] - names[1], names[1] - names[0])
        ]
        if names[0] != names[1]:
            yield told(f"symbols in {one.name}", FieldKind.CONTENT, count, sides)
        else:
            yield told(f"places of the symbols in {one.name}", FieldKind.DERIVED, count)


def _one_sided(sections: list[ImageSection], index: int) -> Iterator[Told]:
    """Tell of sections that the other side lacks: together, if those are what `strip` removes."""
    debug = [one for one in sections if one.name.startswith(_STRIPPED)]
    signature = [one for one in sections if one.name == MODULE_SIGNATURE]
    if signature:
        size = sum(one.size for one in signature)
        values: tuple[str | None, str | None] = (f"{size} bytes", "not signed")
        values = values[::-1] if index else values
        yield told(MODULE_SIGNATURE, FieldKind.PRODUCER, size, values)
    left = [one for one in sections if one not in debug and one not in signature]
    groups = {f"section {one.name}": [one] for one in left}
    for name, found in {"symbols and debug information": debug, **groups}.items():
        if found:
            names = ", ".join(one.name for one in found)
            values = (None, names) if index else (names, None)
            yield told(name, FieldKind.SETTING, sum(one.size for one in found), values)


def _compilers(data: bytes) -> str:
    texts = dict.fromkeys(text for text in data.split(b"\0") if text)
    return ", ".join(text.decode("utf-8", "backslashreplace") for text in texts)


def _note_text(note: ElfNote | None) -> str | None:
    if note is None:
        return None
    if (note.owner, note.kind) in {_PACKAGE, _GO_BUILD_ID}:
        return note.content.rstrip(b"\0").decode("utf-8", "backslashreplace")
    return note.content[:64].hex()


def _module_lines(data: bytes) -> Iterator[Line]:
    for entry in data.split(b"\0"):
        name, equals, value = entry.decode("utf-8", "backslashreplace").partition("=")
        if equals:
            yield Line(f"modinfo {name}", value)


def _compare(comparison: FieldComparison) -> Iterator[Told]:
    return _Pair(comparison).told()


ELF = Format(name="ELF", matches=lambda head: head.startswith(MAGIC), compare=_compare)
