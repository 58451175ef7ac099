"""Semgrep: what a changed rule misses, by its tree of patterns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Rule
from pipelines.rules.weakening import field_judges
from pipelines.rules.weakening.boolean_condition import OPAQUE, BooleanCondition
from pipelines.rules.weakening.condition_change import TOO_LARGE, condition_findings
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.formula import Atom, Formula, Not, UndecidedError, both, either
from pipelines.rules.weakening.paired_patterns import PairedPatterns
from pipelines.rules.weakening.pattern_relation import MatchRelation, of_sets

_ALL = frozenset({"patterns", "all", "match"})
_ANY = frozenset({"pattern-either", "any", "pattern-sources", "pattern-sinks", "sources", "sinks"})
_NONE = frozenset({"pattern-sanitizers", "sanitizers"})
_MOST_DEPTH = 30
_SEVERITIES = {
    "experiment": 0, "inventory": 0, "info": 1, "low": 1, "warning": 2, "medium": 2,
    "error": 3, "high": 3, "critical": 4,
}  # fmt: skip


def _condition(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    try:
        sides = [_tree(rule) for rule in (old, new)]
    except (UndecidedError, RecursionError, ValueError):
        yield TOO_LARGE
        return
    yield from condition_findings(sides[0], sides[1], PairedPatterns())


def _tree(rule: Rule) -> BooleanCondition:
    result = BooleanCondition()
    result.formula = _all_of(json.loads(rule.condition), result, 0)
    return result


def _all_of(value: Any, result: BooleanCondition, depth: int) -> Formula:
    """Return the formula of the keys of a mapping, or the items of a list, all of which match."""
    if depth > _MOST_DEPTH:
        raise UndecidedError
    if isinstance(value, dict):
        return both(*(_keyed(key, value[key], result, depth) for key in sorted(value)))
    if isinstance(value, list):
        return both(*(_all_of(one, result, depth + 1) for one in value))
    return Atom(f"{OPAQUE}{value}")


def _keyed(key: str, value: Any, result: BooleanCondition, depth: int) -> Formula:
    parts = value if isinstance(value, list) else [value]
    if key in _ALL:
        return both(*(_all_of(one, result, depth + 1) for one in parts))
    if key in _ANY:
        return either(*(_all_of(one, result, depth + 1) for one in parts))
    if key in _NONE:
        result.excluded |= {json.dumps(one, sort_keys=True) for one in parts}
        return Not(either(*(_all_of(one, result, depth + 1) for one in parts)))
    text = json.dumps(value, sort_keys=True)
    if key.startswith("pattern-not") or key == "not":
        result.excluded.add(text)
        kind = key.replace("-not", "", 1)
        return Not(Atom(f"{OPAQUE}{kind}: {text}"))
    return Atom(f"{OPAQUE}{key}: {text}")


def _scope(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield languages and paths that are not looked at any more."""
    languages = [{one for one in rule.scope if ": " not in one} for rule in (old, new)]
    yield from found(of_sets(*languages), Weakness.SCOPE_NARROWER, "languages", *languages)
    paths = [{one for one in rule.scope if one.startswith("path: ")} for rule in (old, new)]
    relation = of_sets(*paths)
    if relation is not MatchRelation.EQUAL and not all(paths):  # none at all: every path
        relation = MatchRelation.WIDER if paths[0] else MatchRelation.NARROWER
    yield from found(relation, Weakness.SCOPE_NARROWER, "paths", *paths)
    others = [
        {*rule.scope} - a - b for rule, a, b in zip((old, new), languages, paths, strict=True)
    ]
    if others[0] != others[1]:
        yield from found(MatchRelation.UNKNOWN, Weakness.SCOPE_NARROWER, "mode", *others)


def _paths(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield paths that are left out; the patterns that exclude are judged with the others."""
    sides = [{one for one in rule.exclusions if one.startswith("path: ")} for rule in (old, new)]
    relation = of_sets(*sides).reversed
    yield from found(relation, Weakness.EXCLUSION_ADDED, "paths left out", *sides)


JUDGES: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): _condition,
    ("scope",): _scope,
    ("exclusions",): _paths,
    ("severity",): field_judges.severity(_SEVERITIES),
}
