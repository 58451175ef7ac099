"""Text that fits the terminal: tables with headers, wrapped lines, short digests.

On a terminal nothing is wider than it, unless a single word is. Elsewhere, and with `--wide`, each
row and each line stays one line, for `grep` and for scripts. Tables are drawn here, because rich,
which draws them too, takes 70 ms to import: longer than most of these commands need.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TextIO

from pipelines.cli.console import marked, shown, styled, unstyled
from pipelines.cli.options import noted

GAP = 2
"""Blanks between two columns."""
_SHORT = 12
"""Hexadecimal digits of a digest that people compare by eye."""
_NARROWEST = 12
"""The least width of the flexible column; below it the rows are wrapped as lines."""
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_UNBROKEN = re.compile(r"[(\[]?(?:sha256:)?[0-9a-f]{64}[)\],.:;]?")
"""A digest as a word, which is copied."""
_BREAKS = re.compile(r"(?<=/)|(?=@)")
"""Where a word that is longer than its cell is folded first: at a slash, or before a version."""
_HANG = re.compile(r" *(?:[-!*|] )?(?:\S+(?: \S+)* {2,})?")


def width(stream: TextIO | None = None) -> int | None:
    """Return the columns of the terminal that `stream` (stdout) is; None where lines are not cut.

    The variable COLUMNS comes first, as in other programs.
    """
    stream = sys.stdout if stream is None else stream
    if not stream.isatty() or noted("wide"):
        return None
    if (given := os.environ.get("COLUMNS", "")).isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None


def short(digest: object) -> str:
    """Return the first digits of a digest or claim; with `--wide` all of them."""
    text = str(digest)
    return text if noted("wide") else text[:_SHORT]


def shortened(text: str) -> str:
    """Return a text with all its digests short, unless `--wide` is given."""
    return _DIGEST.sub(lambda found: short(found[0]), text)


def short_run(run: str) -> str:
    """Return the random part of a run's id, by which `--run` finds it; with `--wide` all of it."""
    return run if noted("wide") else run.rpartition("-")[2]


def started(run: str) -> str:
    """Return when a run began, which its id says: date and minute, UTC."""
    return f"{run[:4]}-{run[4:6]}-{run[6:8]} {run[9:11]}:{run[11:13]}"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    flexible: int = -1,
    right: Iterable[int] = (),
    indent: int = 0,
) -> Iterator[str]:
    """Yield the lines of a table; of a table without rows, none.

    A cell can be `styled`; it is escaped, and one line. On a terminal that is too narrow, the
    `flexible` column is folded. Columns in `right` are aligned to the right. Every row has as many
    cells as `header`.
    """
    cells = [[styled(name, bold=True) for name in header], *(list(map(shown, r)) for r in rows)]
    if len(cells) == 1:
        return
    sizes = [max(_size(row[n]) for row in cells) for n in range(len(header))]
    columns = width()
    if columns and (excess := indent + sum(sizes) + GAP * (len(sizes) - 1) - columns) > 0:
        sizes[flexible] = min(sizes[flexible], max(sizes[flexible] - excess, _NARROWEST))
    rights = set(right)
    for row in cells:
        folds = [_folded(cell, size) for cell, size in zip(row, sizes, strict=True)]
        for parts in zip_longest(*folds, fillvalue=""):
            padded = [
                f"{fill}{part}" if number in rights else f"{part}{fill}"
                for number, part in enumerate(parts)
                for fill in [" " * (sizes[number] - _size(part))]
            ]
            yield " " * indent + (" " * GAP).join(padded).rstrip()


def _folded(cell: str, size: int) -> list[str]:
    """Return a cell as lines of at most that size; a cell that fits keeps its style."""
    if _size(cell) <= size:
        return [cell]
    lines = [""]
    for word in re.split(r"(?<= )", unstyled(cell)):
        for piece in [word] if _size(word.rstrip()) <= size else _BREAKS.split(word):
            if _size(f"{lines[-1]}{piece}".rstrip()) > size:
                lines.append("")
            lines[-1] += piece
    return [part for line in lines if line for part in _cut(line.rstrip(), size)]


def wrapped(line: str, columns: int | None) -> Iterator[str]:
    """Yield a line in parts of at most `columns`, those after the first indented below its text.

    Where it begins with a bar, which marks text of others, all of them do.
    The text begins after the indentation, a bullet and a label that two blanks end. Digests are
    not broken, so that they can be copied. A path that is longer than a line is, at a slash, and
    any other word too: what a terminal breaks itself would begin where our own lines do.
    """
    plain = unstyled(line)
    if columns is None or _size(plain) <= columns:
        yield line
        return
    found = _HANG.match(plain)
    indent = found.end() if found else 0
    lead = len(plain) - len(plain.lstrip(" "))
    if lead > columns // 2:
        line, lead = line[lead - columns // 2 :], columns // 2
    if indent > columns // 2 or indent == lead:
        indent = lead + GAP
    start = " " * indent
    if plain[lead:].startswith("| "):
        start = f"{' ' * lead}| "
    part, used, gap, empty = "", 0, "", True
    for piece in re.split(r"( +)", line):
        if piece.isspace() or not piece:
            gap += piece
            continue
        for word in _words(piece, columns - max(indent, len(start))):
            size = _size(word)
            if used + len(gap) + size > columns and not empty:
                yield part
                part, used, gap = start, len(start), ""
            part, used, gap, empty = f"{part}{gap}{word}", used + len(gap) + size, "", False
    yield part


def fitted(lines: Iterable[Any], stream: TextIO | None = None) -> Iterator[str]:
    """Yield lines as `stream` (stdout) shows them: escaped, and marked after a newline."""
    columns = width(stream)
    for line in lines:
        for text in marked(str(line)):
            yield from wrapped(text, columns)


def _size(text: str) -> int:
    """Return how many columns a terminal gives to a text."""
    plain = unstyled(text)
    return len(plain) if plain.isascii() else sum(map(_columns, plain))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _cut(text: str, size: int) -> Iterator[str]:
    """Yield a text in parts of at most `size` columns."""
    part, used = "", 0
    for character in text:
        if (columns := _columns(character)) + used > size and part:
            yield part
            part, used = "", 0
        part, used = f"{part}{character}", used + columns
    yield part


def _words(piece: str, size: int) -> Iterator[str]:
    """Yield a word, in parts if it is longer than a line."""
    if _size(piece) <= size or _UNBROKEN.fullmatch(piece):
        yield piece
        return
    for word in re.split(r"(?<=/)", piece):
        yield from [word] if _size(word) <= size else _cut(unstyled(word), size)
