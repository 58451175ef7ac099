from __future__ import annotations

import pytest

from pipelines.rules.languages.capa import LANGUAGE
from pipelines.rules.languages.rule_language import RuleSyntaxError
from pipelines.rules.rule import Pattern, Rule
from tests.rules.languages.reading import one, read
from tests.rules.languages.samples import CAPA as RULE
from tests.rules.rulesets import rule_set


def rule(text: str) -> Rule:
    return one(LANGUAGE, "rules/a.yml", text)


def test_every_part_of_a_rule_is_a_fact() -> None:
    found = rule(RULE)
    assert (found.identity, found.line, found.private) == ("write evil file", 2, False)
    assert found.scope == ("static: function", "dynamic: span of calls")
    assert found.groups == ("host-interaction", "host-interaction/file-system")
    assert found.needs == ("create file",)
    assert found.condition == (
        '["and",["count","mnemonic=xor",2,null],["instruction",["and","number=0x4000",'
        '"operand[1].offset=-0x8"]],["not","os=linux"],["or","api=CreateFileA",'
        '"match=create file"],[2,"bytes=4d5a","regex=/evil[0-9]/i","substring=C:\\\\evil"]]'
    )
    assert found.patterns[0] == Pattern(name="api", value="CreateFileA")
    assert found.tags == ("Execution::Shared Modules [T1129]",)
    assert found.references == ("https://example.org",)
    assert found.metadata["authors"] == '["lab@example.org"]'
    assert "GENERIC_WRITE" in found.metadata["features"]


SAME = [
    ("# A rule.", ""),
    ("0x4000", "16384"),
    ("kernel32.CreateFileA", "CreateFileA"),
    ("4D 5A", "4d5a"),
    ("2 or more\n      - 2", "(2,)\n      - 2"),
    ("instruction:\n        - number: 0x4000 =", "instruction:\n        - number: 16384 ="),
    ("        - string: /evil[0-9]/i\n        - substring: C:\\evil\n",
     "        - substring: C:\\evil\n        - string: /evil[0-9]/i\n"),
]  # fmt: skip


def same() -> list[str]:
    return [RULE.replace(old, new) for old, new in SAME]


@pytest.mark.parametrize("text", same())
def test_what_is_written_in_another_way_is_the_same(text: str) -> None:
    assert text != RULE
    assert rule(text).normalized == rule(RULE).normalized


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("static: function", "static: basic block"),
        ("kernel32.CreateFileA", "CreateFileW"),
        ("- or:", "- and:"),
        ("2 or more:", "3 or more:"),
        ("(xor)): 2 or more", "(xor)): 3 or more"),
        ("match: create file", "match: create-file"),
        ("/evil[0-9]/i", "/evil[0-9]/"),
        ("    references", "    lib: true\n    references"),
        ("    references", "    maec/malware-family: x\n    references"),
        ("host-interaction", "internal"),
        ("- not:", "- or:"),
    ],
)
def test_what_the_engine_acts_on_is_logic(old: str, new: str) -> None:
    assert rule(RULE).logic != rule(RULE.replace(old, new, 1)).logic


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("file-system", "files"),
        ("T1129", "T1"),
        ("lab@", "desk@"),
        ("GENERIC_WRITE", "write"),
        ("api: opt", "api: optional"),
        ("name: write evil", "name: write bad"),
    ],
)
def test_what_is_only_told_is_no_logic(old: str, new: str) -> None:
    changed = rule(RULE.replace(old, new))
    assert changed.logic == rule(RULE).logic
    assert changed.normalized != rule(RULE).normalized


FAULTS = [
    ("name: write evil file", "label: x", "without a name"),
    ("  features:", "  features: []\n  others:", "not one statement"),
    ("    - and:\n", "    - api: x\n    - and:\n", "not one statement"),
    ("    - and:\n", "    - function:\n      - api: x\n    - and:\n", "not one statement"),
    ("- or:\n", "- or:\n        - thread:\n          - api: x\n", "not inside"),
    ("- or:", "- either:", "an unknown statement"),
    ("static: function", "static: functions", "an unknown static scope"),
    ("function\n      dynamic: span of calls", "''\n      dynamic: unsupported", "without a scope"),
    ("      dynamic: span of calls\n", "", "scopes of other"),
    ("    scopes:\n", "    scope: function\n    scopes:\n", "older engine"),
    ("      static: function\n      dynamic: span of calls", "      - function", "scopes"),
    ("0x4000", "many", "no number"),
    ("4D 5A", "4D 5", "hex"),
    ("4D 5A", "00 " * 300, "too many bytes"),
    ("operand[1]", "operand[5]", "an unknown statement"),
    ("(xor)): 2 or more", "(xor)): some", "no number"),
    ("(xor)): 2 or more", "(xor)): (3, 2)", "before it begins"),
    ("count(mnemonic(xor))", "count(mnemonic)", "a count"),
    ("- os: linux", "- os: linux\n        - os: macos", "one part"),
    ("        - description: any\n", "        - description: any\n" * 2, "two desc"),
    ("= GENERIC_WRITE", "= GENERIC_WRITE\n          description: x", "two desc"),
    ("- or:", "- or:\n        - not:\n          - api: x", "refuses"),
    ("- not:\n        - os: linux", "- and:\n        - not:\n          - os: linux", "refuses"),
    ("string: /evil[0-9]/i", "string: 5", "no text"),
    ("rule:\n", "rule: []\nother:\n", "no mapping"),
    ("    att&ck:\n      -", "    att&ck:", "no list"),
    ("# A rule.", "--- {}\n---", "one document"),
    ("# A rule.", "&a [*a]", "too deep"),
    ("# A rule.", "{", "YAML"),
    ("  meta:", "  meta: {}\n  meta:", "twice"),
]  # fmt: skip


def broken() -> list[tuple[str, str]]:
    return [(RULE.replace(old, new, 1), said) for old, new, said in FAULTS]


@pytest.mark.parametrize(("text", "said"), broken())
def test_a_rule_that_the_engine_refuses_is_a_fault(text: str, said: str) -> None:
    with pytest.raises(RuleSyntaxError, match=said):
        read(LANGUAGE, "a.yml", text)
    found = rule_set({"a.yml": text})
    assert (len(found.rules), len(found.faults)) == (0, 1)


def test_a_second_statement_that_the_engine_passes_over_is_a_fault() -> None:
    with pytest.raises(RuleSyntaxError, match="passes over"):
        rule(RULE.replace("- os: linux", "- os: linux\n          api: x"))


def test_bytes_that_are_no_text_are_a_fault() -> None:
    with pytest.raises(RuleSyntaxError, match="UTF-8"):
        read(LANGUAGE, "a.yml", RULE.encode().replace(b"lab@", b"\xff@"))


def test_one_feature_named_twice_counts_once() -> None:
    twice = RULE.replace("substring: C:\\evil", "bytes: 4D 5A = again")
    assert '[2,"bytes=4d5a","regex=/evil[0-9]/i"]' in rule(twice).condition


def test_other_files_are_passed_over() -> None:
    for text in ("rules:\n- meta\n- features\n", "a: rule\nmeta: features\n"):
        assert not LANGUAGE.is_rule_file("a.yml", text.encode())
    assert not LANGUAGE.is_rule_file("a.txt", RULE.encode())
    assert LANGUAGE.is_rule_file("a.yml", b'{"rule": {"meta": 1, "features": 2}}')
