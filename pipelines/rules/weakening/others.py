"""What a rule takes from other rules: it turns them off, goes before them, or excludes files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Language, Rule
from pipelines.rules.weakening.capa import is_limitation
from pipelines.rules.weakening.effect_finding import EffectFinding
from pipelines.rules.weakening.pattern_relation import MatchRelation
from pipelines.rules.weakening.yara import is_unread

_NETWORK = (Language.SNORT, Language.SURICATA)
_JUMP = re.compile(r"(?:^|; )(?:\d+\|)?skip(?:after)?:", re.IGNORECASE)
_ENGINE = re.compile(r"(?:^|; )(?:\d+\|)?ctl:ruleengine=(?!on\b)", re.IGNORECASE)
_REMOVES = re.compile(r"(?:^|; )(?:\d+\|)?ctl:ruleremoveby", re.IGNORECASE)
_OWN = re.compile(r"\d+\|")
"""What an exclusion of a ModSecurity rule begins with that is about the rule itself."""


def taken_from_others(rule: Rule) -> Iterator[EffectFinding]:
    """Yield what the presence of a rule that is on takes from others."""
    if rule.disables:
        yield _finding(Weakness.DISABLES_OTHERS, f"it turns off {', '.join(rule.disables[:4])}")
    match rule.language:
        case Language.YARA:
            if "global" in rule.scope:
                yield _finding(Weakness.DISABLES_OTHERS, "where it does not match, none does")
            if is_unread(rule):
                detail = f"what it brings is not known: {rule.identity}"
                yield EffectFinding(relation=MatchRelation.UNKNOWN, detail=detail)
        case Language.CAPA:
            if is_limitation(rule):
                yield _finding(Weakness.DISABLES_OTHERS, "what it matches is not analysed")
        case Language.CLAMAV | Language.SIGMA:
            yield from _excluded(rule.exclusions)
        case Language.SURICATA | Language.SNORT:
            yield from _of_network(rule)
        case Language.MODSECURITY:
            yield from _of_modsecurity(rule)


def _of_network(rule: Rule) -> Iterator[EffectFinding]:
    if rule.action == "pass":
        yield _finding(Weakness.DISABLES_OTHERS, "what it matches, others do not report")
    if not _is_threshold(rule):
        return
    yield from _excluded(rule.exclusions)
    if not rule.disables and not rule.exclusions:
        yield _finding(Weakness.THRESHOLD_RAISED, rule.condition)


def detects(rule: Rule) -> bool:
    """Say whether a rule finds anything by itself."""
    if rule.language is Language.CAPA:
        return not is_limitation(rule)
    if rule.language in (Language.CLAMAV, Language.SIGMA):
        return not (rule.exclusions or rule.disables)
    if rule.language in _NETWORK:
        return rule.action != "pass" and not _is_threshold(rule)
    if rule.language is Language.MODSECURITY and not rule.identity.isdecimal():
        return not (rule.exclusions or rule.disables)
    return not (rule.action or "").startswith("allow")


def _is_threshold(rule: Rule) -> bool:
    """Say whether it is a line of a file of thresholds, which is about another rule."""
    return " " in rule.identity


def _of_modsecurity(rule: Rule) -> Iterator[EffectFinding]:
    yield from _excluded(tuple(e for e in rule.exclusions if not _OWN.match(e)))
    if (rule.action or "").startswith("allow"):
        yield _finding(Weakness.DISABLES_OTHERS, "what it matches is allowed")
    if _JUMP.search(rule.condition):
        yield _finding(Weakness.DISABLES_OTHERS, "it skips rules")
    if _REMOVES.search(rule.condition):
        yield _finding(Weakness.DISABLES_OTHERS, "it turns rules off for what it matches")
    if _ENGINE.search(rule.condition):
        yield _finding(Weakness.DISABLES_OTHERS, "it turns the engine off")
    if rule.action in ("off", "detectiononly"):
        yield _finding(Weakness.ACTION_LOWERED, rule.condition)
    elif not rule.identity.isdecimal() and not (rule.disables or rule.exclusions):
        yield EffectFinding(relation=MatchRelation.UNKNOWN, detail=f"a setting: {rule.condition}")


def _excluded(exclusions: tuple[str, ...]) -> Iterator[EffectFinding]:
    if exclusions:
        yield _finding(Weakness.EXCLUSION_ADDED, f"excluded: {', '.join(exclusions[:4])}")


def _finding(weakness: Weakness, detail: str) -> EffectFinding:
    return EffectFinding(relation=MatchRelation.NARROWER, weakness=weakness, detail=detail)
