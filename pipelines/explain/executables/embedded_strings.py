"""Strings within bytes that differ."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

_PRINTABLE = b"\t\n\r" + bytes(range(0x20, 0x7F))
_MAX_TEXT = 512
_SHORTEST = 4


class StringPair(NamedTuple):
    """The strings that only one side has, one a line, and where that of the shipped file ends."""

    shipped: str | None
    rebuilt: str | None
    end: int


def string_pair(
    one: bytes, at: tuple[int, int], other: bytes, there: tuple[int, int]
) -> StringPair | None:
    """Return the strings around two ranges that differ; None where those are no text.

    They end where a byte is not printable, as strings do with a zero.
    """
    first, second = _around(one, *at), _around(other, *there)
    if first is None or second is None or first[0] == second[0]:
        return None
    pieces = [Counter(side[0]) for side in (first, second)]
    left, right = pieces[0] - pieces[1], pieces[1] - pieces[0]
    if not left and not right:  # the same ones in another order
        left, right = pieces
    if max(map(len, (*left, *right))) < _SHORTEST:
        return None
    return StringPair(
        "\n".join(left.elements()) or None, "\n".join(right.elements()) or None, first[1]
    )


def is_text(data: bytes) -> bool:
    """Say whether all bytes are printable."""
    return not data.translate(None, _PRINTABLE)


def _around(data: bytes, begin: int, end: int) -> tuple[list[str], int] | None:
    """Return the strings of a range, whole as it begins and ends in them, and where they end."""
    if not is_text(data[begin:end].replace(b"\0", b"")):
        return None
    before = data[max(0, begin - _MAX_TEXT) : begin]
    after = data[end : end + _MAX_TEXT]
    begin -= len(before) - len(before.rstrip(_PRINTABLE))
    end += len(after) - len(after.lstrip(_PRINTABLE))
    pieces = data[begin : min(end, begin + 8 * _MAX_TEXT)].split(b"\0")
    return [piece.decode("ascii")[:_MAX_TEXT] for piece in pieces if piece], end
