"""PE files: sections, symbols, and the fields that say when and by what they were made.

Source: Microsoft, "PE Format". The headers are read as for signatures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from pipelines.explain.executables.executable import (
    Image,
    ImageSection,
    Symbol,
    UnreadableError,
    read_at,
)
from pipelines.explain.format_fields import time_text
from pipelines.judge.difference import FieldKind
from pipelines.judge.signatures.pe_image import CHECKSUM, ENTRY, PeImage, PeSection, read_pe
from pipelines.judge.signatures.signature_format import BadSignatureError

TABLE = "certificate table"
_EXECUTABLE, _ZEROS = 0x20000000, 0x80
_X86 = frozenset({0x14C, 0x8664})
_EXPORTS, _EXCEPTIONS, _CERTIFICATES, _DEBUG = 0, 3, 4, 6
_DEBUG_ENTRY, _CODEVIEW = 28, 2
_MAX_PATH = 1024
_MAX_SYMBOLS = 100_000
_MAX_NAMES = 8 << 20
_SYMBOL, _FUNCTION = 18, 0x20


class PeField(NamedTuple):
    """A field by its name: where it is, in bytes from the start of the file, and what it says."""

    name: str
    kind: FieldKind
    offset: int
    size: int
    value: str


class PeFile:
    """A PE file; raises `UnreadableError` where it is none."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self.pe: PeImage = read_pe(file, "compared")
        except BadSignatureError as error:
            raise UnreadableError(str(error)) from error
        self.file = file
        self.optional = self.pe.checksum - 64
        head = read_at(file, self.optional - 20, 20)
        self._symbols: int
        self._count: int
        self.machine, _, _, self._symbols, self._count = struct.unpack_from("<HHIII", head)
        optional = read_at(file, self.optional, 32)
        self.wide = optional[:2] == b"\x0b\x02"
        at, layout = (24, "<Q") if self.wide else (28, "<I")
        self.base: int = struct.unpack_from(layout, optional, at)[0]

    def header_fields(self) -> Iterator[PeField]:
        """Yield fields of the headers."""
        producer, setting, derived = FieldKind.PRODUCER, FieldKind.SETTING, FieldKind.DERIVED
        base = (24, 8) if self.wide else (28, 4)
        for name, kind, at, size in (
            ("machine", setting, -20, 2),
            ("time stamp", setting, -16, 4),
            ("place of the symbols", derived, -12, 8),
            ("characteristics", setting, -2, 2),
            ("linker version", producer, 2, 2),
            ("image base", setting, *base),
            ("version of the operating system", setting, 40, 4),
            ("image version", setting, 44, 4),
            ("version of the subsystem", setting, 48, 4),
            ("checksum", derived, 64, CHECKSUM),
            ("subsystem", setting, 68, 2),
            ("DLL characteristics", setting, 70, 2),
        ):
            data = read_at(self.file, self.optional + at, size)
            number = int.from_bytes(data, "little")
            text = time_text(number) if name == "time stamp" else hex(number)
            if "version" in name:
                half = size // 2
                parts = data[:half], data[half:]
                text = ".".join(str(int.from_bytes(part, "little")) for part in parts)
            yield PeField(name, kind, self.optional + at, size, text)

    def image(self) -> Image:
        """Return what is compared of it."""
        pe = self.pe
        sections = tuple(
            ImageSection(
                name=one.name.decode("utf-8", "backslashreplace"),
                offset=one.offset,
                size=self._size(one),
                address=self.base + one.address,
                in_memory=one.memory,
                executable=bool(one.flags & _EXECUTABLE),
            )
            for one in pe.sections
        )
        if pe.table:
            sections += (
                ImageSection(
                    name=TABLE, offset=pe.table, size=min(pe.table_size, pe.size - pe.table)
                ),
            )
        if self._symbols:
            size = self._symbols_size()
            sections += (ImageSection(name="symbols", offset=self._symbols, size=size),)
        return Image(
            file=self.file,
            size=pe.size,
            sections=sections,
            symbols=tuple(self.functions()),
            headers=((0, min(pe.headers, pe.size)),),
            word=8 if self.wide else 4,
            relative=self.machine in _X86,
            base=self.base,
        )

    def _size(self, section: PeSection) -> int:
        """Return the bytes of a section without those that only fill the file."""
        if section.flags & _ZEROS:
            return 0
        used = min(section.size, section.memory or section.size)
        return min(used, max(0, self.pe.end - section.offset))

    def directory(self, number: int) -> tuple[int | None, int]:
        """Return offset and size of a data directory."""
        at = self.pe.entry + (number - _CERTIFICATES) * ENTRY
        address, size = struct.unpack("<II", read_at(self.file, at, ENTRY))
        return (self._offset(address) if address else None), size

    def fields(self) -> Iterator[PeField]:
        """Yield fields within sections."""
        place, _ = self.directory(_EXPORTS)
        if place is not None:
            yield self._time("time stamp of the exports", place + 4)
        place, size = self.directory(_DEBUG)
        if place is None:
            return
        for at in range(place, place + min(size, 64 * _DEBUG_ENTRY), _DEBUG_ENTRY):
            yield self._time("time stamp of the debug directory", at + 4)
            kind, length, _, data = struct.unpack("<IIII", read_at(self.file, at + 12, 16))
            if kind == _CODEVIEW and length >= 24:
                record = read_at(self.file, data, min(length, _MAX_PATH))
                path = record[24:].partition(b"\0")[0].decode("utf-8", "backslashreplace")
                yield PeField("debug id", FieldKind.DERIVED, data, 24, record[4:24].hex())
                if path:
                    name = "path of the debug file"
                    yield PeField(name, FieldKind.SETTING, data + 24, length - 24, path)

    def functions(self) -> Iterator[Symbol]:
        """Yield the functions that unwinding knows, with the names of symbols at them."""
        place, size = self.directory(_EXCEPTIONS)
        if place is None or not self.wide:
            return
        names = dict(self.names())
        data = read_at(self.file, place, min(size, 12 * _MAX_SYMBOLS) // 12 * 12)
        for begin, end, _ in struct.iter_unpack("<III", data):
            if begin < end:
                yield Symbol(names.get(begin, ""), self.base + begin, end - begin, function=True)

    def names(self) -> Iterator[tuple[int, str]]:
        """Yield address, relative to the image, and name of the symbols of functions."""
        if not self._symbols:
            return
        count = min(self._count, _MAX_SYMBOLS)
        data = read_at(self.file, self._symbols, self._symbols_size())
        texts = data[count * _SYMBOL :]
        skip = 0
        rows = struct.iter_unpack("<8sIhHBB", data[: count * _SYMBOL])
        for name, value, section, kind, _, more in rows:
            if skip:
                skip -= 1
                continue
            skip = more
            if kind & _FUNCTION and 0 < section <= len(self.pe.sections):
                text = name.rstrip(b"\0")
                if name[:4] == bytes(4):
                    at = int.from_bytes(name[4:], "little")
                    text = texts[at : at + 256].partition(b"\0")[0]
                address = self.pe.sections[section - 1].address + value
                yield address, text.decode("utf-8", "backslashreplace")

    def _symbols_size(self) -> int:
        """Return the bytes of the symbols with the strings that follow them."""
        size = min(self._count, _MAX_SYMBOLS) * _SYMBOL
        texts = int.from_bytes(read_at(self.file, self._symbols + size, 4), "little")
        return min(size + min(texts, _MAX_NAMES), self.pe.size - self._symbols)

    def _time(self, name: str, at: int) -> PeField:
        (seconds,) = struct.unpack("<I", read_at(self.file, at, 4))
        return PeField(name, FieldKind.SETTING, at, 4, time_text(seconds))

    def _offset(self, address: int) -> int | None:
        for one in self.pe.sections:
            if one.address <= address < one.address + one.size:
                return one.offset + address - one.address
        return None

    def signatures(self) -> str | None:
        """Return how many signatures its certificate table holds."""
        if not self.pe.table:
            return None
        count, at, end = 0, self.pe.table, self.pe.table + self.pe.table_size
        while at + 8 <= min(end, self.pe.size) and count < 100:
            (length,) = struct.unpack("<I", read_at(self.file, at, 4))
            if length < 8:
                break
            count, at = count + 1, at + length + -length % 8
        return f"{count} signature{'s' if count != 1 else ''}, {self.pe.table_size} bytes"
