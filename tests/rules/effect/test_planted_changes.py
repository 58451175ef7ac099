"""Changes that look harmless, planted by an attacker who knows how they are judged: none passes."""

from __future__ import annotations

import pytest

from pipelines.rules.compare_rules import compare_rules
from pipelines.rules.rule_set import read_rule_set

SIGMA = """\
title: x
logsource: {category: process_creation}
detection:
    selection:
        CommandLine|contains: VALUE
    condition: selection
"""
HARMLESS = {"none", "strengthened"}


def yara(pattern: str, condition: str = "$a") -> tuple[str, str]:
    return "a.yar", f'rule r {{ strings: $a = {pattern} $b = "bbb" condition: {condition} }}'


def sigma(value: str) -> tuple[str, str]:
    return "a.yml", SIGMA.replace("VALUE", value)


def suricata(options: str) -> tuple[str, str]:
    return "a.rules", f'alert tcp any any -> any any (msg:"x"; {options} sid:1; rev:1;)'


def modsecurity(operator: str) -> tuple[str, str]:
    return "a.conf", f'SecRule ARGS "{operator}" "id:1,phase:2,deny"\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # A flag by which less is excluded, or more of what is written is matched.
        (yara("/[^a-z]{4}/"), yara("/[^a-z]{4}/i")),
        (yara("/[@-_]{4}/i"), yara("/[@-_]{4}/")),
        (modsecurity("@rx [^a]x"), modsecurity("@rx (?i)[^a]x")),
        # Another alternative that is none, or ends the search before the others.
        (suricata('pcre:"/a|b/x";'), suricata('pcre:"/a|#|b/x";')),
        (suricata('pcre:"/evil/";'), suricata('pcre:"/.(*COMMIT)(*FAIL)|evil/";')),
        (suricata('pcre:"/(?!a)/";'), suricata('pcre:"/(?!a|b)/";')),
        (suricata('pcre:"/[^]a|b]x/";'), suricata('pcre:"/[^]a|c|b]x/";')),
        (suricata(r'pcre:"/\Qa/";'), suricata(r'pcre:"/\Qa|b\E/";')),
        (suricata(r'pcre:"/(a)?(b)\2/";'), suricata(r'pcre:"/(a)?(c|(d)|b)\2/";')),
        (modsecurity("@rx (?!a)"), modsecurity("@rx (?!a|b)")),
        (modsecurity("@rx evil"), modsecurity("@rx .(*COMMIT)(*FAIL)|evil")),
        (modsecurity("@pm evil"), modsecurity("@pm evil,bad")),
        # Text that is part of the other as it is written, and not as it is matched.
        (yara(r'"\x80"'), yara('"x80"')),
        (yara(r'"\nevil"'), yara('"nevil"')),
        (suricata('content:"|0a|";'), suricata('content:"0A";')),
        (sigma(r"'\Temp\'"), sigma(r"'\Temp\*'")),
        # Numbers below zero, and between whole ones.
        (yara('"a"', "int8(0) < 0 and $a"), yara('"a"', "int8(0) < 0 and $a and $b")),
        (yara('"a"', "math.entropy(0, 9) > 7"), yara('"a"', "math.entropy(0, 9) > 7.4")),
        (yara('"a"', "2 - filesize < 0"), yara('"a"', "2 - filesize < -9")),
    ],
)
def test_a_planted_change_is_not_called_harmless(
    old: tuple[str, str], new: tuple[str, str]
) -> None:
    sides = [read_rule_set([(path, text.encode())], {}) for path, text in (old, new)]
    assert not [side.faults for side in sides if side.faults]
    [change] = compare_rules(*sides).changes
    assert str(change.judgement.effect) not in HARMLESS


def test_the_same_bytes_written_in_another_way_are_the_same() -> None:
    sides = [
        read_rule_set([(path, text.encode())], {})
        for path, text in (yara('"\u00e91"'), yara(r'"\xc3\xa91"'))
    ]
    [change] = compare_rules(*sides).changes
    assert str(change.judgement.effect) == "none"
