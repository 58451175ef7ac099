"""What a change of one field of a rule comes to, in languages that say no more of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Bound, Rule
from pipelines.rules.weakening.effect_finding import EffectFinding, found, interval_text
from pipelines.rules.weakening.pattern_relation import MatchRelation, of_intervals, of_sets

FieldJudge: TypeAlias = Callable[[Rule, Rule], Iterator[EffectFinding]]
"""Compares a field of two rules, in which they differ."""


def private(_old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield what a rule loses whose matches are not reported any more."""
    relation = MatchRelation.NARROWER if new.private else MatchRelation.WIDER
    yield from found(relation, Weakness.MADE_PRIVATE, "reported", not new.private, new.private)


def exclusions(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield exclusions that were added or taken away."""
    relation = of_sets(old.exclusions, new.exclusions).reversed
    yield from found(relation, Weakness.EXCLUSION_ADDED, "excluded", old.exclusions, new.exclusions)


def disables(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield other rules that are turned off now."""
    relation = of_sets(old.disables, new.disables).reversed
    yield from found(relation, Weakness.DISABLES_OTHERS, "turns off", old.disables, new.disables)


def scope(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield where a rule looks no more, of a list of places."""
    relation = of_sets(old.scope, new.scope)
    yield from found(relation, Weakness.SCOPE_NARROWER, "looks at", old.scope, new.scope)


def keyed_scope(free: Mapping[str, str]) -> FieldJudge:
    """Return the judge of scopes such as `target:1`, of which each has to hold.

    `free` has the value of a key that holds of everything; of every key, `*` does.
    """

    def judge(old: Rule, new: Rule) -> Iterator[EffectFinding]:
        sides: list[dict[str, set[str]]] = [{}, {}]
        for side, rule in zip(sides, (old, new), strict=True):
            for item in rule.scope:
                key, colon, value = item.lower().partition(":")
                side.setdefault(key if colon else "", set()).add(value if colon else key)
        for key in sorted({*sides[0], *sides[1]}):
            was, now = (side.get(key, set()) - {"*", free.get(key)} for side in sides)
            relation = of_sets(was, now)  # more demands leave less
            yield from found(relation.reversed, Weakness.SCOPE_NARROWER, key or "type", was, now)

    return judge


def bounds(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield bounds that leave out what they did not."""
    for name in sorted({**old.bounds, **new.bounds}):
        yield from bound(old, new, name, Weakness.BOUND_MOVED)


def bound(old: Rule, new: Rule, name: str, weakness: Weakness) -> Iterator[EffectFinding]:
    """Yield that one bound leaves out what it did not."""
    ends = [interval(rule.bounds.get(name)) for rule in (old, new)]
    shown = [interval_text(*end) for end in ends]
    yield from found(of_intervals(*ends), weakness, name, *shown)


def interval(bound: Bound | None) -> tuple[float, float]:
    """Return a bound as two numbers; everything where there is none."""
    if bound is None:
        return -math.inf, math.inf
    low = -math.inf if bound.lowest is None else float(bound.lowest)
    return low, math.inf if bound.highest is None else float(bound.highest)


def transformations(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield transformations that are gone; what others than before find is not known."""
    was, now = old.transformations, new.transformations
    relation = of_sets(was, now)
    if relation is not MatchRelation.NARROWER:
        relation = MatchRelation.OTHER if set(was) - set(now) else MatchRelation.UNKNOWN
    detail = (" ".join(was), " ".join(now))
    yield from found(relation, Weakness.TRANSFORMATION_DROPPED, "transformations", *detail)


def ranked(
    ranks: Mapping[str, int], weakness: Weakness, what: str, old: str | None, new: str | None
) -> Iterator[EffectFinding]:
    """Yield a step down from one rank to another; unknown where one of them is."""
    first, second = (None if one is None else ranks.get(one.lower()) for one in (old, new))
    if first is None or second is None:
        relation = MatchRelation.UNKNOWN
    elif first == second:
        relation = MatchRelation.EQUAL
    else:
        relation = MatchRelation.NARROWER if second < first else MatchRelation.WIDER
    yield from found(relation, weakness, what, old, new)


def severity(ranks: Mapping[str, int]) -> FieldJudge:
    """Return the judge of severities, given the rank of each."""

    def judge(old: Rule, new: Rule) -> Iterator[EffectFinding]:
        args = (old.severity, new.severity)
        yield from ranked(ranks, Weakness.SEVERITY_LOWERED, "severity", *args)

    return judge


def action(ranks: Mapping[str, int], dead: frozenset[str] = frozenset()) -> FieldJudge:
    """Return the judge of actions, given the rank of each, and those that detect nothing."""

    def judge(old: Rule, new: Rule) -> Iterator[EffectFinding]:
        args = (old.action or "", new.action or "")
        for one in ranked(ranks, Weakness.ACTION_LOWERED, "action", *args):
            yield EffectFinding(
                relation=one.relation,
                weakness=one.weakness,
                detail=one.detail,
                dead=one.weakens and (new.action or "") in dead,
            )

    return judge


def unknown(name: str) -> FieldJudge:
    """Return the judge of a field that a language says nothing of."""

    def judge(_old: Rule, _new: Rule) -> Iterator[EffectFinding]:
        yield EffectFinding(
            relation=MatchRelation.UNKNOWN, detail=f"{name}: what changed is not understood"
        )

    return judge
