"""plyara reads the same from YARA rules: names, scopes, tags, metadata, strings and modifiers."""

from __future__ import annotations

import re

import pytest
from plyara import Plyara

from tests.rules.rulesets import rule_set
from tests.rules.test_yara import RULE, SIMPLE

WORDS = {"True": "true", "False": "false"}
RULES = (
    RULE,
    SIMPLE,
    'rule a : b c { meta: x = true y = -3 z = "\\"" condition: for any i in (1..3) : (@a[i] > 1) }',
    "private rule a { strings: $ = { AB [-] ?C } $b = /a\\/b[}]/i wide condition: #b == 2 }",
    'rule a { strings: $x = "a\\\\" base64("' + "A" * 64 + '") condition: $x at pe.entry_point }',
)


@pytest.mark.parametrize("text", RULES)
def test_plyara_reads_the_same(text: str) -> None:
    ours = [rule for rule in rule_set({"r.yar": text}).rules if not rule.includes]
    theirs = Plyara().parse_string(text)
    assert [rule.identity for rule in ours] == [rule["rule_name"] for rule in theirs]
    for rule, other in zip(ours, theirs, strict=True):
        scopes = {*rule.scope, *(["private"] if rule.private else [])}
        assert scopes == set(other.get("scopes", ()))
        assert list(rule.tags) == other.get("tags", [])
        metadata = {key: str(v) for one in other.get("metadata", ()) for key, v in one.items()}
        assert rule.metadata == {key: WORDS.get(v, v) for key, v in metadata.items()}
        strings = other.get("strings", [])
        assert [p.name for p in rule.patterns] == [one["name"] for one in strings]
        for pattern, one in zip(rule.patterns, strings, strict=True):
            given = one.get("modifiers", [])
            kept = [m for m in given if m != "ascii" or "wide" in given]
            names = [re.split(r"\W", modifier)[0] for modifier in kept]
            assert [re.split(r"\W", m)[0] for m in pattern.modifiers] == sorted(names)
        assert len(rule.condition.split()) >= len(other["condition_terms"])
