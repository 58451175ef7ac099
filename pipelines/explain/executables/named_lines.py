"""Named lines of text within an executable: producers, settings, lists of components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipelines.explain.executables.tally import told
from pipelines.explain.format_fields import Told
from pipelines.judge.difference import FieldKind

_MAX_LINES = 10_000


class Line(NamedTuple):
    """A name, and what it says."""

    name: str
    value: str


def compare_lines(
    both: tuple[Iterable[Line], Iterable[Line]], count: int, kind: FieldKind
) -> Iterator[Told]:
    """Yield the lines of both sides that differ, the first with the `count` bytes of them all."""
    sides: list[dict[str, str]] = []
    for side in both:
        found: dict[str, str] = {}
        for name, value in list(side)[:_MAX_LINES]:
            found[name] = f"{found[name]}, {value}" if name in found else value
        sides.append(found)
    one, other = sides
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield told(name, kind, count, (one.get(name), other.get(name)))
            count = 0
