"""An executable as its sections and symbols, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from builders.core.digest import CHUNK

MAX_CONTENT = 40 << 20
"""Bytes of all sections of a file whose content is looked at; others are only compared."""

_MAX_GAPS = 4 << 20


class UnreadableError(Exception):
    """Raised for a file that is not of its format, or needs more than is read of it."""


@dataclass(frozen=True, kw_only=True)
class ImageSection:
    """A named part of a file, and where it is in memory; addresses are those of the file."""

    name: str
    offset: int
    size: int
    """Bytes in the file; none of a section that is zeros in memory."""
    address: int = 0
    in_memory: int = 0
    """Bytes in memory, 0 for what is not loaded."""
    executable: bool = False

    @property
    def end(self) -> int:
        """The offset after it."""
        return self.offset + self.size


class Symbol(NamedTuple):
    """A function or an object at an address."""

    name: str
    address: int
    size: int
    function: bool


@dataclass(frozen=True, kw_only=True)
class Image:
    """What is compared of an executable."""

    file: BinaryIO = field(repr=False)
    size: int
    sections: tuple[ImageSection, ...]
    symbols: tuple[Symbol, ...] = ()
    headers: tuple[tuple[int, int], ...] = ()
    """Offset and length of the tables that say where sections are."""
    word: int = 8
    """Bytes of an address."""
    little: bool = True
    relative: bool = True
    """Whether code names addresses by their distance, in 32 bits: x86 does."""
    base: int = 0
    """What addresses of 32 bits may be counted from."""

    def read(self, section: ImageSection) -> bytes:
        """Return the bytes of a section; raises `UnreadableError`."""
        return read_at(self.file, section.offset, section.size)

    def gaps(self) -> bytes:
        """Return what no section and no header holds, up to a limit."""
        held = [(s.offset, s.end) for s in self.sections]
        held += [(at, at + size) for at, size in self.headers]
        found, end = bytearray(), 0
        for begin, after in [*sorted(held), (self.size, self.size)]:
            if end < begin <= self.size and len(found) < _MAX_GAPS:
                found += read_at(self.file, end, min(begin - end, _MAX_GAPS))
            end = max(end, after)
        return bytes(found)

    def named(self) -> dict[tuple[str, int], ImageSection]:
        """Return the sections by name, and by how many of that name came before."""
        found: dict[tuple[str, int], ImageSection] = {}
        seen: dict[str, int] = {}
        for section in self.sections:
            count = seen.get(section.name, 0)
            found[section.name, count] = section
            seen[section.name] = count + 1
        return found


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Return bytes of a file; raises `UnreadableError` where it ends before."""
    if offset < 0 or size < 0:
        raise UnreadableError("an offset or a size below zero")
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise UnreadableError(f"the file ends before {offset + size}")
    return data


def same_bytes(one: Image, at: ImageSection, other: Image, there: ImageSection) -> bool:
    """Say whether two sections hold the same bytes."""
    if at.size != there.size:
        return False
    pieces = zip(_pieces(one, at), _pieces(other, there), strict=True)
    return all(a == b for a, b in pieces)


def _pieces(image: Image, section: ImageSection) -> Iterator[bytes]:
    for at in range(0, section.size, CHUNK):
        yield read_at(image.file, section.offset + at, min(CHUNK, section.size - at))
