"""Text that differs: which lines, or words in binary files, and what kind of word it is."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice

from pipelines.explain.differing import count_differing
from pipelines.judge.difference import FieldKind

MOST = 4 << 20
"""Bytes of a text that is compared by its lines, and of bytes that are searched for text."""
_LINES = 2000
"""Lines that are compared: what that costs grows with their square."""
_CONTEXT = 60
"""Characters that are shown before and after what differs in a text."""
_STRINGS = 800
_STRING = re.compile(rb"[\t -~]{6,}")
_CLASSES: tuple[tuple[str, re.Pattern[str], FieldKind], ...] = (
    (
        "time",
        re.compile(
            r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
            r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +[\w ]+\d\d:\d\d:\d\d"
            r"(?: [A-Z+-][\w:]+)?(?: \d{4})?"
            r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* +\d\d?,? +\d{4}"
            r"|\b\d\d:\d\d:\d\d\b|\b1[0-9]{9}\b"
        ),
        FieldKind.SETTING,
    ),
    ("digest", re.compile(r"\b[0-9a-f]{32,128}\b"), FieldKind.DERIVED),
    ("path", re.compile(r"(?:/[\w.+~@-]+){2,}/?"), FieldKind.SETTING),
    (
        "version",
        re.compile(r"\d+(?:\.\d+)+[0-9A-Za-z.+~-]*|\bg?[0-9a-f]{7,40}\b"),
        FieldKind.PRODUCER,
    ),
)
"""Words that often are all that differs, by name; the first that explains both texts is told."""

TextDifference = tuple[str, FieldKind, str | None, str | None, int]
"""What a difference is named, its kind, both texts, and bytes that differ."""


def is_text(head: bytes) -> bool:
    """Say whether a file begins as UTF-8 text does."""
    if b"\0" in head or not head:
        return False
    try:
        head[:-4].decode() if len(head) > 4 else head.decode()
    except UnicodeDecodeError as error:
        return error.end >= len(head) - 4 and error.start > 0
    return True


def line_differences(shipped: bytes, rebuilt: bytes) -> Iterator[TextDifference]:
    """Yield how two texts differ: in line endings, in the order of lines, or in lines."""
    one, other = (data.decode("utf-8", "backslashreplace") for data in (shipped, rebuilt))
    if one.replace("\r\n", "\n") == other.replace("\r\n", "\n"):
        theirs, ours = ("CRLF" if "\r\n" in text else "LF" for text in (one, other))
        changed = abs(one.count("\r\n") - other.count("\r\n"))
        yield "line endings", FieldKind.SETTING, theirs, ours, changed
        return
    left, right = one.splitlines(), other.splitlines()
    if Counter(left) == Counter(right):
        moved = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
        size = sum(max(len(a.encode()), len(b.encode())) + 1 for a, b in moved)
        first = moved[0] if moved else (None, None)
        yield "order of lines", FieldKind.SETTING, first[0], first[1], size
        return
    start = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    start = min(len(left), len(right)) if start is None else start
    left, right = left[start:], right[start:]
    while left and right and left[-1] == right[-1]:
        left.pop()
        right.pop()
    compared = left[:_LINES], right[:_LINES]
    for tag, a, b, c, d in SequenceMatcher(None, *compared, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if b - a == d - c:
            for n in range(b - a):
                yield named_text(f"line {start + a + n + 1}", left[a + n], right[c + n])
        else:
            texts = ("\n".join(left[a:b]) or None, "\n".join(right[c:d]) or None)
            yield named_text(f"line {start + a + 1}", *texts)


def string_differences(shipped: bytes, rebuilt: bytes) -> Iterator[TextDifference]:
    """Yield the texts that only one of two binary files has, in pairs."""
    one, other = (Counter(_STRING.findall(data)) for data in (shipped, rebuilt))
    left = [text.decode() for text in (one - other).elements()]
    right = [text.decode() for text in (other - one).elements()]
    if len(left) == len(right):
        pairs = zip(left, right, strict=True)
        yield from (named_text("text", a, b) for a, b in islice(pairs, _STRINGS))


def named_text(where: str, shipped: str | None, rebuilt: str | None) -> TextDifference:
    """Return a difference under the name of the class of words that is all that differs."""
    theirs, ours = (shipped or "").encode(), (rebuilt or "").encode()
    size = count_differing(io.BytesIO(theirs), io.BytesIO(ours), lambda: None)
    if shipped is None or rebuilt is None:
        return where, FieldKind.CONTENT, shipped, rebuilt, size
    shipped, rebuilt = _around(shipped, rebuilt)
    for name, words, kind in _CLASSES:
        if words.sub("", shipped) == words.sub("", rebuilt):
            pairs = zip(words.findall(shipped), words.findall(rebuilt), strict=False)
            both = next(((a, b) for a, b in pairs if a != b), (shipped, rebuilt))
            return f"{name} in {where}", kind, *both, size
    return where, FieldKind.CONTENT, shipped, rebuilt, size


def _around(one: str, other: str) -> tuple[str, str]:
    """Return two texts with no more than some words before and after what differs."""
    start = max(0, _prefix(one, other) - _CONTEXT)
    start = max(one.rfind(" ", 0, start) + 1, start - _CONTEXT)
    one, other = one[start:], other[start:]
    tail = _prefix(one[::-1], other[::-1])
    end = max(0, min(tail, len(one) - _CONTEXT, len(other) - _CONTEXT) - _CONTEXT)
    texts = (text[: len(text) - end][: _CONTEXT * 8] for text in (one, other))
    return next(texts), next(texts)


def _prefix(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
