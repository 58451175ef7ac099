"""Data that differs in length, cut into strings, padding, and the rest.

Where a string grows, what follows moves, and padding in front of a table with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from pipelines.explain.executables.embedded_strings import is_text

_MOST_CUT = 64 << 10
"""Bytes of what is cut; what that costs grows with their square."""


class DataPartKind(Enum):
    """What a part is."""

    TEXT = 1
    PADDING = 2
    REST = 3


class DataPart(NamedTuple):
    """A part: begin and end on both sides."""

    kind: DataPartKind
    shipped: tuple[int, int]
    rebuilt: tuple[int, int]

    @property
    def is_even(self) -> bool:
        """Whether both sides have the same length."""
        return self.shipped[1] - self.shipped[0] == self.rebuilt[1] - self.rebuilt[0]


def cut(
    one: bytes, at: tuple[int, int], other: bytes, there: tuple[int, int]
) -> Iterator[DataPart]:
    """Yield the parts of two ranges that differ."""
    (begin, end), (start, stop) = at, there
    if max(end - begin, stop - start) > _MOST_CUT:
        yield DataPart(DataPartKind.REST, at, there)
        return
    while end - begin != stop - start:
        first, second = _string_end(one, begin, end), _string_end(other, start, stop)
        if (first, second) != (begin, start) and is_text(one[begin:first] + other[start:second]):
            yield DataPart(DataPartKind.TEXT, (begin, first), (start, second))
            begin, start = first, second
            continue
        first, second = _zeros_end(one, begin, end), _zeros_end(other, start, stop)
        if first - begin != second - start:
            yield DataPart(DataPartKind.PADDING, (begin, first), (start, second))
            begin, start = first, second
            continue
        first, second = _zeros_start(one, begin, end), _zeros_start(other, start, stop)
        if end - first != stop - second and (first, second) != (begin, start):
            yield from cut(one, (begin, first), other, (start, second))
            yield DataPart(DataPartKind.PADDING, (first, end), (second, stop))
            return
        # what stands at the end of both belongs together
        common = min(end - begin, stop - start)
        surplus = (begin, end - common), (start, stop - common)
        yield DataPart(DataPartKind.REST, *surplus)
        begin, start = end - common, stop - common
    if end > begin:
        yield DataPart(DataPartKind.REST, (begin, end), (start, stop))


def _string_end(data: bytes, begin: int, end: int) -> int:
    found = data.find(b"\0", begin, end)
    return end if found < 0 else found


def _zeros_end(data: bytes, begin: int, end: int) -> int:
    return end - len(data[begin:end].lstrip(b"\0"))


def _zeros_start(data: bytes, begin: int, end: int) -> int:
    return begin + len(data[begin:end].rstrip(b"\0"))
