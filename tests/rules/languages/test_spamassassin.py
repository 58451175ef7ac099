from __future__ import annotations

import pytest

from pipelines.rules.languages.spamassassin import LANGUAGE
from pipelines.rules.rule import Pattern
from tests.rules.languages.reading import read
from tests.rules.languages.samples import SPAMASSASSIN as RULES


def test_every_line_is_a_rule_or_a_part_of_one() -> None:
    rules, faults = read(LANGUAGE, "20_a.cf", RULES)
    assert faults == []
    found = {rule.identity: rule for rule in rules}
    subject = found["SUBJECT"]
    assert subject.patterns == (Pattern(name="header", value="Subject =~ /free\\#1/i"),)
    assert (subject.line, subject.condition) == (2, "tflags:net")
    assert subject.metadata == {"describe": "Says free"}
    assert found["__PART"].private
    assert found["BOTH"].condition == "(SUBJECT && __PART)"
    assert found["BOTH"].needs == ("SUBJECT", "__PART")
    assert found["BOTH"].scope == ("in:ifplugin Mail::SpamAssassin::Plugin::Dkim",)
    assert found["SUBJECT score"].thresholds == {"score": "1.0 2.0 1.0 2.0"}
    assert not found["BOTH score"].enabled
    assert found["whitelist_from *@example.org"].patterns == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("endif", "without `if`"),
        ("body NAME", "without a name and a value"),
        ("body 1NAME /a/", "without a name and a value"),
        ("score NAME high", "one to four numbers"),
        ("score NAME 1 2 3 4 5", "one to four numbers"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_fault(line: str, said: str) -> None:
    rules, (fault,) = read(LANGUAGE, "a.cf", f"body GOOD /a/\n{line}\n")
    assert [rule.identity for rule in rules] == ["GOOD"]
    assert fault.line == 2
    assert said in fault.what
