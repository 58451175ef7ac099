"""The effect of a change: every field in which two rules differ is judged, and the worst counts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from pipelines.rules.change import Effect, Judgement
from pipelines.rules.rule import LOGIC_FIELDS, Language, Rule
from pipelines.rules.weakening import (
    capa,
    clamav,
    field_judges,
    modsecurity,
    network,
    osquery,
    semgrep,
    sigma,
    yara,
)
from pipelines.rules.weakening.effect_finding import judged
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.others import detects, taken_from_others

_COMMON: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): field_judges.unknown("condition or patterns"),
    ("scope",): field_judges.scope,
    ("thresholds",): field_judges.unknown("thresholds"),
    ("bounds",): field_judges.bounds,
    ("action",): field_judges.unknown("action"),
    ("severity",): field_judges.unknown("severity"),
    ("transformations",): field_judges.transformations,
    ("exclusions",): field_judges.exclusions,
    ("private",): field_judges.private,
    ("disables",): field_judges.disables,
}
"""The fields that are judged together, and their judges."""

_LANGUAGES: Mapping[Language, Mapping[tuple[str, ...], FieldJudge]] = {
    Language.CAPA: capa.JUDGES,
    Language.CLAMAV: clamav.JUDGES,
    Language.MODSECURITY: modsecurity.JUDGES,
    Language.OSQUERY: osquery.OSQUERY,
    Language.SEMGREP: semgrep.JUDGES,
    Language.SIGMA: sigma.JUDGES,
    Language.SNORT: network.JUDGES,
    Language.SPAMASSASSIN: osquery.SPAMASSASSIN,
    Language.SURICATA: network.JUDGES,
    Language.YARA: yara.JUDGES,
}
"""What a language says otherwise."""


def judge_change(old: Rule | None, new: Rule | None) -> Judgement:
    """Return the effect of a rule becoming another one; None for a rule that is not there."""
    if new is None or not new.enabled:
        if old is None or not old.enabled:
            return Judgement(effect=Effect.NONE, details=("the rule is turned off",))
        return _removed(old, "the rule is gone" if new is None else "the rule is turned off")
    if old is None or not old.enabled:
        return _added(new)
    judges = _judges(old, new)
    fields = {*LOGIC_FIELDS, *chain.from_iterable(judges)}
    differ = {name for name in fields if getattr(old, name) != getattr(new, name)}
    if not differ:
        if old.logic == new.logic:
            return Judgement(effect=Effect.NONE)
        detail = "the rules differ in what no field of them shows"
        return Judgement(effect=Effect.UNKNOWN, details=(detail,))
    return judged(
        finding
        for names, judge in judges.items()
        if not differ.isdisjoint(names)
        for finding in judge(old, new)
    )


def _judges(old: Rule, new: Rule) -> Mapping[tuple[str, ...], FieldJudge]:
    """Return who judges which fields of two rules."""
    if old.language is not new.language:
        return {names: field_judges.unknown(names[0]) for names in _COMMON}
    own = _LANGUAGES[new.language]
    taken = {*chain.from_iterable(own)}
    return {**{names: one for names, one in _COMMON.items() if taken.isdisjoint(names)}, **own}


def _added(new: Rule) -> Judgement:
    """Return the effect of a rule that was not there: it finds more, or has others find less."""
    if taken := tuple(taken_from_others(new)):
        return judged(taken)
    if new.private:
        return Judgement(effect=Effect.NONE, details=("it reports nothing",))
    return Judgement(effect=Effect.STRENGTHENED, details=("the rule is new",))


def _removed(old: Rule, how: str) -> Judgement:
    """Return the effect of a rule that is gone: what it found, or kept others from finding."""
    if detects(old):
        return Judgement(effect=Effect.DISABLED, details=(how,))
    return Judgement(effect=Effect.STRENGTHENED, details=(f"{how}, which others were bound by",))
