"""YARA rules: what is read of them, what is only written otherwise, and what is refused."""

from __future__ import annotations

import pytest

from pipelines.rules.change import ChangeKind, Effect
from pipelines.rules.rule import Pattern
from tests.rules.rulesets import compared, kinds, only, rule_set, rules_of

RULE = r"""
import "pe"
include "other.yar"

/* rule not_one { condition: true } */
private global rule Evil_Loader : trojan win32
{
    meta:
        author = "a } \" b" // not the end
        version = 3
        offset = -1
        reference = "https://example.test/evil"
    strings:
        $a = "cmd.exe \"/c\"" nocase wide ascii
        $b = { 6a 40 [2-4] ( 68 | 6A ?? ) /* } */ ~4? }
        $c = /ht+ps?:\/\/[^\/{]{3,9}/is fullword
        $d = "key" xor(0x01-0xff) private
    condition:
        filesize < 2MB and uint16(0) == 0x5A4D and 2 of ($a, $b*) and #c > 3 and
        not Other_Rule and pe.number_of_sections == 5
}
"""


def test_a_rule_is_read_whole() -> None:
    found = {rule.identity: rule for rule in rule_set({"evil.yar": RULE}).rules}
    assert list(found) == ['include "other.yar"', "Evil_Loader"]
    rule = found["Evil_Loader"]
    assert (rule.line, rule.revision, rule.private, rule.scope) == (6, 3, True, ("global",))
    assert rule.tags == ("trojan", "win32")
    assert rule.metadata["offset"] == "-1"
    assert rule.references == ("https://example.test/evil",)
    assert rule.patterns == (
        Pattern(name="$a", value='"cmd.exe "/c""', modifiers=("ascii", "nocase", "wide")),
        Pattern(name="$b", value="{ 6A 40 [2-4] ( 68 | 6A ?? ) ~4? }"),
        Pattern(name="$c", value=r"/ht+ps?:\/\/[^\/{]{3,9}/is", modifiers=("fullword",)),
        Pattern(name="$d", value='"key"', modifiers=("private", "xor(1-255)")),
    )
    assert rule.condition == (
        "filesize < 2097152 and uint16 ( 0 ) == 23117 and 2 of ( $a , $b* ) and #c > 3 and "
        "not Other_Rule and pe . number_of_sections == 5"
    )
    assert rule.needs == ("Other_Rule", "pe", "number_of_sections")


SIMPLE = 'rule a { strings: $x = "AB" $y = { 41 42 } condition: filesize < 1KB and $x and $y }'


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (SIMPLE.replace(" ", "  \n\t"), ChangeKind.LAYOUT_ONLY),
        (SIMPLE.replace("condition", "/* } */ condition"), ChangeKind.LAYOUT_ONLY),
        (SIMPLE.replace("{ 41 42 }", "{4142 // }\n}"), ChangeKind.LAYOUT_ONLY),
        (SIMPLE.replace('"AB"', r'"\x41B" ascii'), ChangeKind.LAYOUT_ONLY),
        (SIMPLE.replace("1KB", "0x400"), ChangeKind.LAYOUT_ONLY),
        (SIMPLE.replace("rule a {", 'rule a : t { meta: v = "1"'), ChangeKind.METADATA_ONLY),
        (SIMPLE.replace("rule a", "rule b"), ChangeKind.RENAMED),
        (SIMPLE.replace('"AB"', '"AB" nocase'), ChangeKind.CHANGED),
        (SIMPLE.replace('"AB"', '"A B"'), ChangeKind.CHANGED),
        (SIMPLE.replace("41 42", "4142 ??"), ChangeKind.CHANGED),
        (SIMPLE.replace("1KB", "1MB"), ChangeKind.CHANGED),
        (SIMPLE.replace("$x and", "$x or"), ChangeKind.CHANGED),
        (SIMPLE.replace("rule a", "private rule a"), ChangeKind.CHANGED),
        (SIMPLE.replace("rule a", "global rule a"), ChangeKind.CHANGED),
        (f"/* {SIMPLE} */", ChangeKind.REMOVED),
        (f"// {SIMPLE}", ChangeKind.REMOVED),
    ],
)
def test_what_is_only_written_otherwise_is_told_apart(written: str, kind: ChangeKind) -> None:
    assert only(compared({"r.yar": SIMPLE}, {"r.yar": written})).kind is kind


@pytest.mark.parametrize(
    ("broken", "read"),
    [
        ("rule a { condition: true", []),
        ('rule a { strings: $x = "open\n condition: $x }\nrule b { condition: true }', ["b"]),
        ("rule a { condition: true\nrule b { condition: true }", ["b"]),
        ("nonsense here\nrule b { condition: true }", ["b"]),
        ("include\nrule b { condition: true }", ["b"]),
        ("private { condition: true }\nrule b { condition: true }", ["b"]),
        ("rule a { strings: $x = { 41 condition: $x }\nrule b { condition: true }", ["b"]),
        ("rule a { meta: x condition: true } rule b { condition: true }", ["b"]),
        ("rule { condition: true } rule b { condition: true }", ["b"]),
        ("rule a { } rule b { condition: true }", ["b"]),
        ("rule a { strings: $x = 5 condition: true } rule b { condition: true }", ["b"]),
        ("rule a", []),
    ],
)
def test_a_broken_rule_is_a_fault_and_the_next_one_is_read(broken: str, read: list[str]) -> None:
    found = rule_set({"r.yar": broken})
    assert [rule.identity for rule in found.rules] == read
    assert len(found.faults) == 1
    assert found.faults[0].line == 1


def test_a_rule_that_cannot_be_read_any_more_is_not_called_harmless_or_gone() -> None:
    changes = compared({"r.yar": SIMPLE}, {"r.yar": SIMPLE[:-1]})
    assert only(changes).judgement.effect == "effect-unknown"
    assert not changes.is_complete


def test_a_rule_that_refers_to_one_that_differs_is_listed() -> None:
    helper = "private rule helper { condition: filesize > 5 }"
    users = (
        "rule user { condition: helper } rule far { condition: user } rule own { condition: true }"
    )
    old = {"r.yar": f"{helper} {users}"}
    changes = compared(old, {"r.yar": old["r.yar"].replace("> 5", "> 50")})
    assert kinds(changes) == {
        "helper": ChangeKind.CHANGED,
        "user": ChangeKind.DEPENDS,
        "far": ChangeKind.DEPENDS,
    }
    assert {c.judgement.effect for c in changes.changes if c.kind is ChangeKind.DEPENDS} == {
        "effect-unknown"
    }


@pytest.mark.parametrize("head", [b"YARA\x15\x0c", b"YARA-X\0\0"])
def test_of_compiled_rules_only_the_bytes_are_compared(head: bytes) -> None:
    sides = [{"old.yarc": head + b"1"}, {"new.yarc": head + b"2"}]
    assert not compared(sides[0], {"new.yarc": head + b"1"}).differs
    change = only(compared(*sides))
    assert (change.kind, change.judgement.effect) == (ChangeKind.CHANGED, Effect.UNKNOWN)
    assert "compare their sources" in change.judgement.details[0]
    come = only(compared({"a.yar": SIMPLE}, {"a.yar": SIMPLE, **sides[1]}))
    assert (come.kind, come.judgement.effect) == (ChangeKind.ADDED, Effect.UNKNOWN)
    assert only(compared(sides[0], {})).judgement.effect is Effect.DISABLED


def test_files_of_other_names_are_known_by_their_rules() -> None:
    assert list(rules_of("ruleset", SIMPLE)) == ["a"]
    assert list(rules_of("hooks.meta", SIMPLE)) == ["a"]
    for path, text in (("notes.txt", "rule of thumb: {never} condition"), ("a.md", SIMPLE)):
        assert rule_set({path: text}).files == 0


def test_an_included_file_has_to_be_among_those_that_are_read() -> None:
    files = {"r.yar": f'include "./hooks.meta"\n{SIMPLE}'}
    (fault,) = rule_set(files).faults
    assert "includes ./hooks.meta" in fault.what
    assert not rule_set({**files, "hooks.meta": SIMPLE.replace("rule a", "rule b")}).faults


@pytest.mark.parametrize("number", ["09", "9" * 5000, "0x09"])
def test_numbers_of_any_length_are_read(number: str) -> None:
    (rule,) = rules_of("r.yar", f"rule a {{ condition: filesize > {number} }}").values()
    assert rule.condition == f"filesize > {number if len(number) > 40 else 9}"
