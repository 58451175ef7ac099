"""Text of others on a page: cut, since a record of theirs may hold lines of any length."""

from __future__ import annotations

MOST = 600
"""Characters of one text."""


def cut_text(text: str) -> str:
    """Return a text, or its beginning."""
    return text if len(text) <= MOST else f"{text[: MOST - 1]}\N{HORIZONTAL ELLIPSIS}"
