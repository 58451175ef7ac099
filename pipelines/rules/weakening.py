"""What a change does to what is detected. What is not decided here is `effect-unknown`."""

from __future__ import annotations

from pipelines.rules.change import Effect, Judgement, Weakness
from pipelines.rules.rule import Rule


def judge_change(old: Rule | None, new: Rule | None) -> Judgement:
    """Return the effect of a rule becoming another one; None for a rule that is not there."""
    if new is None:
        return Judgement(effect=Effect.DISABLED, details=("the rule is gone",))
    if old is None:
        if new.disables:
            return Judgement(effect=Effect.WEAKENED, weaknesses=(Weakness.DISABLES_OTHERS,))
        return Judgement(effect=Effect.UNKNOWN)
    if old.enabled and not new.enabled:
        return Judgement(effect=Effect.DISABLED, details=("the rule is turned off",))
    if old.logic == new.logic and old.enabled == new.enabled:
        return Judgement(effect=Effect.NONE)
    return Judgement(effect=Effect.UNKNOWN)
