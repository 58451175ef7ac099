from __future__ import annotations

import pytest

from pipelines.rules.languages.suricata import LANGUAGE
from pipelines.rules.rule import Bound, Pattern, Rule
from tests.rules.languages.reading import one, read
from tests.rules.languages.samples import SURICATA as RULE
from tests.rules.languages.samples import SURICATA_HEAD as HEAD


def rule(text: str) -> Rule:
    return one(LANGUAGE, "a.rules", text)


def with_options(options: str) -> Rule:
    return rule(f"{HEAD} ({options} sid:7; rev:3;)")


def test_every_part_of_a_rule_is_a_fact() -> None:
    found = rule(RULE)
    assert (found.identity, found.revision, found.name) == ("1:7", 3, "a login")
    assert found.enabled
    assert found.action == "alert"
    assert found.scope == (
        "proto:http", "src:$HOME_NET any", "dst:$EXTERNAL_NET any", "direction:->",
    )  # fmt: skip
    assert found.patterns == (
        Pattern(name="http.method", value='"POST"'),
        Pattern(name="http.uri", value='"/login"', modifiers=("depth=10", "nocase")),
        Pattern(name="http.uri", value="/user=\\w+/Ri"),
    )
    assert found.bounds == {
        "urilen": Bound(lowest=101),
        "http.uri|bsize": Bound(lowest=11, highest=19),
    }
    assert found.thresholds == {
        "threshold.type": "limit",
        "threshold.track": "by_src",
        "threshold.count": "1",
        "threshold.seconds": "60",
    }
    assert found.condition == "flow:established,to_server"
    assert (found.severity, found.tags) == ("2", ("web-application-attack",))
    assert found.references == ("url,example.org",)
    assert found.metadata == {"metadata": "created_at 2024_01_01, tag x"}


WRITTEN = [
    ('content:"a";  nocase ; depth:5;', 'content:"a"; depth:5; nocase;'),
    ('content:"a|3A 0d|b";', 'content:"a\\:|0D|b";'),
    ('content:"|47 45 54|";', 'content:"GET";'),
    ("flow:to_server, established;", "flow:established,to_server;"),
    ('content:"a"; flow:to_server; content:"b";', 'flow:to_server; content:"a"; content:"b";'),
    ('content:"a"; http_uri;', 'http.uri; content:"a";'),
    ('uricontent:"a";', 'http.uri; content:"a";'),
    ("dsize:<10;", "dsize: < 10;"),
    ('content:"b"; pcre:"/a/Ri";', 'content:"b"; pcre:/a/iR;'),
]
"""Options of which each pair means the same."""


@pytest.mark.parametrize(("first", "second"), WRITTEN)
def test_layout_and_ways_of_writing_change_no_logic(first: str, second: str) -> None:
    assert with_options(first).text != with_options(second).text
    assert with_options(first).normalized == with_options(second).normalized


ACTING = [
    ('content:"a"; content:"b"; distance:1;', 'content:"b"; content:"a"; distance:1;'),
    ('http.uri; content:"a";', 'http.uri.raw; content:"a";'),
    ('http.host; dotprefix; content:".a";', 'http.host; content:".a";'),
    ('dns.query; content:"a"; content:"b";', 'dns.query; content:"a"; dns.query; content:"b";'),
    ('content:!"a";', 'content:"a";'),
    ('content:"a"; nocase;', 'content:"a";'),
    ('content:"a"; byte_test:1,>,5,0;', 'content:"a"; byte_test:1,>,6,0;'),
    ("dsize:<10;", "dsize:<11;"),
    ("dsize:!10;", "dsize:10;"),
    ("noalert;", ""),
    ("flowbits:isset,a;", "flowbits:isnotset,a;"),
    ("priority:1;", "priority:3;"),
    ("some.new_buffer;", ""),
    ("some_new_option:1;", "some_new_option:2;"),
    ('content:"|FF|";', 'content:"|FE|";'),
]
"""Options of which each pair differs in what the engine does."""


@pytest.mark.parametrize(("first", "second"), ACTING)
def test_what_the_engine_acts_on_is_logic(first: str, second: str) -> None:
    assert with_options(first).logic != with_options(second).logic


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('msg:"a";', 'msg:"b";'),
        ("reference:url,a;", "reference:url,b;"),
        ("metadata:a 1;", "metadata:a 2;"),
        ('content:"a"; fast_pattern;', 'content:"a";'),
    ],
)
def test_what_is_only_told_is_no_logic(first: str, second: str) -> None:
    old, new = with_options(first), with_options(second)
    assert old.logic == new.logic
    assert old.normalized != new.normalized


@pytest.mark.parametrize(
    "line",
    [f"#{RULE}", f"# {RULE}", f"## {RULE}", f" {RULE}", f"\t{RULE}", f"\r{RULE}", f"#  {RULE}\r"],
)
def test_a_line_that_the_engine_skips_is_a_rule_that_is_off(line: str) -> None:
    found = rule(f"{line}\n")
    assert not found.enabled
    assert (found.identity, found.logic) == ("1:7", rule(RULE).logic)


def test_a_rule_goes_on_after_a_backslash() -> None:
    text = RULE.replace("; ", "; \\\n    ")
    assert rule(text).normalized == rule(RULE).normalized
    off = "\n".join(f"# {line}" for line in text.splitlines())
    assert not rule(off).enabled
    assert rule(off).logic == rule(RULE).logic


def test_a_rule_that_goes_on_beyond_the_end_of_the_file_is_off() -> None:
    assert not rule(f"{RULE}\\\n").enabled


def test_captures_of_an_expression_and_options_without_brackets() -> None:
    text = "alert tcp [1.1.1.1, 2.2.2.2] any -> any any ( noalert; sid:7; )"
    assert rule(text).scope[1] == "src:[1.1.1.1,2.2.2.2] any"
    text = 'alert tcp any any -> any any pcre:"/a(.)/i, flow:x , pkt:y"; sid:7;'
    assert rule(text).patterns == (Pattern(name="", value="/a(.)/i,flow:x,pkt:y"),)


def test_a_comment_is_no_rule() -> None:
    rules, faults = read(LANGUAGE, "a.rules", f"# alert (about sid: this)\n#\n\n# x (y)\n{RULE}\n")
    assert ([one.line for one in rules], faults) == ([5], [])


FAULTS = [
    (f'{HEAD} (msg:"a";)', "without `sid`"),
    (f'{HEAD} (content:"a"; sid:1; sid:2;)', "`sid` is not one number"),
    (f"{HEAD} (sid:1; rev:x;)", "`rev` is not one number"),
    (f'{HEAD} (content:"a"; sid:1)', "does not end"),
    ("alert tcp any any -> any any", "without options"),
    ("alert tcp [1.1.1.1, 2.2.2.2] any -> any (sid:1;)", "a header that cannot be read"),
    (f"allow{HEAD[5:]} (sid:1;)", "unknown action"),
    ("alert tcp any any (sid:1;)", "a header that cannot be read"),
    ("alert tcp [1.1.1.1 any -> any any (sid:1;)", "a header that cannot be read"),
    ("alert tcp any any to any any (sid:1;)", "unknown direction"),
    (f'{HEAD} (content:"|4|"; sid:1;)', "hexadecimal"),
    (f'{HEAD} (content:"|41"; sid:1;)', "no second one"),
    (f"{HEAD} (content:a; sid:1;)", "not in quotes"),
    (f'{HEAD} (content:""; sid:1;)', "without bytes"),
    (f"{HEAD} (nocase; sid:1;)", "without a content"),
    (f'{HEAD} (pcre:"a"; sid:1;)', "expression"),
    (f'{HEAD} (pcre:"/a; sid:1;)', "not in quotes"),
    (f"{HEAD} (:x; sid:1;)", "without a name"),
    (f"{HEAD} (threshold:count; sid:1;)", "a `threshold` that cannot be read"),
    (f'{HEAD} (msg:"a\0"; sid:1;)', "NUL"),
    (f'{HEAD} (msg:"{"a" * 9000}"; sid:1;)', "longer than engines read"),
]
"""Rules that are not read, and what is said of them."""


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_rule_that_cannot_be_read_is_a_fault_and_the_next_one_is_read(
    text: str, said: str
) -> None:
    rules, (fault,) = read(LANGUAGE, "a.rules", f"{RULE}\n{text}\n")
    assert len(rules) == 1
    assert (fault.file, fault.line) == ("a.rules", 2)
    assert said in fault.what


def test_bytes_that_are_no_text_stay_different() -> None:
    texts = [b"\xe9", b"\xc3\xa9", b"\xef\xbf\xbd", b"\xef\xbf\xbde9", b"\xef\xbf\xbdFFFDe9"]
    made = [RULE.encode().replace(b"a login", text) for text in texts]
    found = [one(LANGUAGE, "a.rules", data) for data in made]
    assert len({rule.normalized for rule in found}) == len(texts)
    assert found[1].name == "é"


def test_suppressed_rules_and_thresholds_of_other_files() -> None:
    text = (
        "# suppress gen_id 1, sig_id 3\n"
        "suppress gen_id 1, sig_id 7\n"
        "suppress gen_id 1, sig_id 8, track by_src, ip 10.0.0.0/8\n"
        "threshold gen_id 1, sig_id 9, type threshold, track by_src, count 10, seconds 60\n"
        "suppress gen_id 1\n"
    )
    (off, less, rare), (fault,) = read(LANGUAGE, "threshold.config", text)
    assert (off.identity, off.disables) == ("suppress 1:7", ("1:7",))
    assert (less.disables, less.exclusions) == ((), ("by_src 10.0.0.0/8",))
    assert rare.thresholds["count"] == "10"
    assert fault.line == 5


def test_the_priority_of_a_class_is_its_severity() -> None:
    text = "# classes\nconfig classification: trojan-activity,A Network Trojan, 1\nconfig x: 1\n"
    (found,), (fault,) = read(LANGUAGE, "classification.config", text)
    assert (found.identity, found.severity) == ("classification:trojan-activity", "1")
    assert fault.line == 3
