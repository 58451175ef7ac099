"""What the contents of a changed rule of Suricata or Snort demand of a packet or stream."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Pattern, Rule
from pipelines.rules.weakening import pattern_relation as relations
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.pattern_relation import MatchRelation

_PIPED = re.compile(r"\|([0-9A-Fa-f ]*)\|")
_NUMBER = re.compile(r"-?\d{1,9}")
_RELATIVE = ("distance", "within")
_MOST = 200
"""Contents of a rule that are compared in order."""


@dataclass(frozen=True)
class _Place:
    """Where a content may lie, from the begin of a buffer or from the content before it."""

    low: float
    high: float
    relative: bool
    named: tuple[str, ...] = ()
    """Variables of the rule that say where."""


def payload(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield contents that are demanded beside others, changed or gone."""
    was, now = list(old.patterns), list(new.patterns)
    if not any(map(_is_relative, (*was, *now))):  # their order does not matter
        common = Counter(was) & Counter(now)
        was, now = _without(was, common), _without(now, common)
    if len(was) > _MOST or len(now) > _MOST:
        yield EffectFinding(
            relation=MatchRelation.UNKNOWN, detail="too many contents to be compared"
        )
        return
    matcher = SequenceMatcher(
        None, [_shown(p) for p in was], [_shown(p) for p in now], autojunk=False
    )
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            follows = d < len(now) and _is_relative(now[d])
            yield from _replaced(was[a:b], now[c:d], follows=follows)


def _without(patterns: Sequence[Pattern], common: Counter[Pattern]) -> list[Pattern]:
    left = common.copy()
    kept = []
    for one in patterns:
        if left[one]:
            left[one] -= 1
        else:
            kept.append(one)
    return kept


def _replaced(
    was: Sequence[Pattern], now: Sequence[Pattern], *, follows: bool
) -> Iterator[EffectFinding]:
    """Yield what neighbouring contents became; `follows`: the next one is relative to the last."""
    pairs: list[tuple[Pattern, Pattern]] = []
    rest_old, rest_new = list(was), list(now)
    for one in was:
        for two in rest_new:
            if _relation(one, two)[0] not in (MatchRelation.OTHER, MatchRelation.UNKNOWN):
                pairs.append((one, two))
                rest_old.remove(one)
                rest_new.remove(two)
                break
    for one in [*rest_old]:
        for two in rest_new:
            same_place = one.name == two.name and _kind(one) == _kind(two)
            if same_place or one.value == two.value:
                pairs.append((one, two))
                rest_old.remove(one)
                rest_new.remove(two)
                break
    for one, two in pairs:
        relation, weakness = _relation(one, two)
        yield from found(relation, weakness, "content", _shown(one), _shown(two))
    for two in rest_new:
        excluding = two.value.startswith("!")
        weakness = Weakness.EXCLUSION_ADDED if excluding else Weakness.CONDITION_NARROWER
        yield from found(MatchRelation.NARROWER, weakness, "content", "", _shown(two))
    for one in rest_old:
        relation = MatchRelation.UNKNOWN if follows else MatchRelation.WIDER
        weakness = Weakness.CONDITION_NARROWER
        yield from found(relation, weakness, "content", _shown(one), "")


def _relation(old: Pattern, new: Pattern) -> tuple[MatchRelation, Weakness]:
    """Return how two contents compare, and what names the loss."""
    if old.name != new.name:
        return MatchRelation.OTHER, Weakness.PATTERN_DROPPED
    negated = [one.value.startswith("!") for one in (old, new)]
    if negated[0] != negated[1]:
        name = Weakness.EXCLUSION_ADDED if negated[1] else Weakness.PATTERN_DROPPED
        return MatchRelation.OTHER, name
    places = [_place(one) for one in (old, new)]
    parts = (
        (_values(old, new, places), Weakness.PATTERN_DROPPED),
        (_flags(old, new), Weakness.MODIFIER_DROPPED),
        (_places(*places), Weakness.BOUND_MOVED),
    )
    all_of_them = relations.combined(relation for relation, _ in parts)
    if negated[0]:
        all_of_them = all_of_them.reversed
        return all_of_them, Weakness.EXCLUSION_ADDED
    for relation, weakness in parts:
        if relation in (MatchRelation.NARROWER, MatchRelation.OTHER):
            return all_of_them, weakness
    return all_of_them, Weakness.CONDITION_NARROWER


def _values(old: Pattern, new: Pattern, places: Sequence[_Place]) -> MatchRelation:
    if old.value == new.value:
        return MatchRelation.EQUAL
    kinds = {_kind(old), _kind(new)}
    if kinds == {"content"}:
        free = all(place == _ANYWHERE for place in places)
        return _of_bytes(_bytes(old.value), _bytes(new.value), free=free)
    if kinds == {"pcre"}:
        sides = [one.value.lstrip("!").rpartition("/") for one in (old, new)]
        flags = (sides[0][2], sides[1][2])
        return relations.of_regexes(sides[0][0][1:], sides[1][0][1:], flags=flags)
    return MatchRelation.OTHER if len(kinds) > 1 else MatchRelation.UNKNOWN


def _of_bytes(old: bytes, new: bytes, *, free: bool) -> MatchRelation:
    """Compare the bytes of contents; those with a place have to begin alike."""
    relation = relations.of_texts(old, new)
    alike = old.startswith(new) or new.startswith(old)
    known = relation in (MatchRelation.NARROWER, MatchRelation.WIDER)
    return MatchRelation.OTHER if known and not free and not alike else relation


def _flags(old: Pattern, new: Pattern) -> MatchRelation:
    """Return how modifiers compare that are no places."""
    sets = [{m for m in one.modifiers if "=" not in m} for one in (old, new)]
    placed = {"startswith"}
    return relations.combined(
        [
            relations.of_sets(*(one & {"nocase"} for one in sets)),
            relations.of_sets(*(one & {"endswith"} for one in sets)).reversed,
            MatchRelation.EQUAL
            if sets[0] - placed - {"nocase", "endswith"}
            == sets[1] - placed - {"nocase", "endswith"}
            else MatchRelation.UNKNOWN,
        ]
    )


def _places(old: _Place, new: _Place) -> MatchRelation:
    if old == new:
        return MatchRelation.EQUAL
    if old.named or new.named:
        return MatchRelation.UNKNOWN
    if old.relative != new.relative:
        if _ANYWHERE in (old, new):
            return MatchRelation.NARROWER if old == _ANYWHERE else MatchRelation.WIDER
        return MatchRelation.UNKNOWN
    return relations.of_intervals((old.low, old.high), (new.low, new.high))


def _place(pattern: Pattern) -> _Place:
    said = dict(m.partition("=")[::2] for m in pattern.modifiers)
    relative = _is_relative(pattern)
    keys = ("distance", "within") if relative else ("offset", "depth")
    first, length = (said.get(key, "") for key in keys)
    if "startswith" in said:
        first, length = "0", str(len(_bytes(pattern.value)))
    named = tuple(text for text in (first, length) if text and not _NUMBER.fullmatch(text))
    if named:
        return _Place(0, math.inf, relative, named)
    low = float(first or 0)
    free = relative and not first
    return _Place(-math.inf if free else low, low + float(length or math.inf), relative)


_ANYWHERE = _Place(0, math.inf, relative=False)


def _is_relative(pattern: Pattern) -> bool:
    if _kind(pattern) == "content":
        return any(m.startswith(_RELATIVE) for m in pattern.modifiers)
    return "relative" in pattern.value or (_kind(pattern) == "pcre" and "R" in _tail(pattern))


def _tail(pattern: Pattern) -> str:
    return pattern.value.rpartition("/")[2]


def _kind(pattern: Pattern) -> str:
    value = pattern.value.removeprefix("!")
    if value.startswith('"'):
        return "content"
    return "pcre" if value.startswith("/") else value.partition(":")[0]


def _bytes(value: str) -> bytes:
    """Return the bytes of a content such as `"GET|0D 0A|"`."""
    text = value.removeprefix("!").strip('"')
    parts = _PIPED.split(text)
    plain = [part.encode("latin-1", "replace") for part in parts[::2]]
    coded = [bytes.fromhex(part) for part in parts[1::2]]
    mixed = plain[:1]
    for code, text_after in zip(coded, plain[1:], strict=True):
        mixed += [code, text_after]
    return b"".join(mixed)


def _shown(pattern: Pattern) -> str:
    return " ".join((f"{pattern.name} {pattern.value}".strip(), *pattern.modifiers))
