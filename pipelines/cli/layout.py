"""Text that fits the terminal: tables with headers, wrapped lines, short digests.

On a terminal nothing is wider than it, unless a single word is. Elsewhere, and with `--wide`, each
row and each line stays one line, for `grep` and for scripts. Tables are drawn here, because rich,
which draws them too, takes 70 ms to import: longer than most of these commands need.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TextIO

import click

from builders.core.escaping import escaped
from pipelines.cli.options import noted

GAP = 2
"""Blanks between two columns."""
_SHORT = 12
"""Hexadecimal digits of a digest that people compare by eye."""
_NARROWEST = 12
"""The least width of the flexible column; below it the rows are wrapped as lines."""
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_BREAKS = re.compile(r"(?<=/)|(?=@)")
"""Where a word that is longer than its cell is folded first: at a slash, or before a version."""
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")
"""What `click.style` puts around a text."""
_HANG = re.compile(r" *(?:[-!*] )?(?:\S+(?: \S+)* {2,})?")


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


def styled(text: str, color: str | None) -> str:
    """Return a text in a color; None is that of the terminal."""
    return text if color is None else click.style(text, fg=color)


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

    A cell can be styled with `click.style`. On a terminal that is too narrow, the `flexible` column
    is folded. Columns in `right` are aligned to the right. Every row has as many cells as `header`.
    """
    cells = [[click.style(name, bold=True) for name in header], *map(list, rows)]
    if len(cells) == 1:
        return
    sizes = [max(len(click.unstyle(row[n])) for row in cells) for n in range(len(header))]
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
                for fill in [" " * (sizes[number] - len(click.unstyle(part)))]
            ]
            yield " " * indent + (" " * GAP).join(padded).rstrip()


def _folded(cell: str, size: int) -> list[str]:
    """Return a cell as lines of at most that size; a cell that fits keeps its style."""
    if len(plain := click.unstyle(cell)) <= size:
        return [cell]
    lines = [""]
    for word in re.split(r"(?<= )", plain):
        for piece in [word] if len(word.rstrip()) <= size else _BREAKS.split(word):
            if len(f"{lines[-1]}{piece}".rstrip()) > size:
                lines.append("")
            lines[-1] += piece
    return [part for line in lines if line for part in textwrap.wrap(line, size) or [""]]


def wrapped(line: str, columns: int | None) -> Iterator[str]:
    """Yield a line in parts of at most `columns`, those after the first indented below its text.

    The text begins after the indentation, a bullet and a label that two blanks end. Words are not
    broken, so that a digest can be copied, but a path that is longer than a line is, at a slash.
    """
    plain = click.unstyle(line)
    if columns is None or len(plain) <= columns:
        yield line
        return
    found = _HANG.match(plain)
    indent = found.end() if found else 0
    lead = len(plain) - len(plain.lstrip(" "))
    if indent > columns // 2 or indent == lead:
        indent = lead + GAP
    part, used, gap = "", 0, ""
    for piece in re.split(r"( +)", line):
        if piece.isspace() or not piece:
            gap += piece
            continue
        long = len(click.unstyle(piece)) > columns - indent
        for word in re.split(r"(?<=/)", piece) if long else [piece]:
            size = len(click.unstyle(word))
            if used + len(gap) + size > columns and used > indent:
                yield part
                part, used, gap = " " * indent, indent, ""
            part, used, gap = f"{part}{gap}{word}", used + len(gap) + size, ""
    yield part


def fitted(lines: Iterable[Any], stream: TextIO | None = None) -> Iterator[str]:
    """Yield lines as `stream` (stdout) shows them; a text of several lines is not wrapped.

    Whatever a terminal would obey is escaped, but for colors.
    """
    columns = width(stream)
    for line in lines:
        parts = enumerate(_STYLE.split(str(line)))
        text = "".join(part if n % 2 else escaped(part, keep="\n\t") for n, part in parts)
        yield from [text] if "\n" in text else wrapped(text, columns)
