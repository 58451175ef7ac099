"""The lines of a unified diff as rows of a page: unified, or side by side.

Lines are numbered as in their files. A long line is cut, and says how long it is; a page has a
number of rows, so that no file makes it unusable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from builders.core.escaping import escaped

MAX_LINE = 2000
"""Characters of a line that are shown."""
MAX_ROWS = 3000
"""Rows of one page."""
MAX_READ = 100_000
"""Lines that are read of a diff or a file: a row takes more memory than an empty line."""
_HUNK = re.compile(rb"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True, kw_only=True)
class DiffRow:
    """A line of one or of both files, or the head of a hunk."""

    sign: str
    """A blank, `+`, `-`, or `@` for a hunk."""
    text: str
    """Escaped as for a terminal, not as HTML; tabs are expanded."""
    old: int | None = None
    new: int | None = None
    cut: int = 0
    """The bytes of the whole line, where it is cut."""
    unended: bool = False
    """Whether no newline ends it."""


@dataclass(frozen=True, kw_only=True)
class RowPair:
    """What stands side by side; None where one file has no such line."""

    left: DiffRow | None
    right: DiffRow | None


def diff_rows(lines: bytes) -> list[DiffRow]:
    """Return the rows of what `diff -u` has printed, without the two lines of names.

    What follows after `MAX_READ` lines is left out.
    """
    rows: list[DiffRow] = []
    old = new = 0
    for line in _split(lines)[2:]:
        sign = chr(line[0]) if line else " "
        if found := _HUNK.match(line):
            old, new = int(found[1]), int(found[2])
            rows.append(_row("@", line))
        elif sign == "\\" and rows:
            rows[-1] = replace(rows[-1], unended=True)
        else:
            numbers = (old if sign in " -" else None, new if sign in " +" else None)
            rows.append(_row(sign, line[1:], *numbers))
            old += sign in " -"
            new += sign in " +"
    return rows


def file_rows(data: bytes) -> Iterator[DiffRow]:
    """Yield the lines of a whole file, as many as are read."""
    for number, line in enumerate(_split(data), start=1):
        yield _row(" ", line, None, number)


def side_by_side(rows: Iterable[DiffRow]) -> Iterator[RowPair]:
    """Yield rows in pairs: removed lines beside the added ones that follow them."""
    removed: list[DiffRow] = []
    added: list[DiffRow] = []
    for row in rows:
        if row.sign == "+":
            added.append(row)
            continue
        if row.sign != "-" or added:
            yield from _paired(removed, added)
            removed, added = [], []
        if row.sign == "-":
            removed.append(row)
        else:
            yield RowPair(left=row, right=row)
    yield from _paired(removed, added)


def _paired(removed: Sequence[DiffRow], added: Sequence[DiffRow]) -> Iterator[RowPair]:
    for number in range(max(len(removed), len(added))):
        yield RowPair(
            left=removed[number] if number < len(removed) else None,
            right=added[number] if number < len(added) else None,
        )


def shown_line(line: bytes) -> str:
    """Return a line as pages show it: escaped, with tabs expanded."""
    return escaped(line.decode("utf-8", "backslashreplace").expandtabs())


def is_cut(data: bytes) -> bool:
    """Say whether there are more lines than are read."""
    return data.count(b"\n") > MAX_READ


def _split(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n", MAX_READ)[:MAX_READ]


def _row(sign: str, line: bytes, old: int | None = None, new: int | None = None) -> DiffRow:
    text = shown_line(line[: MAX_LINE * 4])  # bytes of as many characters
    cut = len(line) if len(text) > MAX_LINE or len(line) > MAX_LINE * 4 else 0
    return DiffRow(sign=sign, text=text[:MAX_LINE], old=old, new=new, cut=cut)
