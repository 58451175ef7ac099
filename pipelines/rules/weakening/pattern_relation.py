"""How what one pattern matches relates to what another matches: texts, hex strings, regexes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import AnyStr, TypeAlias, TypeVar

T = TypeVar("T")


class MatchRelation(StrEnum):
    """What the second of two matches, seen from the first."""

    EQUAL = "equal"
    NARROWER = "narrower"
    """Less, and nothing else."""
    WIDER = "wider"
    """More, and all of the first."""
    OTHER = "other"
    """Something else: each matches what the other does not."""
    UNKNOWN = "unknown"

    @property
    def reversed(self) -> MatchRelation:
        """Return the relation of what the two do not match."""
        return _REVERSED.get(self, self)


_REVERSED = {
    MatchRelation.NARROWER: MatchRelation.WIDER,
    MatchRelation.WIDER: MatchRelation.NARROWER,
}

Element: TypeAlias = "frozenset[int] | tuple[float, float] | str"
"""Of a hex string: the values of one byte, a jump of that many bytes, or an alternation's text."""

_ANY = frozenset(range(256))
_MAX_EXPANDED = 256
_HEX = re.compile(
    rb"(?P<byte>~?[0-9a-f?]{2})|\{(?P<gap>[0-9-]+)\}|\[(?P<jump>[0-9 -]*)\]|(?P<star>\*)"
    rb"|(?P<group>!?\()"
)

_UNSURE = re.compile(r"\(\*|\(\?(?!:)|\\[1-9gkKPQX]|[*+?}]\+|\[\^?\]|\[:")
"""Parts of regular expressions by which more alternatives may match less, or of which the end is
not known: what looks around, verbs, references, what does not go back, quotes, odd classes."""
_ONE_CASE = re.compile(r"[^A-Za-z.\[\x80-\U0010ffff]*")
"""Regular expressions that match the same whatever their flags."""


def combined(relations: Iterable[MatchRelation]) -> MatchRelation:
    """Return the relation of two things all of whose parts have to match."""
    found = {one for one in relations if one is not MatchRelation.EQUAL}
    if not found:
        return MatchRelation.EQUAL
    if MatchRelation.UNKNOWN in found:
        return MatchRelation.UNKNOWN
    return found.pop() if len(found) == 1 else MatchRelation.OTHER


def of_sets(old: Iterable[T], new: Iterable[T]) -> MatchRelation:
    """Return the relation of two sets of which anything matches."""
    first, second = frozenset(old), frozenset(new)
    if first == second:
        return MatchRelation.EQUAL
    if second < first:
        return MatchRelation.NARROWER
    return MatchRelation.WIDER if first < second else MatchRelation.OTHER


def of_intervals(old: tuple[float, float], new: tuple[float, float]) -> MatchRelation:
    """Return the relation of two closed intervals."""
    if old == new:
        return MatchRelation.EQUAL
    if old[0] <= new[0] and new[1] <= old[1]:
        return MatchRelation.NARROWER
    return MatchRelation.WIDER if new[0] <= old[0] and old[1] <= new[1] else MatchRelation.OTHER


def of_texts(old: AnyStr, new: AnyStr) -> MatchRelation:
    """Return the relation of two texts that are searched anywhere."""
    if old == new:
        return MatchRelation.EQUAL
    if old in new:
        return MatchRelation.NARROWER
    return MatchRelation.WIDER if new in old else MatchRelation.OTHER


def of_hex(old: str, new: str) -> MatchRelation:
    """Return the relation of two hex strings, as YARA or ClamAV write them."""
    if old == new:
        return MatchRelation.EQUAL
    first, second = _elements(old), _elements(new)
    if first is None or second is None:
        return MatchRelation.UNKNOWN
    if len(first) == len(second):
        return combined(_of_elements(*pair) for pair in zip(first, second, strict=True))
    if _within(first, second):
        return MatchRelation.NARROWER
    if _within(second, first):
        return MatchRelation.WIDER
    fixed = all(isinstance(one, frozenset) for one in (*first, *second))
    return MatchRelation.OTHER if fixed else MatchRelation.UNKNOWN


def _within(short: Sequence[Element], long: Sequence[Element]) -> bool:
    """Say whether `long` is `short` with something before or after it."""
    starts = range(len(long) - len(short) + 1)
    return any(list(long[at : at + len(short)]) == list(short) for at in starts)


def _of_elements(old: Element, new: Element) -> MatchRelation:
    if isinstance(old, frozenset) and isinstance(new, frozenset):
        return of_sets(old, new)
    if isinstance(old, tuple) and isinstance(new, tuple):
        return of_intervals(old, new)
    if isinstance(old, str) and isinstance(new, str) and "!" not in (old[0], new[0]):
        flat = "(" not in old[1:] + new[1:]
        sets = (one.strip("()").replace(" ", "").split("|") for one in (old, new))
        return of_sets(*sets) if flat else MatchRelation.UNKNOWN
    one_byte = {old, new} & {(1.0, 1.0)}
    if one_byte and isinstance(new, frozenset):
        return MatchRelation.NARROWER
    return MatchRelation.EQUAL if old == new else MatchRelation.UNKNOWN


def _elements(text: str) -> list[Element] | None:
    """Return the elements of a hex string; None for one that is not understood."""
    if text.startswith("{") and text.endswith("}") and "{" not in text[1:]:
        text = text[1:-1]  # YARA's braces; those of ClamAV are gaps
    data = text.encode("ascii", "replace").lower()
    found: list[Element] = []
    at = 0
    while at < len(data):
        if data[at : at + 1].isspace():
            at += 1
            continue
        match = _HEX.match(data, at)
        if match is None:
            return None
        at = match.end()
        if match["byte"]:
            found.append(_byte(match["byte"].decode()))
        elif match["group"]:
            end = _closing(data, at)
            if end is None:
                return None
            found.append(data[match.start() : end].decode())
            at = end
        else:
            jump = _jump(match)
            if jump is None:
                return None
            low, high = jump
            same = low == high <= _MAX_EXPANDED
            found.extend([_ANY] * int(low) if same else [jump])
    return found


@lru_cache(maxsize=1024)
def _byte(text: str) -> Element:
    values = frozenset(v for v in _ANY if _fits(f"{v:02x}", text.removeprefix("~")))
    return _ANY - values if text.startswith("~") else values


def _fits(digits: str, mask: str) -> bool:
    return all(m in ("?", d) for d, m in zip(digits, mask, strict=True))


def _jump(match: re.Match[bytes]) -> tuple[float, float] | None:
    if match["star"]:
        return 0.0, math.inf
    text = (match["gap"] or match["jump"] or b"").decode().replace(" ", "")
    low, dash, high = text.partition("-")
    if not dash:
        return (float(low), float(low)) if low else None
    return float(low or 0), float(high or math.inf)


def _closing(data: bytes, at: int) -> int | None:
    depth = 1
    while at < len(data):
        depth += {0x28: 1, 0x29: -1}.get(data[at], 0)
        at += 1
        if depth == 0:
            return at
    return None


def of_regexes(old: str, new: str, *, flags: tuple[str, str] = ("", "")) -> MatchRelation:
    """Return the relation of two regular expressions and their flags.

    It is known where flags alone differ, or where alternatives are added or dropped.
    """
    if (old, {*flags[0]}) == (new, {*flags[1]}):
        return MatchRelation.EQUAL
    widening, other = "is", [set(one) - {"i", "s"} for one in flags]
    if other[0] != other[1] or "x" in other[0] or _UNSURE.search(f"{old}\n{new}"):
        return MatchRelation.UNKNOWN
    of_flags = of_sets(*(set(one) & set(widening) for one in flags))
    if of_flags is not MatchRelation.EQUAL and _ONE_CASE.fullmatch(old):
        of_flags = MatchRelation.EQUAL
    if of_flags is not MatchRelation.EQUAL and "[^" in old + new:
        return MatchRelation.UNKNOWN  # what is matched in fewer forms is excluded in fewer
    if old == new:
        return of_flags
    return combined([of_flags, of_alternatives(old, new)])


def of_alternatives(old: str, new: str) -> MatchRelation:
    """Return the relation of two regular expressions that differ in alternatives of one group."""
    for first, second in ((old, new), *_differing_groups(old, new)):
        parts = _alternatives(first), _alternatives(second)
        relation = of_sets(*parts)
        if relation in (MatchRelation.NARROWER, MatchRelation.WIDER) and all(parts):
            return relation
    return MatchRelation.UNKNOWN


def _differing_groups(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Yield the insides of groups outside of which two expressions are the same."""
    start = 0
    for match in re.finditer(r"\\.|\[(?:\\.|[^\]])*\]|\((?:\?:)?", old):
        start = match.end()
        if old[:start] != new[:start]:
            return
        if not match[0].startswith("("):
            continue
        if old[start : start + 1] == "?":
            return  # what a group that looks ahead or back finds less, the whole may find more
        ends = [_group_end(text, start) for text in (old, new)]
        if None not in ends and old[ends[0] :] == new[ends[1] :]:
            yield old[start : ends[0]], new[start : ends[1]]


def _group_end(text: str, start: int) -> int | None:
    """Return where the group ends whose inside begins at `start`."""
    depth = 1
    for match in re.finditer(r"\\.|\[(?:\\.|[^\]])*\]|[()]", text[start:], re.DOTALL):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return start + match.start()
    return None


def _alternatives(text: str) -> set[str]:
    """Split a regular expression at its outermost bars; a group around all of it is taken off."""
    inner = re.fullmatch(r"(?s)(\((?:\?:)?)(.*)\)", text)
    if inner and _balanced(inner[2]):
        text = inner[2]
    parts, depth, start, at, in_class = set(), 0, 0, 0, False
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            at += 1
        elif in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "|" and depth == 0:
            parts.add(text[start:at])
            start = at + 1
        at += 1
    return parts | {text[start:]}


def _balanced(text: str) -> bool:
    """Say whether no group is closed that was not opened in the text."""
    depth = 0
    for sign in re.sub(r"\\.|\[(?:\\.|[^\]])*\]", "", text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0
