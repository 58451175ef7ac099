"""Wording that messages and drafts share."""

from __future__ import annotations

from collections.abc import Sequence


def listed(rows: Sequence[object], most: int = 3) -> str:
    """Return the first rows, and how many more there are."""
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return f"{', '.join(map(str, rows[:most]))}{more}"
