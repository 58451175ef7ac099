from __future__ import annotations

import pytest

from pipelines.rules.languages.modsecurity import LANGUAGE
from pipelines.rules.rule import Bound, Pattern, Rule
from tests.rules.languages.reading import one, read
from tests.rules.languages.samples import MODSECURITY as RULE


def rule(text: str) -> Rule:
    return one(LANGUAGE, "rules/a.conf", text)


def test_a_chain_is_one_rule_with_every_part_as_a_fact() -> None:
    found = rule(RULE)
    assert (found.identity, found.line, found.name) == ("942160", 2, "Blind, and 'quoted'")
    assert found.patterns == (
        Pattern(name="0", value=r'@rx (?i)"sleep\(', modifiers=("capture",)),
        Pattern(name="1", value="!@gt 5"),
    )
    assert found.scope == (
        "0|REQUEST_COOKIES",
        "0|ARGS:'/a|b/'",
        "0|&TX:x",
        "phase:2",
        "1|TX:COUNT",
    )
    assert found.exclusions == ("0|REQUEST_COOKIES:/__utm/", "942100;ARGS:foo")
    assert found.transformations == ("0|t:none", "0|t:urldecodeuni", "1|t:length")
    assert (found.action, found.severity) == ("block", "CRITICAL")
    assert found.condition == (
        "1|setvar:tx.score=+%{tx.critical}; ctl:ruleRemoveTargetById=942100;ARGS:foo"
    )
    assert found.tags == ("application-multi", "attack-sqli")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("t:none,t:urlDecodeUni", "t:none, t:urlDecodeUni"),
        ("phase:2", "phase:request"),
        ("SecRule", "secrule"),
        ("REQUEST_COOKIES|", "request_cookies|"),
        ("'CRITICAL'", "2"),
        ("block", "BLOCK"),
        ("@rx", "@RX"),
        (' "@rx (?i)', ' "(?i)'),
        ("# A comment.", ""),
        ("    # between\n", "\n"),
    ],
)
def test_layout_and_ways_of_writing_change_no_logic(old: str, new: str) -> None:
    assert rule(RULE).logic == rule(RULE.replace(old, new)).logic


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("t:urlDecodeUni,", ""),
        ("block", "pass"),
        ("'CRITICAL'", "'NOTICE'"),
        ("!@gt", "@gt"),
        ("|&TX:x", ""),
        ("|&TX:x", "|!ARGS:x"),
        ("phase:2", "phase:1"),
        ("tag:'attack-sqli',", ""),
        ("ctl:ruleRemoveTargetById=942100;ARGS:foo", "ctl:ruleEngine=Off"),
        ("setvar:'tx.score=+%{tx.critical}'", "setvar:'tx.score=+1'"),
        ("capture,", ""),
        ("gt 5", "gt 6"),
    ],
)
def test_what_the_engine_acts_on_is_logic(old: str, new: str) -> None:
    assert rule(RULE).logic != rule(RULE.replace(old, new)).logic


@pytest.mark.parametrize(("old", "new"), [("Blind", "Seeing"), ("4.0.0", "4.0.1")])
def test_what_is_only_told_is_no_logic(old: str, new: str) -> None:
    changed = rule(RULE.replace(old, new))
    assert changed.logic == rule(RULE).logic
    assert changed.normalized != rule(RULE).normalized


def test_numbers_that_are_compared_are_bounds() -> None:
    text = 'SecRule ARGS_COMBINED_SIZE "@{}" "id:1,deny"'
    assert rule(text.format("gt 255")).bounds == {"0": Bound(lowest=256)}
    assert rule(text.format("le 9")).bounds == {"0": Bound(highest=9)}
    assert rule(text.format("eq 0")).bounds == {"0": Bound(lowest=0, highest=0)}
    assert rule(text.format("ge %{tx.max}")).bounds == {}


def test_a_rule_that_is_commented_out_is_off() -> None:
    text = "\n".join(f"#{line}" for line in RULE.splitlines())
    off = rule(text)
    assert not off.enabled
    assert off.logic == rule(RULE).logic


def test_what_turns_rules_off_names_them() -> None:
    text = """
SecRuleEngine DetectionOnly
SecRuleRemoveById 1 2-9
SecRuleUpdateTargetById 3 "!ARGS:password"
SecAction "id:4,phase:1,pass,nolog,ctl:ruleRemoveById=5"
SecMarker END
SecMarker "END"
<LocationMatch "/x y">
SecRule ARGS "@rx a" "id:6,deny,status:403"
SecRuleRemoveById 7
</LocationMatch>
"""
    (engine, removed, updated, action, marker, again, inside, here), faults = read(
        LANGUAGE, "a.conf", text
    )
    assert faults == []
    assert (engine.identity, engine.action) == ("a.conf:SecRuleEngine", "detectiononly")
    assert removed.disables == ("1", "2-9")
    assert updated.exclusions == ("3", "!ARGS:password")
    assert (action.identity, action.exclusions, action.disables) == ("4", ("5",), ())
    assert (marker.identity, again.identity) == ("a.conf:SecMarker END", "a.conf:SecMarker END #2")
    assert inside.scope == ("in:locationmatch /x y", "0|ARGS")
    assert (here.exclusions, here.disables) == (("7",), ())
    assert inside.condition == "status:403"


FAULTS = [
    ('SecRule ARGS "@rx a" "phase:2,deny"', "number as its id"),
    ('SecRule ARGS "@rx a" "id:1,deny,chain"', "does not end"),
    ('SecRule ARGS "@rx a" "id:1,chain"\nSecMarker A', "does not end"),
    ('SecRule ARGS "@rx a', "argument"),
    ("SecRule ARGS", "too few"),
    ('SecRule ARGS| "@rx a" "id:1"', "variables"),
    ('SecRule ARGS:\'a "@rx a" "id:1"', "variables"),
    ('SecRule ARGS "@rx a" "id:1,msg:\'a"', "an action"),
    ("</IfModule>", "did not begin"),
    ("=SecRule", "no directive"),
    ("# x \\\nSecRuleEngine On", "engines differ"),
]
"""Directives that are not read, and what is said of them."""


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_directive_that_cannot_be_read_is_a_fault(text: str, said: str) -> None:
    _, (fault,) = read(LANGUAGE, "a.conf", f"SecMarker BEGIN\n{text}\n")
    assert fault.line in {2, 3}
    assert said in fault.what


def test_a_file_of_phrases_is_a_rule_that_others_need() -> None:
    phrases = one(LANGUAGE, "rules/words.data", "# all\nb\n\na \nb\n")
    assert phrases.identity == "words.data"
    assert [pattern.value for pattern in phrases.patterns] == ["a", "b"]
    text = 'SecRule ARGS "@pmFromFile rules/words.data more.data" "id:1,deny"'
    assert rule(text).needs == ("words.data", "more.data")


def test_a_file_that_only_turns_rules_off_is_one_of_rules() -> None:
    assert one(LANGUAGE, "after.conf", "SecRuleRemoveById 7\n").disables == ("7",)
    assert not LANGUAGE.is_rule_file("a.conf", b"SecondaryServer x\n")
