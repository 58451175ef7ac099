"""How what one operator of ModSecurity matches relates to what another matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pipelines.rules.weakening.pattern_relation import (
    MatchRelation,
    of_regexes,
    of_sets,
    of_texts,
)

_INSIDE: Mapping[str, frozenset[str]] = {
    "@contains": frozenset({"@beginswith", "@endswith", "@streq", "@containsword"}),
    "@beginswith": frozenset({"@streq"}),
    "@endswith": frozenset({"@streq"}),
    "@containsword": frozenset({"@streq"}),
}
"""Operators, and those that match less with the same argument."""


def of_operators(old: str, new: str) -> MatchRelation:
    """Return the relation of two operators with their arguments, `!` in front if negated."""
    if old == new:
        return MatchRelation.EQUAL
    negated = [text.startswith("!") for text in (old, new)]
    if negated[0] != negated[1]:
        return MatchRelation.OTHER
    (first, was), (second, now) = (
        text.removeprefix("!").partition(" ")[::2] for text in (old, new)
    )
    relation = _of_arguments(first, was, now) if first == second else MatchRelation.UNKNOWN
    if first != second and was == now:
        if second in _INSIDE.get(first, frozenset()):
            relation = MatchRelation.NARROWER
        elif first in _INSIDE.get(second, frozenset()):
            relation = MatchRelation.WIDER
    if first != second and "@unconditionalmatch" in (first, second):
        relation = MatchRelation.NARROWER if first == "@unconditionalmatch" else MatchRelation.WIDER
    return relation.reversed if negated[0] else relation


def _of_arguments(name: str, was: str, now: str) -> MatchRelation:
    if "%{" in was + now or name not in _ARGUMENTS:
        return MatchRelation.UNKNOWN
    return _ARGUMENTS[name](was, now)


def _of_expressions(was: str, now: str) -> MatchRelation:
    flags = ["i" if text.startswith("(?i)") else "" for text in (was, now)]
    plain = [text.removeprefix("(?i)") for text in (was, now)]
    return of_regexes(plain[0], plain[1], flags=(flags[0], flags[1]))


def _of_words(was: str, now: str) -> MatchRelation:
    return of_sets(*(text.lower().split() for text in (was, now)))


def _of_addresses(was: str, now: str) -> MatchRelation:
    return of_sets(*(re.split(r"[\s,]+", text.lower()) for text in (was, now)))


def _of_byte_ranges(was: str, now: str) -> MatchRelation:
    """Compare ranges of bytes that are allowed: what is outside of them matches."""
    ranges = [_byte_range(text) for text in (was, now)]
    if None in ranges:
        return MatchRelation.UNKNOWN
    return of_sets(*(one or set() for one in ranges)).reversed


def _of_ends(fits: Callable[[str, str], bool]) -> Callable[[str, str], MatchRelation]:
    def compare(was: str, now: str) -> MatchRelation:
        if fits(now, was):
            return MatchRelation.NARROWER
        return MatchRelation.WIDER if fits(was, now) else MatchRelation.OTHER

    return compare


def _other(_was: str, _now: str) -> MatchRelation:
    return MatchRelation.OTHER


_ARGUMENTS: Mapping[str, Callable[[str, str], MatchRelation]] = {
    "@beginswith": _of_ends(str.startswith),
    "@contains": of_texts,
    "@containsword": _other,
    "@endswith": _of_ends(str.endswith),
    "@eq": _other,
    "@ipmatch": _of_addresses,
    "@pm": _of_words,
    "@rx": _of_expressions,
    "@streq": _other,
    "@strmatch": of_texts,
    "@validatebyterange": _of_byte_ranges,
    "@within": lambda was, now: of_texts(was, now).reversed,
}
"""How arguments of one operator compare."""


def _byte_range(text: str) -> set[int] | None:
    """Return the bytes that are allowed; None for what is not read."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        low, dash, high = part.partition("-")
        if not re.fullmatch(r"\d{1,3}", low) or not re.fullmatch(r"\d{0,3}", high):
            return None
        found.update(range(int(low), min(255, int(high if dash else low)) + 1))
    return found
