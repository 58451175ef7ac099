from __future__ import annotations

import pytest

from pipelines.rules.languages.osquery import LANGUAGE, normalized_sql
from pipelines.rules.languages.rule_language import RuleSyntaxError
from pipelines.rules.rule import Pattern
from tests.rules.languages.reading import one, read
from tests.rules.languages.samples import OSQUERY as PACK


def test_every_part_of_a_query_is_a_fact() -> None:
    (cron, shell), faults = read(LANGUAGE, "packs/attacks.conf", PACK)
    assert faults == []
    assert (cron.identity, cron.line) == ("attacks.crontab", 7)
    assert cron.patterns == (
        Pattern(name="query", value="select * from crontab where path = '/a  b'"),
    )
    assert cron.thresholds == {"interval": "3600", "shard": "50"}
    assert cron.scope == (
        "version:1.4.5",
        "pack platform:linux",
        "pack discovery:select 1 from processes",
    )
    assert cron.condition == "snapshot:true"
    assert cron.metadata == {"description": "Reads crontab", "value": "persistence"}
    assert (shell.identity, shell.line) == ("attacks.shell", 16)
    assert shell.patterns[0].value == "select pid from processes"


def test_layout_and_order_change_no_logic() -> None:
    text = '{"queries": {"a": {"interval": %s, "query": "%s"}}}'
    old = one(LANGUAGE, "p.conf", text % ("60", "select 1"))
    new = one(LANGUAGE, "p.conf", (text % ('"60"', " select  1 ;")).replace("}}", "}\n}"))
    assert old.text != new.text
    assert old.normalized == new.normalized
    assert old.logic != one(LANGUAGE, "p.conf", text % ("61", "select 1")).logic
    other = text.replace('{"q', '{"new": 1, "q', 1) % ("60", "select 1")
    assert old.logic != one(LANGUAGE, "p.conf", other).logic


def test_schedules_and_packs_of_a_configuration() -> None:
    text = """{
  "options": {"disable_events": true},
  "schedule": {"a": {"query": "select 1", "interval": 1}},
  "packs": {"elsewhere": "/x.conf", "p": {"queries": {"a": {"query": "s", "interval": 1}}}}
}"""
    rules, faults = read(LANGUAGE, "osquery.conf", text)
    assert ([rule.identity for rule in rules], faults) == (
        ["setting.options", "schedule.a", "p.a"],
        [],
    )


def test_a_pack_that_cannot_be_read_leaves_the_others() -> None:
    good = '"q": {"queries": {"a": {"query": "s", "interval": 1}}}'
    bad = '"p": {"shard": 101, "queries": {}}'
    text = f'{{"options": {{"a": 1, "a": 2}}, "packs": {{\n{bad},\n\n{good}}}}}'
    rules, (options, pack) = read(LANGUAGE, "osquery.conf", text)
    assert [(rule.identity, rule.line) for rule in rules] == [("q.a", 4)]
    assert (options.line, pack.line) == (1, 2)
    assert "a name twice" in options.what
    assert "101" in pack.what


def test_other_json_is_no_pack() -> None:
    assert not LANGUAGE.is_rule_file("a.json", b'{"queries": [{"query": "a"}]}')
    assert not LANGUAGE.is_rule_file("a.json", b'{"queries": {"a": 1}}')


def test_a_name_that_is_used_twice_is_read_twice() -> None:
    query = '"a": {"query": "select 1", "interval": 1}'
    rules, faults = read(LANGUAGE, "p.conf", f'{{"queries": {{{query}, {query}}}}}')
    assert ([rule.identity for rule in rules], faults) == (["p.a", "p.a"], [])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('{"query": "a"}', "without an interval"),
        ('{"query": " ; ", "interval": 1}', "without SQL"),
        ('{"query": "a", "interval": 0}', "not a number that osquery takes"),
        ('{"query": "a", "interval": 604801}', "not a number that osquery takes"),
        ('{"query": "a", "interval": "1h"}', "not a number that osquery takes"),
        ('{"query": "a", "interval": 1, "shard": 101}', "not a number that osquery takes"),
        ('{"query": "a", "interval": 1, "interval": 9}', "a name twice"),
        ("[]", "without SQL"),
    ],
)
def test_a_query_that_cannot_be_read_is_a_fault(query: str, said: str) -> None:
    text = f'{{"queries": {{"a": {query}, "b": {{"query": "s", "interval": 1}}}}}}'
    rules, (fault,) = read(LANGUAGE, "p.conf", text)
    assert [rule.identity for rule in rules] == ["p.b"]
    assert said in fault.what


@pytest.mark.parametrize(
    "text",
    [
        '{"queries": {"a": {"query": "s", "interval": 1}}',
        '{"queries": {"a": {"query": "s", "interval": 1}}} x',
        '{"queries": {"a": {"query": "s", "interval": NaN}}}',
        '{"queries": {"a": {"query": "s", "interval": 1},}}',
        '{"queries": {"a": {"query": "s\x01", "interval": 1}}}',
        '{"queries": {"a": {"query": "s", "interval": 1}}, "x": ' + "[" * 100_000,
    ],
)
def test_a_file_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(RuleSyntaxError):
        read(LANGUAGE, "p.conf", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select  1\n;", "select 1"),
        ("select 'a  --b' -- c", "select 'a  --b'"),
        ("select /* 'x */ 1", "select 1"),
        ("select 'it''s  ' , \"a  b\"", "select 'it''s  ' , \"a  b\""),
        ("select 'open  ", "select 'open"),
    ],
)
def test_sql_is_written_in_one_way(text: str, expected: str) -> None:
    assert normalized_sql(text) == expected
