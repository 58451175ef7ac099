from __future__ import annotations

from pipelines.rules.languages import snort, suricata
from pipelines.rules.languages.snort import LANGUAGE
from pipelines.rules.rule import Pattern
from tests.rules.languages.reading import one, read
from tests.rules.languages.samples import SNORT as RULE
from tests.rules.languages.samples import SNORT_HEAD as HEAD


def test_a_rule_of_snort_3_is_read() -> None:
    found = one(LANGUAGE, "a.rules", RULE)
    assert (found.identity, found.revision) == ("1:5", 2)
    assert found.name == "semi;colon (in quotes)"
    assert found.patterns == (
        Pattern(name="http_uri", value='"/x|3B|y"', modifiers=("nocase",)),
        Pattern(name="http_header field user-agent", value='"b"', modifiers=("depth=3",)),
    )
    assert found.condition == "flow:established,to_server; service:http"


def test_a_policy_that_no_longer_has_a_rule_is_logic() -> None:
    other = RULE.replace("policy balanced-ips drop,", "")
    assert one(LANGUAGE, "a.rules", RULE).logic != one(LANGUAGE, "a.rules", other).logic


def test_a_rule_on_several_lines_is_one() -> None:
    text = RULE.replace("; ", ";\n  ")
    assert one(LANGUAGE, "a.rules", text).normalized == one(LANGUAGE, "a.rules", RULE).normalized


def test_a_rule_may_name_a_service_alone_and_be_commented_out() -> None:
    text = '# alert http (msg:"a"; content:"b",nocase; sid:6; gid:3;)\nalert file (sid:8;)\n'
    (on, off), faults = read(LANGUAGE, "a.rules", text)
    assert faults == []
    assert (on.identity, on.scope, on.enabled) == ("1:8", ("proto:file",), True)
    assert (off.identity, off.enabled) == ("3:6", False)


def test_rules_that_do_not_end_are_a_fault() -> None:
    rules, (fault,) = read(LANGUAGE, "snort.rules", f'{HEAD} (content:"a\n;sid:1;')
    assert (rules, fault.line) == ([], 1)


def test_what_both_engines_read_is_taken_for_suricata() -> None:
    both = HEAD.encode() + b' (content:"a"; sid:1;)'
    assert suricata.LANGUAGE.is_rule_file("a.rules", both)
    assert not snort.LANGUAGE.is_rule_file("a.rules", both)
    told = both.replace(b"content", b'msg:"a service: x"; content')
    assert not snort.LANGUAGE.is_rule_file("a.rules", told)
    assert snort.LANGUAGE.is_rule_file("snort3/a.rules", both)
    assert not suricata.LANGUAGE.is_rule_file("a.rules", RULE.encode())


def test_a_rule_of_snort_2_names_buffers_behind_contents() -> None:
    text = HEAD + ' (content:"a"; nocase; http_uri; content:"b"; http_header; sid:9;)'
    assert one(LANGUAGE, "snort2/a.rules", text).patterns == (
        Pattern(name="http_uri", value='"a"', modifiers=("nocase",)),
        Pattern(name="http_header", value='"b"'),
    )
