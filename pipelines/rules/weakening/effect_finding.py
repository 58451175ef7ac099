"""One thing that a change does to what a rule detects, and what all of them come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.rules.change import Effect, Judgement, Weakness
from pipelines.rules.weakening.pattern_relation import MatchRelation


@dataclass(frozen=True, kw_only=True)
class EffectFinding:
    """How what the new rule detects relates to what the old one does, in one respect."""

    relation: MatchRelation
    weakness: Weakness | None = None
    """Its name, where the new one detects less."""
    detail: str
    dead: bool = False
    """Whether nothing is detected any more."""

    @property
    def weakens(self) -> bool:
        """Say whether something that was detected is not any more."""
        return self.relation in (MatchRelation.NARROWER, MatchRelation.OTHER)


def found(
    relation: MatchRelation, weakness: Weakness, what: str, old: object, new: object
) -> Sequence[EffectFinding]:
    """Return what a field's old and new value come to; nothing where they are equal."""
    if relation is MatchRelation.EQUAL:
        return ()
    detail = f"{what}: {_shown(old)} became {_shown(new)}"
    weakens = relation in (MatchRelation.NARROWER, MatchRelation.OTHER)
    return (
        EffectFinding(relation=relation, weakness=weakness if weakens else None, detail=detail),
    )


def interval_text(low: float, high: float) -> str:
    """Return an interval for people."""
    if math.isinf(low) or (low == 0 and math.isinf(high)):
        return "any" if math.isinf(high) else f"at most {high:.12g}"
    return f"at least {low:.12g}" if math.isinf(high) else f"{low:.12g} to {high:.12g}"


def _shown(value: object) -> str:
    if isinstance(value, (tuple, list, set, frozenset)):
        return ", ".join(sorted(map(str, value))) or "nothing"
    return "nothing" if value in (None, "") else str(value)


def judged(findings: Iterable[EffectFinding]) -> Judgement:
    """Return the judgement that all findings of one change come to, the worst first."""
    every = tuple(findings)
    if any(one.dead for one in every):
        effect = Effect.DISABLED
    elif any(one.weakens for one in every):
        effect = Effect.WEAKENED
    elif any(one.relation is MatchRelation.UNKNOWN for one in every):
        effect = Effect.UNKNOWN
    elif any(one.relation is MatchRelation.WIDER for one in every):
        effect = Effect.STRENGTHENED
    else:
        effect = Effect.NONE
    names = dict.fromkeys(one.weakness for one in every if one.weakness is not None)
    return Judgement(
        effect=effect,
        weaknesses=tuple(sorted(names)),
        details=tuple(dict.fromkeys(one.detail for one in every)),
    )
