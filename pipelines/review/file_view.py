"""One file of a source as a page shows it: what changed in it, or all of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup

from builders.jail import Jail
from pipelines.review.colors import MAX_BYTES, colored
from pipelines.review.diff_rows import (
    MAX_ROWS,
    DiffRow,
    RowPair,
    diff_rows,
    file_rows,
    is_cut,
    side_by_side,
)
from pipelines.verify.source_diff import SourceChange, SourceFile, unshown, with_lines


class ViewKind(StrEnum):
    """How a file is shown."""

    UNIFIED = "unified"
    SPLIT = "split"
    WHOLE = "whole"


@dataclass(frozen=True, kw_only=True)
class FileView:
    """A page of a file."""

    change: SourceChange
    kind: ViewKind
    rows: tuple[DiffRow, ...] = ()
    """Of a unified or whole view."""
    pairs: tuple[RowPair, ...] = ()
    """Of a view side by side."""
    fresh: frozenset[int] = frozenset()
    """In a whole view, the numbers of the lines that were added."""
    page: int = 1
    pages: int = 1
    cut: bool = False
    """Whether there are more lines than are read."""
    note: str | None = None
    """Why no lines are shown."""
    _old: tuple[Markup, ...] = ()
    _new: tuple[Markup, ...] = ()

    def html(self, row: DiffRow) -> Markup:
        """Return the text of a row, in colours where they are known."""
        number, lines = (row.new, self._new) if row.new is not None else (row.old, self._old)
        if number is None or number > len(lines):
            return Markup.escape(row.text)
        return lines[number - 1]


def file_view(change: SourceChange, kind: ViewKind, page: int, jail: Jail) -> FileView:
    """Return one page of a file; what is beyond the last page is the last one.

    Raises `InfrastructureError` without `diff`.
    """
    change = with_lines(change)
    rows = diff_rows(change.lines)
    fresh = frozenset(row.new for row in rows if row.sign == "+" and row.new)
    note, read = change.note, change.lines
    if kind is ViewKind.WHOLE:
        shown = change.after or change.before
        note = unshown([shown]) if shown else None
        read = shown.path.read_bytes() if shown and note is None else b""
        rows = list(file_rows(read)) if read else []
    pairs = list(side_by_side(rows)) if kind is ViewKind.SPLIT else []
    pages = max(1, -(-len(pairs or rows) // MAX_ROWS))
    page = min(max(1, page), pages)
    part = slice((page - 1) * MAX_ROWS, page * MAX_ROWS)
    return FileView(
        change=change,
        kind=kind,
        rows=() if pairs else tuple(rows[part]),
        pairs=tuple(pairs[part]),
        fresh=fresh,
        page=page,
        pages=pages,
        cut=is_cut(read),
        note=note,
        _old=_lines(change.before, change.was or change.path, jail) if rows else (),
        _new=_lines(change.after, change.path, jail) if rows else (),
    )


def _lines(file: SourceFile | None, name: str, jail: Jail) -> tuple[Markup, ...]:
    """Return the lines of a file in colours; none of one that is too large for them."""
    if file is None or file.size > MAX_BYTES:
        return ()
    texts = [row.text for row in file_rows(file.path.read_bytes())]
    return tuple(colored(texts, name, jail))
