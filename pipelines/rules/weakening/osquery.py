"""osquery and SpamAssassin: how often, where and with what weight a changed rule is used.

What a changed query or expression finds is not decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Rule
from pipelines.rules.weakening import field_judges
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.pattern_relation import MatchRelation, of_intervals

_ALL_HOSTS = "100"


def _schedule(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield a query that is run less often, or on fewer hosts."""
    for key, missing in (("interval", ""), ("shard", _ALL_HOSTS)):
        was, now = (rule.thresholds.get(key, missing) for rule in (old, new))
        if was == now:
            continue
        relation, weakness = MatchRelation.UNKNOWN, Weakness.SCOPE_NARROWER
        if was.isdecimal() and now.isdecimal():
            relation = of_intervals((0, int(was)), (0, int(now)))
        if key == "interval":
            relation, weakness = relation.reversed, Weakness.THRESHOLD_RAISED
        yield from found(relation, weakness, key, was, now)


def _scores(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield a score that is nearer to nothing, of one to four sets of scores."""
    was, now = (_numbers(rule.thresholds.get("score", "")) for rule in (old, new))
    relation = MatchRelation.UNKNOWN
    if was and now and len(was) == len(now):
        pairs = list(zip(was, now, strict=True))
        if all(a * b > 0 or a == b for a, b in pairs):
            lower = [abs(b) < abs(a) for a, b in pairs]
            higher = [abs(b) > abs(a) for a, b in pairs]
            relation = MatchRelation.OTHER if any(lower) and any(higher) else MatchRelation.NARROWER
            relation = MatchRelation.WIDER if not any(lower) else relation
    shown = [rule.thresholds.get("score", "") for rule in (old, new)]
    yield from found(relation, Weakness.SEVERITY_LOWERED, "score", *shown)


def _numbers(text: str) -> list[float]:
    try:
        return [float(one) for one in text.split()]
    except ValueError:  # relative to a score elsewhere
        return []


OSQUERY: Mapping[tuple[str, ...], FieldJudge] = {
    ("thresholds",): _schedule,
    ("scope",): field_judges.keyed_scope({"platform": "all"}),
}
SPAMASSASSIN: Mapping[tuple[str, ...], FieldJudge] = {
    ("thresholds",): _scores,
    ("scope",): field_judges.keyed_scope({}),
}
