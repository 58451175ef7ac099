"""Reads small files of rules in this process, as the jail does."""

from __future__ import annotations

from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage
from pipelines.rules.rule import Rule


def read(
    language: RuleLanguage, path: str, text: str | bytes
) -> tuple[list[Rule], list[RuleFault]]:
    """Return the rules and the faults of a file that is of that language."""
    data = text.encode() if isinstance(text, str) else text
    assert language.is_rule_file(path, data)
    found = list(language.read_rules(path, data))
    rules = [one for one in found if isinstance(one, Rule)]
    return rules, [one for one in found if isinstance(one, RuleFault)]


def one(language: RuleLanguage, path: str, text: str | bytes) -> Rule:
    """Return the only rule of a file without faults."""
    (rule,), faults = read(language, path, text)
    assert faults == []
    return rule
