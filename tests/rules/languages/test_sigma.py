from __future__ import annotations

import pytest

from pipelines.rules.languages.rule_language import RuleSyntaxError
from pipelines.rules.languages.sigma import LANGUAGE
from pipelines.rules.languages.sigma_condition import normalized_condition
from pipelines.rules.rule import Pattern, Rule
from tests.rules.languages.reading import one, read
from tests.rules.languages.samples import SIGMA as RULE


def rule(text: str) -> Rule:
    return one(LANGUAGE, "rules/a.yml", text)


def test_every_part_of_a_rule_is_a_fact() -> None:
    found = rule(RULE)
    assert found.identity == "e28a5a99-da44-436d-b7a0-2afc20a5f413"
    assert (found.name, found.line, found.severity) == ("Whoami", 1, "high")
    assert found.scope == ("category:process_creation", "product:windows")
    assert found.condition == "(keywords or selection) and not 1 of filter_*"
    assert found.patterns == (
        Pattern(name="filter_main[0].Parent", value="null"),
        Pattern(name="filter_main[1].User", value="SYSTEM"),
        Pattern(name="keywords", value="a"),
        Pattern(name="keywords", value="b"),
        Pattern(name="selection.CommandLine|contains", value="/a", modifiers=("all",)),
        Pattern(name="selection.CommandLine|contains", value="/b", modifiers=("all",)),
        Pattern(name="selection.EventID", value="1"),
        Pattern(name="selection.Image|endswith", value="\\id.exe"),
        Pattern(name="selection.Image|endswith", value="\\whoami.exe"),
    )
    assert found.tags == ("attack.discovery", "attack.t1033")
    assert found.metadata["status"] == "test"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # shown", ""),
        ("[b, a]", "\n        - a\n        - b"),
        ("selection or keywords", "keywords OR selection"),
        ("1 of filter_*", "(any of filter_*)"),
        ("level: high\n", ""),
    ],
)
def test_layout_and_order_change_no_logic(old: str, new: str) -> None:
    changed = RULE.replace(old, new)
    if old.startswith("level"):
        changed = f"level: high\n{changed}"
    assert rule(changed).text != rule(RULE).text
    assert rule(changed).normalized == rule(RULE).normalized


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("endswith", "contains"),
        ("|all", ""),
        ("- '\\whoami.exe'", ""),
        ("not 1 of", "not all of"),
        ("not 1 of filter_*", "1 of filter_*"),
        ("windows", "linux"),
        ("high", "low"),
        ("EventID: 1", "EventID: '1'"),
        ("Parent: null", "Parent: ''"),
        ("condition:", "timeframe: 1m\n    condition:"),
        ("level: high", "level: high\nenabled: false"),
    ],
)
def test_what_is_matched_is_logic(old: str, new: str) -> None:
    assert rule(RULE).logic != rule(RULE.replace(old, new)).logic


@pytest.mark.parametrize(("old", "new"), [("Whoami", "Who"), ("test", "stable"), ("t1033", "t1")])
def test_what_is_only_told_is_no_logic(old: str, new: str) -> None:
    changed = rule(RULE.replace(old, new))
    assert changed.logic == rule(RULE).logic
    assert changed.normalized != rule(RULE).normalized


def test_searches_may_be_lists_of_all_kinds() -> None:
    found = rule(RULE.replace("[b, a]", "[b, [a, {A: 1}]]"))
    assert found.patterns[2:5] == (
        Pattern(name="keywords", value="b"),
        Pattern(name="keywords[0]", value="a"),
        Pattern(name="keywords[0][0].A", value="1"),
    )
    assert rule(RULE.replace("filter_*", "other_*")).condition.endswith("not 1 of other_*")


def test_correlations_filters_and_common_fields() -> None:
    text = """\
action: global
title: Common
logsource: {product: a}
---
id: one
detection: {s: {A: b}, condition: s}
---
action: reset
---
title: Many
correlation:
    type: event_count
    rules: [one]
    group-by: [Host]
    timespan: 1h
    condition: {gte: 100}
---
title: Less
filter:
    rules: [one]
    s: {User: admin}
    condition: not s
"""
    (first, many, less), faults = read(LANGUAGE, "a.yml", text)
    assert faults == []
    assert (first.identity, first.name, first.scope) == ("one", "Common", ("product:a",))
    assert (many.identity, many.line, many.needs) == ("Many", 10, ("one",))
    assert many.thresholds == {"timespan": "1h", "gte": "100"}
    assert (less.needs, less.exclusions) == (("one",), ("not s",))


FAULTS = [
    ("title: Whoami", "name: a", "without a title"),
    ("selection or", "selected or", "names no search"),
    ("(selection", "((selection", "not closed"),
    ("(selection or keywords)", "selection keywords", "goes on after its end"),
    ("(selection or keywords) and", "selection and | count() >", "cannot be read"),
    ("endswith", "endwith", "unknown modifier"),
    ("high", "highest", "unknown level"),
    ("status: test", "status: new", "unknown status"),
    ("    category: process_creation\n    product: windows", "    definition: a", "log source"),
    ("[b, a]", "!!set {a: , b: }", "no plain one"),
    ("User: SYSTEM", "User: {a: b}", "no plain one"),
    ("    condition: (", "    other: (", "without searches and a condition"),
    ("level: high", "level: high\ncorrelation: {}", "not one of"),
]
"""What to write in the rule instead, and what is said of it."""


@pytest.mark.parametrize(("old", "new", "said"), FAULTS)
def test_a_rule_that_cannot_be_read_is_a_fault(old: str, new: str, said: str) -> None:
    rules, (fault,) = read(LANGUAGE, "a.yml", RULE.replace(old, new))
    assert rules == []
    assert said in fault.what


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b and a", "a and b"),
        ("not not a", "a"),
        ("not (a)", "not a"),
        ("not (a and b)", "not (a and b)"),
        ("(a and b) or c", "a and b or c"),
        ("a and (b or c)", "(b or c) and a"),
        ("a or a", "a"),
        ("ALL of THEM", "all of them"),
    ],
)
def test_a_condition_is_written_in_one_way(text: str, expected: str) -> None:
    assert normalized_condition(text, {"a", "b", "c"}) == expected


@pytest.mark.parametrize("text", ["", "(" * 60 + "a" + ")" * 60, "a and " * 2000 + "a", "1 of"])
def test_conditions_are_bounded(text: str) -> None:
    with pytest.raises(RuleSyntaxError):
        normalized_condition(text, {"a"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RULE, True),
        ("title: a\ncorrelation: {}\n", True),
        ("title: a\nlogsource: {}\nfilter: {}\n", True),
        ("title: a\nfilter: {}\n", False),
        ("title: a\nlogsource: {}\n", False),
        ("rules:\n- id: a\n", False),
        ("x:\n  title: a\n  detection: {}\n", False),
    ],
)
def test_files_are_known_by_their_first_keys(text: str, expected: bool) -> None:
    assert LANGUAGE.is_rule_file("a.yml", text.encode()) == expected
    assert not LANGUAGE.is_rule_file("a.txt", text.encode())
