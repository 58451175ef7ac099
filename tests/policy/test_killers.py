"""The list of rules and killers is about the code and the tests that are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.policy.killers import FILE, RULES, SOURCES, Rule, table


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.module}: {rule.name}")
def test_a_rule_stands_once_and_its_killers_are_tests(rule: Rule) -> None:
    assert (SOURCES / f"{rule.module}.py").read_text().count(rule.old) == 1
    for killer in rule.killers:
        module, _, test = killer.partition("[")[0].partition(".")
        assert f"def {test}(" in Path(__file__).with_name(f"{module}.py").read_text()


def test_the_list_is_written_out() -> None:
    assert FILE.read_text() == table()
