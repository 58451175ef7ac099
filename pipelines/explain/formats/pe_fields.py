"""PE: EFI programs, exe and dll: times, checksum, debug id, SBAT, signatures, and their content.

Source for SBAT: the documentation of shim.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

from pipelines.explain.executables.executable import read_at
from pipelines.explain.executables.go_build import go_lines
from pipelines.explain.executables.image_comparison import ImageComparison, count_of
from pipelines.explain.executables.named_lines import Line, compare_lines
from pipelines.explain.executables.pe_file import TABLE, PeFile
from pipelines.explain.executables.tally import Label, listed, told
from pipelines.explain.format_fields import FieldComparison, Format, Told
from pipelines.judge.difference import FieldKind
from pipelines.judge.signatures.pe_image import ENTRY

_MAX_TEXT = 1 << 20
_GO_DATA = 16 << 20
_TABLES = (".pdata", ".xdata", ".reloc", ".edata", "symbols")
"""Sections that describe others."""


class _Pair:
    """Two PE files that are compared."""

    def __init__(self, comparison: FieldComparison) -> None:
        self.files = PeFile(comparison.shipped), PeFile(comparison.rebuilt)
        images = [file.image() for file in self.files]
        self.images = ImageComparison(
            images[0], images[1], comparison.tick, detail=comparison.detail
        )

    def told(self) -> Iterator[Told]:
        yield from self._signatures()
        but = [TABLE]
        for pair in self.images.differing:
            name = pair.shipped.name
            if name == ".sbat" and pair.size <= _MAX_TEXT:
                but.append(name)
                one, other = self.images.read(pair)
                lines = _sbat(one), _sbat(other)
                yield from compare_lines(lines, count_of(one, other), FieldKind.PRODUCER)
            elif name == ".data" and pair.size <= _GO_DATA:
                one, other = self.images.read(pair)
                yield from compare_lines((go_lines(one), go_lines(other)), 0, FieldKind.PRODUCER)
        known = 0
        for told_of in self._headers():
            known += told_of.count
            yield told_of
        yield from self._one_sided()
        yield from self.images.content(but=but, labels=self._labels(), tables=_TABLES)
        yield from self.images.around(known=known)

    def _headers(self) -> Iterator[Told]:
        places = [read_at(file.file, file.pe.entry, ENTRY) for file in self.files]
        if places[0] != places[1]:
            name = f"place of the {TABLE}"
            yield told(name, FieldKind.DERIVED, count_of(*places))
        for one, other in zip(*(file.header_fields() for file in self.files), strict=True):
            sides = zip(self.files, (one, other), strict=True)
            data = [read_at(file.file, field.offset, field.size) for file, field in sides]
            if data[0] != data[1]:
                yield told(one.name, one.kind, count_of(*data), (one.value, other.value))

    def _signatures(self) -> Iterator[Told]:
        tables, texts = [], []
        for file in self.files:
            size = min(file.pe.table_size, file.pe.size - file.pe.table)
            tables.append(read_at(file.file, file.pe.table, size) if file.pe.table else b"")
            texts.append(file.signatures() or "not signed")
        if tables[0] != tables[1]:
            yield told(TABLE, FieldKind.PRODUCER, count_of(*tables), texts)

    def _one_sided(self) -> Iterator[Told]:
        """Tell of sections and symbols that one side lacks."""
        for index, sections in enumerate((self.images.only_shipped, self.images.only_rebuilt)):
            for section in sections:
                if section.name == TABLE:
                    continue
                values = (section.name, None) if index == 0 else (None, section.name)
                kind = FieldKind.SETTING if section.name == "symbols" else FieldKind.CONTENT
                yield told(f"section {section.name}", kind, section.size, values)
        names = [Counter(name for _, name in file.names()) for file in self.files]
        gone, new = (listed((a - b).elements()) for a, b in (names, names[::-1]))
        if all(names) and (gone or new):
            yield told("symbols", FieldKind.CONTENT, 0, (gone, new))

    def _labels(self) -> list[Label]:
        one, other = ({f.name: f for f in file.fields()} for file in self.files)
        return [
            Label(
                name,
                field.kind,
                field.offset,
                field.offset + field.size,
                field.value,
                other[name].value if name in other else None,
            )
            for name, field in one.items()
        ]


def _sbat(data: bytes) -> Iterator[Line]:
    """Yield the components of a `.sbat` section: name and generation, then who made them."""
    for row in data.rstrip(b"\0").decode("utf-8", "backslashreplace").splitlines():
        name, _, rest = row.partition(",")
        yield Line(f".sbat {name}", rest)


def _compare(comparison: FieldComparison) -> Iterator[Told]:
    return _Pair(comparison).told()


def _matches(head: bytes) -> bool:
    (at,) = struct.unpack_from("<I", head.ljust(64, b"\0"), 0x3C)
    return head[:2] == b"MZ" and (at + 4 > len(head) or head[at : at + 4] == b"PE\0\0")


PE = Format(name="PE", matches=_matches, compare=_compare)
