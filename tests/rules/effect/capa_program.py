"""capa itself, asked by a test in a process of its own: `python capa_program.py < QUESTION`.

The question is JSON: `rules`, texts of which each is to be taken or refused, and `cases`, each a
list of two lists of texts and a sample. A sample is `[features, ...]`, the features of a function
by instruction, each instruction a basic block of its own. The answer has for each rule why it is
refused, or "", and for each case the names of the rules that are reported before and after.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from capa.engine import index_rule_matches
from capa.features.address import AbsoluteVirtualAddress
from capa.features.common import MatchedRule
from capa.rules import Rule, RuleSet, Scope, build_feature

Sample = Sequence[Sequence[tuple[str, Any]]]


def refusal(text: str) -> str:
    """Return why a rule is refused; "" for one that is taken."""
    try:
        rules = RuleSet._extract_subscope_rules([Rule.from_yaml(text)])
        for scope in Scope:
            if scope is not Scope.GLOBAL:
                RuleSet._index_rules_by_feature(scope, [r for r in rules if scope in r.scopes], {})
    except Exception as error:  # noqa: BLE001  # it ends in many ways
        return f"{type(error).__name__}: {error}"
    return ""


def reported(texts: Sequence[str], sample: Sample) -> list[str]:
    """Return the rules that match a function and what is inside of it, as capa goes about it."""
    rules = RuleSet([Rule.from_yaml(text) for text in texts])
    function: Any = defaultdict(set)
    matched = set[str]()
    for block, instruction in enumerate(sample):
        blocks: Any = defaultdict(set)
        for scope, features in ((Scope.INSTRUCTION, instruction), (Scope.BASIC_BLOCK, ())):
            own: Any = defaultdict(set) if scope is Scope.INSTRUCTION else blocks
            for number, (kind, value) in enumerate(features):
                own[build_feature(kind, value)].add(AbsoluteVirtualAddress(100 * block + number))
            matched |= _matched(rules, scope, own, block)
            for feature, places in own.items():
                (blocks if scope is Scope.INSTRUCTION else function)[feature] |= places
    matched |= _matched(rules, Scope.FUNCTION, function, 0)
    names = (rules[name] for name in matched)
    return sorted(rule.name for rule in names if not (rule.meta.get("lib") or _is_hidden(rule)))


def _matched(rules: RuleSet, scope: Scope, features: Any, block: int) -> set[str]:
    """Return the rules of a scope that match, and note them among its features."""
    place = AbsoluteVirtualAddress(100 * block)
    _, matches = rules.match(scope, features, place)
    for name in matches:
        index_rule_matches(features, rules[name], [place])
    assert all(MatchedRule(name) in features for name in matches)
    return {*matches}


def _is_hidden(rule: Rule) -> bool:
    internal = (rule.meta.get("namespace") or "").startswith("internal/")
    return bool(internal or rule.is_subscope_rule())


def main() -> None:
    """Answer the question."""
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    answer = {
        "version": version("flare-capa"),
        "refused": [refusal(text) for text in asked["rules"]],
        "reported": [[reported(side, case[2]) for side in case[:2]] for case in asked["cases"]],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
