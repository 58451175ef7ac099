"""Text of others, made fit to be shown: what a terminal would obey or hide becomes visible."""

from __future__ import annotations


def escaped(text: str, *, keep: str = "") -> str:
    r"""Return `text` with `\x1b` and the like for every character that is not printable.

    That covers control characters, those that change the direction of text, and blanks other than a
    space. Characters in `keep`, such as newlines and tabs, stay.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii")
        for c in text
    )
