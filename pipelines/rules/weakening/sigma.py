"""Sigma: what a changed rule misses, by its condition over searches and what these look for.

Meaning of searches and modifiers: the Sigma specification 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Pattern, Rule
from pipelines.rules.weakening import field_judges
from pipelines.rules.weakening.boolean_condition import OPAQUE, BooleanCondition, split
from pipelines.rules.weakening.condition_change import TOO_LARGE, condition_findings
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.formula import (
    Atom,
    Formula,
    Not,
    UndecidedError,
    atoms,
    both,
    either,
    implies,
)
from pipelines.rules.weakening.paired_patterns import PairedPatterns
from pipelines.rules.weakening.pattern_relation import MatchRelation, of_intervals

_NAME = re.compile(r"(?P<search>[^.\[]+)(?:\[(?P<number>\d+)\])?(?:\.(?P<field>.*))?")
_TOKEN = re.compile(r"[()]|[\w.*?-]+")
_GLOBS = {"": "{}", "contains": "*{}*", "startswith": "{}*", "endswith": "*{}"}
_ESCAPED = re.compile(r"\\[*?]")
_WILD = re.compile(r"[*?]")
_MOST_RELATED = 60
"""Values of one field that are compared with each other."""
_MOST_DEPTH = 50
_SEVERITIES = {"informational": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}


def _condition(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    if old.needs or new.needs:  # a correlation: what it counts is said by other rules
        if old.condition != new.condition:
            yield EffectFinding(
                relation=MatchRelation.UNKNOWN, detail="the condition of a correlation"
            )
        return
    try:
        sides = [_parsed(rule) for rule in (old, new)]
    except (UndecidedError, RecursionError):
        yield TOO_LARGE
        return
    sides[0].facts = list(_related([*atoms(sides[0].formula), *atoms(sides[1].formula)]))
    yield from condition_findings(sides[0], sides[1], PairedPatterns())


def _parsed(rule: Rule) -> BooleanCondition:
    searches = _searches(rule.patterns)
    result = BooleanCondition()
    result.formula = _expression(_TOKEN.findall(rule.condition), searches, result, 0)
    return result


def _expression(
    tokens: Sequence[str], searches: Mapping[str, Formula], result: BooleanCondition, depth: int
) -> Formula:
    if depth > _MOST_DEPTH or not tokens:
        raise UndecidedError
    for word, combine in (("or", either), ("and", both)):
        parts = split(tokens, word)
        if len(parts) > 1:
            return combine(*(_expression(one, searches, result, depth + 1) for one in parts))
    match tokens:
        case ["not", *rest]:
            result.excluded.add(" ".join(rest))
            return Not(_expression(rest, searches, result, depth + 1))
        case ["(", *inside, ")"]:
            return _expression(inside, searches, result, depth + 1)
        case [("1" | "all") as count, "of", name]:
            named = [one for one in sorted(searches) if _fits(one, name)]
            result.counts.append((name, 1 if count == "1" else len(named)))
            combine = either if count == "1" else both
            return combine(*(searches[one] for one in named))
        case [name] if name in searches:
            return searches[name]
    raise UndecidedError


def _fits(search: str, name: str) -> bool:
    if name == "them":
        return not search.startswith("_")
    return fnmatchcase(search, name)


def _searches(patterns: Sequence[Pattern]) -> dict[str, Formula]:
    """Return each search as a formula: all fields of a mapping, any item of a list."""
    found_: dict[str, dict[str, dict[str, list[Pattern]]]] = {}
    for one in patterns:
        match = _NAME.fullmatch(one.name)
        if match is None:
            raise UndecidedError
        items = found_.setdefault(match["search"], {})
        fields_ = items.setdefault(match["number"] or "", {})
        fields_.setdefault(f"{match['field'] or ''} {' '.join(one.modifiers)}", []).append(one)
    return {
        search: either(*(both(*map(_field, values.values())) for values in items.values()))
        for search, items in found_.items()
    }


def _field(patterns: Sequence[Pattern]) -> Formula:
    field = patterns[0].name.partition(".")[2]
    modifiers = {*field.split("|")[1:], *patterns[0].modifiers}
    every = [Atom(_variable(field, modifiers, one.value)) for one in patterns]
    return both(*every) if "all" in modifiers else either(*every)


def _variable(field: str, modifiers: set[str], value: str) -> str:
    """Return a variable that says what a field has to look like, as a pattern with wildcards."""
    kinds = modifiers - {"all"}
    name = field.partition("|")[0]
    if len(kinds) > 1 or not kinds <= _GLOBS.keys() or _ESCAPED.search(value):
        return f"{OPAQUE}{name}|{'|'.join(sorted(kinds))}={value}"
    glob = "*{}*" if not name and not kinds else _GLOBS["".join(kinds)]
    return f"{name}={glob.format(value.lower())}"


def _related(every: Sequence[Atom]) -> Iterator[Formula]:
    """Yield which values of a field imply which others."""
    by_field: dict[str, list[str]] = {}
    for name in dict.fromkeys(atom.variable for atom in every):
        if not name.startswith(OPAQUE):
            by_field.setdefault(name.partition("=")[0], []).append(name)
    for names in by_field.values():
        for one in names[:_MOST_RELATED]:
            for two in names[:_MOST_RELATED]:
                if one != two and _inside(one.partition("=")[2], two.partition("=")[2]):
                    yield implies(Atom(one), Atom(two))


def _inside(narrow: str, wide: str) -> bool:
    """Say whether every text that one pattern matches is matched by the other."""
    core, wide_core = narrow.strip("*"), wide.strip("*")
    if _WILD.search(wide_core) or _WILD.search(core):
        return False
    match wide[:1] == "*", wide[-1:] == "*":
        case True, True:
            return wide_core in core
        case False, True:
            return narrow[:1] != "*" and core.startswith(wide_core)
        case True, False:
            return narrow[-1:] != "*" and core.endswith(wide_core)
    return narrow == wide


def _thresholds(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield counts that a correlation needs; what a time span comes to depends on its type."""
    for key in sorted({*old.thresholds, *new.thresholds}):
        was, now = (rule.thresholds.get(key, "") for rule in (old, new))
        if was == now:
            continue
        relation = MatchRelation.UNKNOWN
        if key in ("gt", "gte") and was.isdecimal() and now.isdecimal():
            relation = of_intervals((-int(was), 0), (-int(now), 0)).reversed
        yield from found(relation, Weakness.THRESHOLD_RAISED, key, was, now)


JUDGES: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): _condition,
    ("scope",): field_judges.keyed_scope({}),
    ("thresholds",): _thresholds,
    ("severity",): field_judges.severity(_SEVERITIES),
}
