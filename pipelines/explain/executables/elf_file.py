"""ELF: sections, symbols and notes, each read within bounds.

Sources: System V gABI, chapters 4 and 5; Linux Standard Base 5, `.eh_frame_hdr`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from pipelines.explain.executables.executable import (
    Image,
    ImageSection,
    Symbol,
    UnreadableError,
    read_at,
)

MAGIC = b"\x7fELF"
MODULE_SIGNATURE = "module signature"
_SIGNED, _TRAILER = b"~Module signature appended~\n", 12
_MAX_SECTIONS = 20_000
_MAX_NAMES = 8 << 20
_MAX_NAME = 256
_MAX_DYNAMIC = 64 << 10
_MAX_SYMBOLS = 100_000
_ALLOCATED, _EXECUTABLE = 2, 4
_NONE, _SYMBOLS, _NOBITS, _DYNAMIC_SYMBOLS = 0, 2, 8, 11
_RELOCATABLE = 1
_OBJECT, _FUNCTION = 1, 2
_RANGE = 12
"""Offset of the size of a function in its entry of `.eh_frame`, which is of this encoding too."""
_X86 = frozenset({3, 62})
_SDATA4_RELATIVE = 0x3B
"""Encoding of the table of `.eh_frame_hdr`: signed, of 4 bytes, relative to its section."""


class Header(NamedTuple):
    """The fields of the file header that say what the file is."""

    kind: int
    machine: int
    version: int
    entry: int
    program_headers: int
    section_headers: int
    flags: int
    size: int
    program_size: int
    program_count: int
    section_size: int
    section_count: int
    names: int


@dataclass(frozen=True, kw_only=True)
class ElfSection(ImageSection):
    """A section as its header says it."""

    kind: int
    link: int
    entry_size: int


class ElfNote(NamedTuple):
    """A note: its owner, its type, and where its content is."""

    owner: str
    kind: int
    offset: int
    content: bytes


class ElfFile:
    """An ELF file; raises `UnreadableError` where it is none, or larger than any is."""

    def __init__(self, file: BinaryIO) -> None:
        """Read its headers."""
        self.file = file
        self.size = file.seek(0, 2)
        ident = read_at(file, 0, 16)
        if ident[:4] != MAGIC or ident[4] not in {1, 2} or ident[5] not in {1, 2}:
            raise UnreadableError("no ELF file")
        self.wide = ident[4] == 2
        self.order = "<" if ident[5] == 1 else ">"
        layout = struct.Struct(self.order + ("HHIQQQIHHHHHH" if self.wide else "HHIIIIIHHHHHH"))
        self.header = Header(*layout.unpack(read_at(file, 16, layout.size)))
        self.sections = tuple(self._sections())

    def image(self, *, symbols: bool = True) -> Image:
        """Return what is compared of it."""
        head = self.header
        count = head.section_count
        tables = (
            (0, head.size),
            (head.program_headers, head.program_size * head.program_count),
            (head.section_headers, head.section_size * count),
        )
        return Image(
            file=self.file,
            size=self.size,
            sections=(*self.sections, *self._signature()),
            symbols=tuple(self.symbols()) if symbols else (),
            headers=tables,
            word=8 if self.wide else 4,
            little=self.order == "<",
            relative=head.machine in _X86,
        )

    def _signature(self) -> Iterator[ImageSection]:
        """Yield the signature at the end of a signed kernel module, with what frames it."""
        frame = _TRAILER + len(_SIGNED)
        end = read_at(self.file, max(0, self.size - frame), min(frame, self.size))
        size = frame + int.from_bytes(end[_TRAILER - 4 : _TRAILER])
        if end.endswith(_SIGNED) and size < self.size:
            yield ImageSection(name=MODULE_SIGNATURE, offset=self.size - size, size=size)

    def section(self, name: str) -> ElfSection | None:
        """Return the first section of a name."""
        return next((one for one in self.sections if one.name == name), None)

    def symbols(self) -> Iterator[Symbol]:
        """Yield defined functions and objects: those of the larger of its symbol tables.

        Where no symbol is left, the functions are those that unwinding knows, without names.
        """
        tables = [one for one in self.sections if one.kind in {_SYMBOLS, _DYNAMIC_SYMBOLS}]
        full = [one for one in tables if one.kind == _SYMBOLS] or tables
        if full:
            yield from self._symbols(full[0])
        if not full or full[0].kind != _SYMBOLS:
            yield from self._unwound()

    def notes(self, section: ElfSection) -> Iterator[ElfNote]:
        """Yield the notes of a section; one that is cut short ends them."""
        data, at = read_at(self.file, section.offset, min(section.size, _MAX_NAMES)), 0
        while at + 12 <= len(data):
            owner, content, kind = struct.unpack_from(f"{self.order}III", data, at)
            begin = at + 12 + owner + -owner % 4
            if begin + content > len(data):
                return
            name = data[at + 12 : at + 12 + min(owner, _MAX_NAME)].rstrip(b"\0")
            text = name.decode("ascii", "backslashreplace")
            yield ElfNote(text, kind, section.offset + begin, data[begin : begin + content])
            at = begin + content + -content % 4

    def dynamic(self) -> Iterator[tuple[int, int, str]]:
        """Yield tag and value of the entries of `.dynamic`, and the string at the value."""
        section = self.section(".dynamic")
        if section is None:
            return
        layout = struct.Struct(self.order + ("QQ" if self.wide else "II"))
        size = min(section.size, _MAX_DYNAMIC) // layout.size * layout.size
        names = self._linked(section)
        for tag, value in layout.iter_unpack(read_at(self.file, section.offset, size)):
            if tag == 0:
                return
            yield tag, value, _text(names, value)

    def symbol_names(self, section: ElfSection) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield the names in a symbol table, with binding and type, and visibility."""
        for row in self._rows(section):
            yield row[0], row[1:3]

    def _sections(self) -> Iterator[ElfSection]:
        head = self.header
        if not head.section_headers or not head.section_count:
            return
        layout = struct.Struct(self.order + ("IIQQQQIIQQ" if self.wide else "IIIIIIIIII"))
        if head.section_count > _MAX_SECTIONS or head.section_size != layout.size:
            raise UnreadableError(f"{head.section_count} sections of {head.section_size} bytes")
        table = read_at(self.file, head.section_headers, layout.size * head.section_count)
        rows = list(layout.iter_unpack(table))
        names = b""
        if head.names < len(rows):
            offset, size = rows[head.names][4:6]
            names = read_at(self.file, offset, min(size, _MAX_NAMES))
        for name, kind, flags, address, offset, size, link, _, _, entry_size in rows:
            yield ElfSection(
                name=_text(names, name),
                offset=offset,
                size=0 if kind in {_NONE, _NOBITS} else size,
                # those of an object file have no address yet
                address=offset if head.kind == _RELOCATABLE else address,
                in_memory=size if flags & _ALLOCATED else 0,
                executable=bool(flags & _EXECUTABLE),
                kind=kind,
                link=link,
                entry_size=entry_size,
            )

    def _symbols(self, section: ElfSection) -> Iterator[Symbol]:
        for name, info, _, place, value, size in self._rows(section):
            kind = info & 15
            if 0 < place < len(self.sections) and kind in {_OBJECT, _FUNCTION}:
                begin = self.sections[place].offset if self.header.kind == _RELOCATABLE else 0
                yield Symbol(name, begin + value, size, kind == _FUNCTION)

    def _rows(self, section: ElfSection) -> Iterator[tuple[str, int, int, int, int, int]]:
        """Yield name, info, visibility, section, value and size of symbols."""
        layout = struct.Struct(self.order + ("IBBHQQ" if self.wide else "IIIBBH"))
        count = min(section.size // layout.size, _MAX_SYMBOLS)
        names = self._linked(section)
        for row in layout.iter_unpack(read_at(self.file, section.offset, count * layout.size)):
            if self.wide:
                name, info, other, place, value, size = row
            else:
                name, value, size, info, other, place = row
            yield _text(names, name), info, other, place, value, size

    def _linked(self, section: ElfSection) -> bytes:
        """Return the strings that a section points into."""
        if section.link >= len(self.sections):
            return b""
        table = self.sections[section.link]
        return read_at(self.file, table.offset, min(table.size, _MAX_NAMES))

    def _unwound(self) -> Iterator[Symbol]:
        """Yield the functions in the table of `.eh_frame_hdr`, without names."""
        table = self.section(".eh_frame_hdr")
        if table is None or table.size < 12:
            return
        data = read_at(self.file, table.offset, min(table.size, _MAX_NAMES))
        if data[0] != 1 or data[2] != 3 or data[3] != _SDATA4_RELATIVE:
            return
        (count,) = struct.unpack_from(f"{self.order}I", data, 8)
        rows = data[12 : 12 + 8 * min(count, _MAX_SYMBOLS)]
        pairs = struct.iter_unpack(f"{self.order}ii", rows[: len(rows) // 8 * 8])
        frames = self.section(".eh_frame")
        if frames is None or frames.size > _MAX_NAMES:
            return
        entries = read_at(self.file, frames.offset, frames.size)
        for start, entry in pairs:
            at = table.address + entry - frames.address + _RANGE
            if 0 <= at <= len(entries) - 4:
                (size,) = struct.unpack_from(f"{self.order}I", entries, at)
                yield Symbol("", table.address + start, size, function=True)


def _text(names: bytes, at: int) -> str:
    """Return the name at an offset, at most so much of it."""
    name = names[at : at + _MAX_NAME].partition(b"\0")[0]
    return name.decode("utf-8", "backslashreplace")
