"""Two files of one format, compared field by field.

The reader of a format cuts one file into named fields, and says what they tell. Here the fields of
both files are paired by their names. Those with the same bytes are passed over, so that their parts
are not even read.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import IO, TYPE_CHECKING

from pipelines.explain.differing import count_differing, count_offsets
from pipelines.explain.texts import MOST, is_text, line_differences, string_differences
from pipelines.judge.difference import FieldKind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_FIELDS = 50_000
"""Fields of one file, or of one part of it; what follows is compared as bytes."""
HEAD = 4096
"""Bytes by which a format is known."""
WHOLE = "bytes"
"""The name of a file as one field."""
_SMALL = 1 << 16
_SHORTEST = 6
"""Bytes of a field in which texts are looked for."""


Part = tuple[str, int, int, FieldKind]
"""Name, start, end and kind of a part of a header."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the first bytes of all headers of a kind are divided: an archive has many of them."""

    parts: tuple[Part, ...]
    value: Callable[[str, bytes], str]
    """What the part of a name says, which follows from its bytes alone."""

    def field(self, part: Part, of: Field, header: bytes) -> Field:
        """Return a part of a header, whose bytes are given, as a field."""
        name, start, end, kind = part
        value = self.value(name, header[start:end])
        at, size = of.at + start, end - start
        return Field(name=name, at=at, size=size, value=value, kind=kind, member=of.member)


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A named range of one file; fields that stand side by side do not overlap."""

    name: str
    """As an engineer of the format names it; what has the same name and `member` is paired."""
    at: int = 0
    size: int = 0
    """Bytes from offset `at` on; 0 for what is said of bytes that other fields have."""
    value: str | None = None
    """What it says; None where its bytes say nothing by themselves."""
    kind: FieldKind = FieldKind.CONTENT
    member: str = ""
    """The member of an archive that it describes."""
    parts: Callable[[], Iterable[Field]] | None = None
    """Cuts it further, where its bytes differ; what no part covers is told under its own name."""
    layout: Layout | None = None
    """The parts that it begins with, before those that `parts` cuts."""
    packed: bool = False
    """Whether it is the packed form of a member, or of all that a file holds. It is told only where
    the unpacked bytes are the same: elsewhere those tell more."""


class Content(io.BufferedReader):
    """A range of a file as a seekable file of its own, to be read."""

    def __init__(self, file: IO[bytes], at: int = 0, size: int | None = None) -> None:
        """Show `size` bytes of the seekable `file` from `at` on; by default all that follow."""
        self.size = max(0, file.seek(0, 2) - at) if size is None else size
        super().__init__(_Range(file, at, self.size))

    def bytes(self, at: int, size: int) -> bytes:
        """Return `size` bytes from an offset on, fewer only at the end."""
        self.seek(at)
        return self.read(max(0, size))


class _Range(io.RawIOBase):
    """The bytes of a `Content`, with a position of its own."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = max(0, (0, self._at, self._size)[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(view), self._size - self._at)))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A field that differs."""

    field: Field
    """Of the shipped file, or of the rebuilt one where only that has it."""
    shipped: str | None
    rebuilt: str | None
    count: int
    """Bytes that differ."""


@dataclass(frozen=True)
class FieldComparison:
    """Compares two files, whose bytes differ."""

    shipped: Content
    rebuilt: Content
    is_same: Callable[[str], bool] = lambda _: False
    """Says of a member whether both files hold the same bytes of it; of "", of all members."""
    tick: Callable[[], None] = lambda: None
    """Raises when the time is used up."""
    detail: bool = True
    """Whether there is work left for more than the fields: contents that moved, code, symbols."""

    def told(self, form: Format | None) -> Iterator[Told]:
        """Yield what differs between two files of a format; None of what has no reader."""
        if form is None:
            yield from self.fields([_whole(self.shipped)], [_whole(self.rebuilt)])
        elif form.compare is not None:
            yield from form.compare(self)
        elif form.fields is not None:
            theirs, ours = (
                list(islice(form.fields(side), MAX_FIELDS)) if side.size else []
                for side in (self.shipped, self.rebuilt)
            )
            if (
                form.archive
            ):  # of members that only one has it is told elsewhere that they are there
                both = {f.member for f in theirs} & {f.member for f in ours}
                theirs, ours = ([f for f in s if f.member in both] for s in (theirs, ours))
            found = 0
            for told in self.fields(theirs, ours):
                found += told.count
                yield told
            if form.archive and (moved := self._moved(theirs, ours, found)):
                yield moved

    def fields(self, shipped: Iterable[Field], rebuilt: Iterable[Field]) -> Iterator[Told]:
        """Yield what differs of fields that stand side by side."""
        one, other = _keyed(shipped), _keyed(rebuilt)
        for key, ours in other.items():
            if key not in one and (ours.size or ours.value):
                yield Told(field=ours, shipped=None, rebuilt=ours.value, count=ours.size)
        for key, theirs in one.items():
            self.tick()
            if key in other:
                yield from self._pair(theirs, other[key])
            elif theirs.size or theirs.value:
                yield Told(field=theirs, shipped=theirs.value, rebuilt=None, count=theirs.size)

    def _pair(self, one: Field, other: Field) -> Iterator[Told]:
        if one.packed and not self.is_same(one.member):
            return
        count = self.count(one, other)
        if count == 0 and one.value == other.value:
            return
        covered = 0
        if count and one.value == other.value:
            for told in self._parts(one, other):
                covered += told.count
                yield told
            # of fields of two sizes the count says nothing of what is left
            if covered >= count or (covered and one.size != other.size):
                return
        values = (one.value, other.value) if one.value != other.value else (None, None)
        yield Told(field=one, shipped=values[0], rebuilt=values[1], count=count - covered)

    def _parts(self, one: Field, other: Field) -> Iterator[Told]:
        """Yield the parts that differ of two fields; of those that have none, the texts."""
        if (layout := one.layout) and layout is other.layout:
            theirs = self.shipped.bytes(one.at, one.size)
            ours = self.rebuilt.bytes(other.at, other.size)
            for part in layout.parts:
                _, start, end, _ = part
                if theirs[start:end] != ours[start:end]:
                    yield from self._pair(
                        layout.field(part, one, theirs), layout.field(part, other, ours)
                    )
        if one.parts and other.parts:
            yield from self.fields(one.parts(), other.parts())
        elif not one.layout:
            yield from self._texts(one, other)

    def _texts(self, one: Field, other: Field) -> Iterator[Told]:
        """Yield the texts that differ in bytes that no reader knows more of."""
        size = max(one.size, other.size)
        if one.packed or size > MOST or (size < _SHORTEST and one.name != WHOLE):
            return
        sides = self.shipped.bytes(one.at, one.size), self.rebuilt.bytes(other.at, other.size)
        both = all(is_text(data[:HEAD]) for data in sides)
        found = line_differences(*sides) if both else string_differences(*sides)
        where = f" in {one.name}" if one.name != WHOLE else ""
        for name, kind, *texts, count in found:
            self.tick()
            field = Field(name=f"{name}{where}", kind=kind, member=one.member)
            yield Told(field=field, shipped=texts[0], rebuilt=texts[1], count=count)

    def _moved(self, shipped: list[Field], rebuilt: list[Field], found: int) -> Told | None:
        """Return that members that both archives have are in another order."""
        one, other = (
            list(dict.fromkeys(f.member for f in s if f.member)) for s in (shipped, rebuilt)
        )
        both = set(one) & set(other)
        left, right = ([name for name in names if name in both] for names in (one, other))
        if left == right:
            return None
        count = max(0, self.count(_whole(self.shipped), _whole(self.rebuilt)) - found)
        texts = (", ".join(names[:3]) for names in (left, right))
        field = Field(name="order of members", kind=FieldKind.SETTING)
        return Told(field=field, shipped=next(texts), rebuilt=next(texts), count=count)

    def count(self, one: Field, other: Field) -> int:
        """Return how many bytes of two fields differ."""
        if max(one.size, other.size) <= _SMALL:
            data = self.shipped.bytes(one.at, one.size)
            other_data = self.rebuilt.bytes(other.at, other.size)
            if data == other_data:
                return 0
            if len(data) == len(other_data):
                return count_offsets(data, other_data)
            return count_differing(io.BytesIO(data), io.BytesIO(other_data), self.tick)
        theirs = Content(self.shipped, one.at, one.size)
        return count_differing(theirs, Content(self.rebuilt, other.at, other.size), self.tick)


def _whole(content: Content) -> Field:
    return Field(name=WHOLE, size=content.size)


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format and its reader: one of `fields` and `compare` is given.

    The bytes are hostile: a reader may raise anything, and reads no more than it needs. What it
    tells nothing of is told as other bytes.
    """

    name: str
    matches: Callable[[bytes], bool]
    """Says by the first `HEAD` bytes whether a file is of this format."""
    fields: Callable[[Content], Iterable[Field]] | None = None
    """Cuts a file."""
    compare: Callable[[FieldComparison], Iterable[Told]] | None = None
    """Compares two files, where pairing fields by their names is not enough."""
    alone: bool = False
    """Whether it tells of a file that only one side has, too."""
    archive: bool = False
    """Whether it packs members that are compared on their own: it tells of what is around them."""


def time_text(seconds: int) -> str:
    """Return seconds since 1970 as a time in UTC; what is out of its range as a number."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _keyed(fields: Iterable[Field]) -> dict[tuple[str, str, int], Field]:
    """Return fields by member, name, and how many came before of both."""
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for field in islice(fields, MAX_FIELDS):
        key = (field.member, field.name)
        found[*key, seen[key]] = field
        seen[key] += 1
    return found
