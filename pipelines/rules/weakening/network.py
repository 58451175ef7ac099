"""Suricata and Snort: what a changed rule misses. All parts of a rule have to match.

Meaning of keywords: https://docs.suricata.io/en/latest/rules/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.rules.change import Weakness
from pipelines.rules.rule import Rule
from pipelines.rules.weakening import field_judges
from pipelines.rules.weakening.effect_finding import EffectFinding, found
from pipelines.rules.weakening.field_judges import FieldJudge
from pipelines.rules.weakening.network_payload import payload
from pipelines.rules.weakening.network_scope import scope
from pipelines.rules.weakening.pattern_relation import MatchRelation, of_intervals, of_sets

_ACTIONS = {
    "pass": 0, "log": 1, "alert": 1, "activate": 1, "dynamic": 1, "config": 0, "rewrite": 1,
    "react": 2, "drop": 2, "sdrop": 2, "block": 2,
    "reject": 2, "rejectsrc": 2, "rejectdst": 2, "rejectboth": 2,
}  # fmt: skip
_PRIORITIES: Mapping[str, int] = {
    **dict.fromkeys(
        """attempted-admin attempted-user command-and-control credential-theft domain-c2 exploit-kit
        inappropriate-content policy-violation shellcode-detect successful-admin successful-user
        targeted-activity trojan-activity unsuccessful-user web-application-attack""".split(),  # noqa: SIM905
        1,
    ),
    **dict.fromkeys(
        """attempted-dos attempted-recon bad-unknown coin-mining default-login-attempt
        denial-of-service external-ip-check misc-attack non-standard-protocol pup-activity
        rpc-portmap-decode social-engineering successful-dos successful-recon-largescale
        successful-recon-limited suspicious-filename-detect suspicious-login system-call-detect
        unusual-client-port-connection web-application-activity""".split(),  # noqa: SIM905
        2,
    ),
    **dict.fromkeys(
        """icmp-event misc-activity network-scan not-suspicious protocol-command-decode
        string-detect unknown""".split(),  # noqa: SIM905
        3,
    ),
    "tcp-connection": 4,
}
"""Of the classification that both engines ship; a center may have another."""
_NO_PRIORITY = 3
_SETS = frozenset({"flowbits", "flowint", "hostbits", "xbits", "set", "unset", "toggle"})
_BITS = ("flowbits", "hostbits", "xbits")
_NOT_CONDITIONS = frozenset(
    {"activates", "bypass", "config", "filestore", "iprep", "lua", "luajit", "requires", "tag"}
)
_SILENT = frozenset({"noalert", "flowbits:noalert"})


def _condition(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield what other keywords demand."""
    was, now = _keywords(old.condition), _keywords(new.condition)
    for name in sorted({*was, *now}):
        before, after = was.get(name, set()), now.get(name, set())
        if name == "flow":
            relation = of_sets(before, after).reversed
            yield from found(relation, Weakness.CONDITION_NARROWER, name, before, after)
            continue
        for one in sorted(after - before):
            yield from _keyword(one, name, changed=bool(before - after))
        for one in sorted(before - after):
            yield from _dropped(one, name, changed=bool(after - before))


def _keywords(condition: str) -> dict[str, set[str]]:
    """Return the keywords with what is said of each; of `flow` the single options."""
    result: dict[str, set[str]] = {}
    for one in filter(None, condition.split("; ")):
        name, _, value = one.partition(":")
        parts = value.split(",") if name == "flow" else [one]
        result.setdefault(name, set()).update(part.strip() for part in parts)
    return result


def _keyword(text: str, name: str, *, changed: bool) -> Iterator[EffectFinding]:
    """Yield what a keyword that is new does."""
    if text in _SILENT:
        yield EffectFinding(
            relation=MatchRelation.NARROWER,
            weakness=Weakness.MADE_PRIVATE,
            detail=f"{text}: a match is not reported",
            dead=True,
        )
        return
    tests = name in _BITS and text.partition(":")[2].lstrip().startswith(("isset", "isnotset"))
    free = name in _NOT_CONDITIONS or (name in _SETS and not tests)
    relation = MatchRelation.UNKNOWN if free or (changed and not tests) else MatchRelation.NARROWER
    yield from found(relation, Weakness.CONDITION_NARROWER, name, "", text)


def _dropped(text: str, name: str, *, changed: bool) -> Iterator[EffectFinding]:
    """Yield what a keyword that is gone did."""
    sets = name in _BITS and "isset" not in text and "isnotset" not in text
    if sets and text not in _SILENT:
        detail = f"{text} is gone, which other rules may wait for"
        yield EffectFinding(
            relation=MatchRelation.NARROWER, weakness=Weakness.DISABLES_OTHERS, detail=detail
        )
        return
    free = name in _NOT_CONDITIONS or (name in _SETS and name not in _BITS)
    relation = MatchRelation.UNKNOWN if free or changed else MatchRelation.WIDER
    yield from found(relation, Weakness.CONDITION_NARROWER, name, text, "")


def _matching(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    yield from payload(old, new)
    if old.condition != new.condition:
        yield from _condition(old, new)


def _thresholds(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield how many events an alert needs, and how many are reported."""
    for kind in sorted({key.partition(".")[0] for key in (*old.thresholds, *new.thresholds)}):
        was, now = (
            {k.partition(".")[2]: v for k, v in r.thresholds.items() if k.startswith(f"{kind}.")}
            for r in (old, new)
        )
        if was == now:
            continue
        if not was or not now:
            relation = MatchRelation.NARROWER if now else MatchRelation.WIDER
        elif _with_numbers(was) != _with_numbers(now):
            relation = MatchRelation.UNKNOWN
        else:
            relation = _of_rates(was, now)
        shown = [", ".join(f"{k} {v}" for k, v in sorted(side.items())) for side in (was, now)]
        yield from found(relation, Weakness.THRESHOLD_RAISED, kind, *shown)


def _with_numbers(side: Mapping[str, str]) -> dict[str, str]:
    """Return what a threshold says, its numbers left out."""
    return {key: "" if key in ("count", "seconds") else value for key, value in side.items()}


def _of_rates(was: Mapping[str, str], now: Mapping[str, str]) -> MatchRelation:
    """Return how two thresholds of one type compare."""
    try:
        counts, seconds = ([int(s.get(k, "0")) for s in (was, now)] for k in ("count", "seconds"))
    except ValueError:
        return MatchRelation.UNKNOWN
    if was.get("type") == "limit":  # so many are reported, once in so many seconds
        pairs = ((counts[1], counts[0]), (seconds[0], seconds[1]))
    else:  # so many are needed, within so many seconds
        pairs = ((counts[0], counts[1]), (seconds[1], seconds[0]))
    relations = {of_intervals((0, high), (0, low)) for low, high in pairs}
    relations.discard(MatchRelation.EQUAL)
    return relations.pop() if len(relations) == 1 else MatchRelation.OTHER


def _severity(old: Rule, new: Rule) -> Iterator[EffectFinding]:
    """Yield a priority that is lower, given or by the class of the rule."""
    priorities = [_priority(rule) for rule in (old, new)]
    if None in priorities:
        relation = (
            MatchRelation.UNKNOWN
            if priorities[0] != priorities[1] or _class(old) != _class(new)
            else MatchRelation.EQUAL
        )
    else:
        relation = of_intervals((0, -(priorities[0] or 0)), (0, -(priorities[1] or 0)))
    shown = [f"{one.severity or 'none'} ({_class(one) or 'no class'})" for one in (old, new)]
    yield from found(relation, Weakness.SEVERITY_LOWERED, "priority", *shown)


def _class(rule: Rule) -> str:
    return rule.tags[-1] if rule.tags else ""


def _priority(rule: Rule) -> int | None:
    """Return the priority of a rule; None if its class is not a known one."""
    if rule.severity is not None:
        return int(rule.severity) if rule.severity.isdecimal() else None
    name = _class(rule)
    return _PRIORITIES.get(name.lower()) if name else _NO_PRIORITY


JUDGES: Mapping[tuple[str, ...], FieldJudge] = {
    ("condition", "patterns"): _matching,
    ("scope",): scope,
    ("thresholds",): _thresholds,
    ("severity", "tags"): _severity,
    ("action",): field_judges.action(_ACTIONS, frozenset({"pass", "config"})),
}
