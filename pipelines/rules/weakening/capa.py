"""capa: what a changed rule misses, by its tree of features and its scopes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Pattern, Rule
from pipelines.rules.weakening.capa_formula import Node, TreePair
from pipelines.rules.weakening.condition_change import TOO_LARGE, condition_findings
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.formula import UndecidedError
from pipelines.rules.weakening.paired_patterns import PairedPatterns
from pipelines.rules.weakening.pattern_relation import MatchRelation

_ORDERS = {
    "static": ("function", "basic block", "instruction"),
    "dynamic": ("process", "thread", "span of calls", "call"),
}
"""Scopes that find all that those after them do; a file has features of its own."""
_ANY_OS = Pattern(name="os", value="any")
"""By it flare-capa 10 may sort a rule, and then look at no file of a known system."""
_LIMITATION = "internal/limitation/"
"""The namespace of rules that end the analysis of what they match."""


def _condition(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    if _ANY_OS in old.patterns + new.patterns:
        detail = "a rule that wants any system: the engine may pass it over"
        yield EffectFinding(relation=MatchRelation.UNKNOWN, detail=detail)
    try:
        yield from _compared(json.loads(old.condition), json.loads(new.condition))
    except (UndecidedError, RecursionError):
        yield TOO_LARGE


def _compared(old: Node, new: Node) -> Iterator[EffectFinding]:
    pair = TreePair(old, new)
    findings = condition_findings(pair.old, pair.new, PairedPatterns())
    yield from findings
    if len(pair.scopes) == 1 and any(one.weakens for one in findings):
        yield from (one for one in _compared(*pair.scopes[0]) if one.weakens and not one.dead)


def _scope(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield where a rule looks no more, and fields that decide how a match is reported."""
    sides = [dict(one.split(": ", 1) for one in rule.scope) for rule in (old, new)]
    for key in sorted({*sides[0], *sides[1]}):
        was, now = (side.get(key) for side in sides)
        if was == now:
            continue
        relation, weakness = MatchRelation.UNKNOWN, Weakness.SCOPE_NARROWER
        if key in _ORDERS:
            relation = _of_scopes(_ORDERS[key], was, now, old, new)
        elif key == "namespace" and is_limitation(new):
            relation, weakness = MatchRelation.NARROWER, Weakness.DISABLES_OTHERS
        yield from found(relation, weakness, key, was, now)


def is_limitation(rule: Rule) -> bool:
    """Say whether a file that a rule matches is not analysed by others."""
    return any(one.startswith(f"namespace: {_LIMITATION}") for one in rule.scope)


def _of_scopes(
    order: tuple[str, ...], was: str | None, now: str | None, old: Rule, new: Rule
) -> MatchRelation:
    if was is None or now is None:
        return MatchRelation.WIDER if was is None else MatchRelation.NARROWER
    rising = all(_rises(json.loads(rule.condition)) for rule in (old, new))
    if was not in order or now not in order or not rising:
        return MatchRelation.UNKNOWN
    narrower = order.index(now) > order.index(was)
    return MatchRelation.NARROWER if narrower else MatchRelation.WIDER


def _rises(node: Node) -> bool:
    """Say whether more features never end a match."""
    if isinstance(node, str) or node[0] == "not":
        return isinstance(node, str)
    if node[0] == "count":
        return node[3] is None
    return all(map(_rises, node[1:]))


JUDGES: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): _condition,
    ("scope",): _scope,
}
