"""ClamAV: what a changed signature misses, by its code, its logical expression and where it looks.

Meaning of expressions and offsets: https://docs.clamav.net/manual/Signatures.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Pattern, Rule
from pipelines.rules.weakening import field_judges
from pipelines.rules.weakening import pattern_relation as relations
from pipelines.rules.weakening.boolean_condition import BooleanCondition, interval, split
from pipelines.rules.weakening.condition_change import TOO_LARGE, condition_findings
from pipelines.rules.weakening.effect_finding import EffectFinding
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.formula import (
    AtLeast,
    Atom,
    Formula,
    UndecidedError,
    both,
    either,
    implies,
)
from pipelines.rules.weakening.paired_patterns import pair_patterns
from pipelines.rules.weakening.pattern_relation import MatchRelation

_TOKEN = re.compile(r"\d+|[()&|=<>,]")
_TOO_DEEP = 20
_LEVELS = ("Engine", "level")
_OFFSET = re.compile(r"(?P<anchor>\D[A-Za-z0-9]*?)?(?P<sign>[+-])?(?P<at>\d+)(?:,(?P<shift>\d+))?")


def _condition(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    if old.exclusions or new.exclusions:
        return  # what these signatures match is passed over; the field of that name is judged
    patterns = pair_patterns(old.patterns, new.patterns, _compare)
    try:
        sides = (_expression(old, patterns.old), _expression(new, patterns.new))
    except (UndecidedError, RecursionError):
        yield TOO_LARGE
        return
    yield from condition_findings(*sides, patterns)


def _expression(rule: Rule, patterns: Sequence[tuple[str, str]]) -> BooleanCondition:
    """Parse a logical expression; a signature without one needs all that it has."""
    result = BooleanCondition()
    if not rule.condition:
        result.formula = both(*(Atom(variable) for _, variable in patterns))
        return result
    tokens = _TOKEN.findall(rule.condition)
    if "".join(tokens) != rule.condition.replace(" ", ""):
        raise UndecidedError
    result.formula = _parsed(tokens, dict(patterns), result, 0)
    return result


def _parsed(
    tokens: list[str], variables: Mapping[str, str], result: BooleanCondition, depth: int
) -> Formula:
    if depth > _TOO_DEEP:
        raise UndecidedError
    alternatives, parts = split(tokens, "|"), split(tokens, "&")
    if len(alternatives) > 1 and len(parts) > 1:
        raise UndecidedError  # the engine takes these from the left; nobody should write it
    for combine, some in ((either, alternatives), (both, parts)):
        if len(some) > 1:
            return combine(*(_parsed(one, variables, result, depth + 1) for one in some))
    end = _end_of_operand(tokens)
    inner = tokens[1 : end - 1] if tokens[0] == "(" else tokens[:1]
    if end == len(tokens):
        if tokens[0] == "(":
            return _parsed(inner, variables, result, depth + 1)
        return Atom(_variable(inner[0], variables))
    return _counted(inner, tokens[end:], variables, result)


def _end_of_operand(tokens: Sequence[str]) -> int:
    depth = 0
    for number, one in enumerate(tokens, start=1):
        depth += (one == "(") - (one == ")")
        if depth == 0:
            return number
    raise UndecidedError


def _counted(
    inner: Sequence[str],
    modifier: Sequence[str],
    variables: Mapping[str, str],
    result: BooleanCondition,
) -> Formula:
    """Parse `A>X` and `(A|B)>X,Y`: so many matches, of at least Y different parts."""
    numbers = [one for one in modifier[1:] if one != ","]
    if modifier[0] not in ("=", ">", "<") or not numbers or not all(map(str.isdecimal, numbers)):
        raise UndecidedError
    members = [Atom(_variable(token, variables)) for token in inner if token.isdecimal()]
    name = members[0].variable
    if len(members) > 1:
        name = f"({' '.join(atom.variable for atom in members)})"
        result.facts.append(implies(Atom(name), either(*members)))
        result.facts += [implies(member, Atom(name)) for member in members]
    sign = "==" if modifier[0] == "=" else modifier[0]
    formula = interval(name, sign, float(numbers[0]))
    if modifier[0] == "=" and int(numbers[0]) == 0:
        result.excluded.add(name)
    if len(numbers) > 1:
        formula = both(formula, AtLeast(int(numbers[1]), tuple(members)))
    return formula


def _variable(number: str, variables: Mapping[str, str]) -> str:
    if number not in variables:
        raise UndecidedError
    return variables[number]


def _compare(old: Pattern, new: Pattern) -> tuple[MatchRelation, Weakness]:
    value = MatchRelation.UNKNOWN if "/" in old.value + new.value else MatchRelation.EQUAL
    if old.value == new.value:
        value = MatchRelation.EQUAL
    elif value is MatchRelation.EQUAL:
        value = relations.of_hex(old.value, new.value)
    if ":" in old.value and ":" in new.value:  # a hash
        value = MatchRelation.EQUAL if old.value == new.value else MatchRelation.OTHER
    flags = [{m for m in p.modifiers if not m.startswith("offset=")} for p in (old, new)]
    encodings = [_encodings(one) for one in flags]
    modifiers = relations.combined(
        [
            relations.of_sets(*encodings),
            relations.of_sets(*(one & {"i"} for one in flags)),
            relations.of_sets(*(one & {"f"} for one in flags)).reversed,
        ]
    )
    offset = _of_offsets(_offset(old), _offset(new))
    for relation, weakness in (
        (value, Weakness.PATTERN_DROPPED),
        (modifiers, Weakness.MODIFIER_DROPPED),
        (offset, Weakness.BOUND_MOVED),
    ):
        if relation in (MatchRelation.NARROWER, MatchRelation.OTHER):
            return relations.combined([value, modifiers, offset]), weakness
    return relations.combined([value, modifiers, offset]), Weakness.PATTERN_DROPPED


def _encodings(flags: set[str]) -> set[str]:
    return (flags & {"w"}) | ({"a"} if "a" in flags or "w" not in flags else set())


def _offset(pattern: Pattern) -> str:
    texts = [m.partition("=")[2] for m in pattern.modifiers if m.startswith("offset=")]
    return texts[0] if texts else "*"


def _of_offsets(old: str, new: str) -> MatchRelation:
    if old == new:
        return MatchRelation.EQUAL
    if "*" in (old, new):
        return MatchRelation.NARROWER if old == "*" else MatchRelation.WIDER
    first, second = _place(old), _place(new)
    if first is None or second is None or first[0] != second[0]:
        return MatchRelation.OTHER
    return relations.of_intervals(first[1], second[1])


def _place(offset: str) -> tuple[str, tuple[float, float]] | None:
    """Return what an offset counts from, and the interval; None if it is not understood."""
    match = _OFFSET.fullmatch(offset)
    if match is None:
        return None
    at = float(match["at"]) * (-1 if match["sign"] == "-" else 1)
    return match["anchor"] or "", (at, at + float(match["shift"] or 0))


def _bounds(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield sizes that are left out, and levels of the engine that are."""
    for name in sorted({**old.bounds, **new.bounds}):
        weakness = Weakness.SCOPE_NARROWER if name in _LEVELS else Weakness.BOUND_MOVED
        yield from field_judges.bound(old, new, name, weakness)


JUDGES: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): _condition,
    ("scope",): field_judges.keyed_scope({"target": "0"}),
    ("bounds",): _bounds,
}
