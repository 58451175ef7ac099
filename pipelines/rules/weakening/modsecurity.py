"""ModSecurity: what a changed rule misses. All links of a chain have to match.

Meaning of operators and actions: the reference manual of ModSecurity v3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Pattern, Rule
from pipelines.rules.weakening import field_judges
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.modsecurity_operator import of_operators
from pipelines.rules.weakening.pattern_relation import MatchRelation, of_intervals

_RANKS = {
    "off": 0, "allow": 0, "detectiononly": 1, "pass": 1, "block": 2,
    "on": 3, "deny": 3, "drop": 3, "proxy": 3, "redirect": 3,
}  # fmt: skip
_PARTS: Mapping[str, tuple[str, ...]] = {
    "ARGS": ("ARGS_GET", "ARGS_POST"),
    "ARGS_NAMES": ("ARGS_GET_NAMES", "ARGS_POST_NAMES"),
}
"""Collections, and those that are parts of them."""
_NUMERIC = re.compile(r"@(?:eq|ge|gt|le|lt) \d{1,18}")
_SETVAR = re.compile(r"(?:\d+\|)?setvar:'?(?P<name>[^=]+)=(?P<sign>[+-]?)(?P<value>.*?)'?")
_SETTING = re.compile(r"\D")
_LOGGING_PHASE = "5"


def _condition(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    if _SETTING.search(new.identity):  # what is no rule: its condition is all of it
        if old.action == new.action and old.disables == new.disables:
            yield from found(
                MatchRelation.UNKNOWN,
                Weakness.CONDITION_NARROWER,
                new.name,
                old.condition,
                new.condition,
            )
        return
    yield from _links(old.patterns, new.patterns)
    was, now = (set(filter(None, rule.condition.split("; "))) for rule in (old, new))
    yield from _acts(was - now, now - was)


def _links(old: tuple[Pattern, ...], new: tuple[Pattern, ...]) -> Iterator[EffectFinding]:
    """Yield what the links of a chain demand; they are compared by their place."""
    for one, two in zip(old, new, strict=False):
        if all(_NUMERIC.fullmatch(pattern.value) for pattern in (one, two)):
            continue  # the bounds say it
        relation = of_operators(one.value, two.value)
        dead = two.value == "@nomatch"
        for finding in found(
            relation, Weakness.PATTERN_DROPPED, f"link {one.name}", one.value, two.value
        ):
            yield EffectFinding(
                relation=MatchRelation.NARROWER if dead else relation,
                weakness=Weakness.NEVER_TRUE if dead else finding.weakness,
                detail=finding.detail,
                dead=dead,
            )
        yield from _modifiers(one, two)
    for pattern in new[len(old) :]:
        yield from found(
            MatchRelation.NARROWER, Weakness.CONDITION_NARROWER, "one more link", "", pattern.value
        )
    for pattern in old[len(new) :]:
        yield from found(
            MatchRelation.WIDER, Weakness.CONDITION_NARROWER, "one link less", pattern.value, ""
        )


def _modifiers(old: Pattern, new: Pattern) -> Iterator[EffectFinding]:
    for name in sorted({*old.modifiers} ^ {*new.modifiers}):
        relation = MatchRelation.UNKNOWN
        if name == "multimatch":
            relation = MatchRelation.NARROWER if name in old.modifiers else MatchRelation.WIDER
        shown = ["yes" if name in one.modifiers else "no" for one in (old, new)]
        yield from found(relation, Weakness.MODIFIER_DROPPED, name, *shown)


def _acts(gone: set[str], come: set[str]) -> Iterator[EffectFinding]:
    """Yield what other actions do: scores, controls, jumps."""
    before, after = ({_key(act): act for act in side} for side in (gone, come))
    for key in sorted({*before, *after}):
        was, now = before.get(key, ""), after.get(key, "")
        if key.startswith("setvar:"):
            relation, weakness = _of_variables(was, now)
        elif key in ("skip", "skipafter"):
            relation = MatchRelation.NARROWER if not was else MatchRelation.WIDER
            relation, weakness = MatchRelation.UNKNOWN if was and now else relation, _OTHERS
        elif key in ("nolog", "noauditlog"):
            relation, weakness = MatchRelation.NARROWER if now else MatchRelation.WIDER, _ACTION
        elif key == "status":
            continue
        elif key.startswith("ctl:ruleremove"):
            continue  # what it turns off or excludes is a field of the rule
        elif key == "ctl:ruleengine" and not was:
            relation = (
                MatchRelation.WIDER if now.lower().endswith("=on") else MatchRelation.NARROWER
            )
            weakness = _OTHERS
        else:
            relation, weakness = MatchRelation.UNKNOWN, _ACTION
        yield from found(relation, weakness, key, was, now)


_OTHERS, _ACTION = Weakness.DISABLES_OTHERS, Weakness.ACTION_LOWERED


def _key(act: str) -> str:
    """Return what an action is about, without its value."""
    text = act.partition("|")[2] if act[:1].isdecimal() else act
    name, _, value = text.partition(":")
    if name in ("setvar", "ctl"):
        return f"{name}:{value.partition('=')[0].strip(chr(39)).lower()}"
    return name


def _of_variables(was: str, now: str) -> tuple[MatchRelation, Weakness]:
    """Return what a variable comes to: scores are added up, thresholds compared with them."""
    first, second = (_SETVAR.fullmatch(act) for act in (was, now))
    known = second or first
    name = known["name"].lower() if known else ""
    weakness = Weakness.SEVERITY_LOWERED
    if "threshold" in name:
        weakness, order = Weakness.THRESHOLD_RAISED, -1
    elif "score" in name or "paranoia" in name or "detection" in name:
        order = 1
    else:
        return MatchRelation.UNKNOWN, weakness
    if not was or not now:
        relation = MatchRelation.NARROWER if not now else MatchRelation.WIDER
        return (relation, weakness) if order > 0 else (MatchRelation.UNKNOWN, weakness)
    if not first or not second or first["sign"] != second["sign"] or first["sign"] == "-":
        return MatchRelation.UNKNOWN, weakness
    values = [_score(match["value"]) for match in (first, second)]
    if None in values:
        return MatchRelation.UNKNOWN, weakness
    ends = [(0.0, order * (value or 0.0)) for value in values]
    shifted = [(-1e18, high) for _, high in ends]
    return of_intervals(shifted[0], shifted[1]), weakness


def _score(text: str) -> float | None:
    """Return a number, or that of one of the Core Rule Set's scores by severity."""
    scores = {"critical": 5.0, "error": 4.0, "warning": 3.0, "notice": 2.0}
    match = re.fullmatch(r"%\{tx\.(\w+)_anomaly_score\}", text.lower())
    if match:
        return scores.get(match[1])
    return float(text) if re.fullmatch(r"\d{1,9}", text) else None


def _scope(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield variables that are not looked at any more, and another phase or section."""
    was, now = ({one for one in rule.scope if "|" in one} for rule in (old, new))
    links = min(len(old.patterns), len(new.patterns))
    sides = [{v for v in side if int(v.partition("|")[0]) < links} for side in (was, now)]
    exact = {e.partition("|")[0] for e in (*old.exclusions, *new.exclusions)}
    lost = {v for v in sides[0] if not _covered(v, sides[1], exact)}
    gained = {v for v in sides[1] if not _covered(v, sides[0], exact)}
    relation = (
        (MatchRelation.OTHER if gained else MatchRelation.NARROWER)
        if lost
        else (MatchRelation.WIDER if gained else MatchRelation.EQUAL)
    )
    yield from found(relation, Weakness.SCOPE_NARROWER, "looks at", lost, gained)
    phases = [{v for v in rule.scope if v.startswith("phase:")} for rule in (old, new)]
    if phases[0] != phases[1]:
        late = phases[1] == {f"phase:{_LOGGING_PHASE}"}
        relation = MatchRelation.NARROWER if late else MatchRelation.UNKNOWN
        yield from found(relation, Weakness.ACTION_LOWERED, "phase", *phases)
    sections = [{v for v in rule.scope if v.startswith("in:")} for rule in (old, new)]
    if sections[0] != sections[1]:
        relation = MatchRelation.UNKNOWN
        if not sections[0]:
            relation = MatchRelation.NARROWER
        elif not sections[1]:
            relation = MatchRelation.WIDER
        yield from found(relation, Weakness.SCOPE_NARROWER, "section", *sections)


def _covered(variable: str, others: set[str], exact: set[str]) -> bool:
    """Say whether a variable is among others, or part of a collection among them.

    `exact` are links in which something is excluded: that holds of one collection alone.
    """
    link, _, name = variable.partition("|")
    if link in exact:
        return variable in others
    base, _, selected = name.partition(":")
    wider = {name, base}
    for whole, parts in _PARTS.items():
        if base in parts:
            wider |= {whole, f"{whole}:{selected}"}
    if any(f"{link}|{one}" in others for one in wider):
        return True
    inside = _PARTS.get(base, ())
    return bool(inside) and not selected and all(f"{link}|{one}" in others for one in inside)


def _bounds(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield numbers that a variable is compared with."""
    for name in sorted({**old.bounds, **new.bounds}):
        if name not in old.bounds or name not in new.bounds:
            continue  # another operator, or another number of links
        yield from field_judges.bound(old, new, name, Weakness.THRESHOLD_RAISED)


def _transformations(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield transformations that are gone: those after the last `t:none` count."""
    sides = [_by_link(rule) for rule in (old, new)]
    links = min(len(old.patterns), len(new.patterns))
    for link in sorted({*sides[0], *sides[1]}):
        if int(link) >= links:
            continue  # one link more or less is judged as that
        was, now = (side.get(link, []) for side in sides)
        if was != now:
            lost = [one for one in was if one not in now and one != "t:none"]
            relation = MatchRelation.OTHER if lost else MatchRelation.UNKNOWN
            args = (" ".join(was), " ".join(now))
            yield from found(relation, Weakness.TRANSFORMATION_DROPPED, f"link {link}", *args)


def _by_link(rule: Rule) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for one in rule.transformations:
        link, _, name = one.partition("|")
        if name == "t:none":
            result[link] = [name]
        else:
            result.setdefault(link, []).append(name)
    return result


def _action(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    first, second = ((rule.action or "").partition(":")[0].lower() for rule in (old, new))
    ranks: Mapping[str, int] = _RANKS
    if "block" in (first, second) and 3 in (_RANKS.get(first), _RANKS.get(second)):
        ranks = {}  # what `block` does is said elsewhere
    for one in field_judges.ranked(ranks, Weakness.ACTION_LOWERED, "action", first, second):
        yield EffectFinding(
            relation=one.relation,
            weakness=one.weakness,
            detail=one.detail,
            dead=one.weakens and second in ("off", "allow"),
        )


_SEVERITIES = {
    name: 7 - number
    for number, name in enumerate(
        ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
    )
}

JUDGES: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): _condition,
    ("scope",): _scope,
    ("bounds",): _bounds,
    ("transformations",): _transformations,
    ("action",): _action,
    ("severity",): field_judges.severity(_SEVERITIES),
}
