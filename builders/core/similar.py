"""Suggestions for names that are not there: the user may have mistyped one that is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from builders.core.escaping import escaped

_LISTED = 10_000
"""Names that are compared at most."""


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return `Did you mean ...?` with the one of `known` that is most like `name`, or None."""
    from difflib import get_close_matches  # noqa: PLC0415  # only after an error

    found = get_close_matches(name, list(islice(known, _LISTED)), n=1)
    return f"Did you mean '{escaped(found[0])}'?" if found else None


def with_suggestion(todo: str, suggestion: str | None) -> str:
    """Return what an error tells to do, after the suggestion if there is one."""
    return f"{suggestion} {todo}" if suggestion else todo


def similar_path(path: Path) -> str | None:
    """Return `Did you mean ...?` for a path with misspelt names, or None if nothing is like it."""
    from difflib import get_close_matches  # noqa: PLC0415  # only after an error

    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        try:
            if not (found / part).exists():
                names = [entry.name for entry in islice(os.scandir(found), _LISTED)]
                (part,) = get_close_matches(part, names, n=1)  # noqa: PLW2901
        except (OSError, ValueError):  # not a folder, or no name like it
            return None
        found /= part
    return None if found == path else f"Did you mean '{escaped(str(found))}'?"
