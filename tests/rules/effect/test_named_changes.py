"""Changes of rules that no engine has labelled: what weakens is named, the unknown is unknown."""

from __future__ import annotations

import pytest

from pipelines.rules.change import Judgement, Weakness
from pipelines.rules.compare_rules import compare_rules
from pipelines.rules.rule_set import read_rule_set
from tests.rules.effect.capa_cases import DROPPER, OPEN
from tests.rules.effect.cases import edited
from tests.rules.effect.modsecurity_cases import RULES as MODSECURITY
from tests.rules.effect.suricata_cases import RAW, WEB
from tests.rules.effect.yara_cases import LOADER

SIGMA = """\
title: loader
id: 00000000-0000-4000-8000-000000000001
status: test
logsource: {category: process_creation, product: windows}
detection:
    selection:
        Image|endswith: ['\\evil.exe', '\\dropper.exe']
        CommandLine|contains: 'invoke'
    selection_other:
        User: admin
    filter:
        ParentImage|endswith: '\\setup.exe'
    condition: (selection or selection_other) and not filter
level: high
"""
CORRELATION = """\
title: many loaders
id: 00000000-0000-4000-8000-000000000002
correlation:
    type: event_count
    rules: [loader]
    group-by: [User]
    timespan: 5m
    condition: {gte: 3}
level: high
"""
SEMGREP = """\
rules:
  - id: evil-eval
    languages: [python, javascript]
    severity: ERROR
    message: evil
    patterns:
      - pattern-either:
          - pattern: eval(...)
          - pattern: exec(...)
      - pattern-inside: "def $F(...): ..."
    paths: {exclude: [tests]}
"""
OSQUERY = """\
{"platform": "linux", "queries": {"evil": {"query": "select * from processes",
 "interval": 60, "version": "1.4.0"}}}
"""
SPAM = """\
body EVIL_WORDS /evil|wicked/i
describe EVIL_WORDS words
score EVIL_WORDS 2.5
"""
LIMIT = OPEN.replace("    lib: true", "    namespace: internal/limitation/static")
NDB = "Evil-1:0:*:6576696c\n"
W, U, S, D, N = "weakened", "effect-unknown", "strengthened", "disabled", "none"

CHANGES = [
    ("a.yml", SIGMA, ("'\\evil.exe', ", ""), W, "pattern-dropped"),
    ("a.yml", SIGMA, ("Image|endswith: ['\\evil", "Image|endswith: ['\\x\\evil"), W, None),
    ("a.yml", SIGMA, ("|contains: 'invoke'", "|startswith: 'invoke'"), W, "pattern-dropped"),
    ("a.yml", SIGMA, ("'invoke'", "'invoke-evil'"), W, "pattern-dropped"),
    ("a.yml", SIGMA, ("selection or sel", "selection and sel"), W, "condition-narrower"),
    ("a.yml", SIGMA, (" or selection_other", ""), W, None),
    ("a.yml", SIGMA, ("product: windows", "product: windows, service: x"), W, "scope-narrower"),
    ("a.yml", SIGMA, ("level: high", "level: low"), W, "severity-lowered"),
    ("a.yml", SIGMA, ("'\\setup.exe'", "['\\setup.exe', '\\a.exe']"), W, None),
    ("a.yml", SIGMA, ("\\evil.exe'", "evil.exe'"), S, None),
    ("a.yml", SIGMA, ("'invoke'", "'voke'"), S, None),
    ("a.yml", SIGMA, (" and not filter", ""), S, None),
    ("a.yml", SIGMA, ("selection or selection_other", "1 of selection*"), N, None),
    ("a.yml", SIGMA, ("|contains: 'invoke'", "|re: 'invoke'"), U, None),
    ("a.yml", CORRELATION, ("gte: 3", "gte: 30"), W, "threshold-raised"),
    ("a.yml", CORRELATION, ("5m", "1m"), U, None),
    ("a.yaml", SEMGREP, ("          - pattern: exec(...)\n", ""), W, "pattern-dropped"),
    ("a.yaml", SEMGREP, (", javascript", ""), W, "scope-narrower"),
    ("a.yaml", SEMGREP, ("[tests]", "[tests, lib]"), W, "exclusion-added"),
    ("a.yaml", SEMGREP, ("exclude: [tests]", "include: [src]"), W, "scope-narrower"),
    ("a.yaml", SEMGREP, ("ERROR", "INFO"), W, "severity-lowered"),
    ("a.yaml", SEMGREP, ("    paths", "      - pattern-not: eval(1)\n    paths"), W,
     "exclusion-added"),
    ("a.yaml", SEMGREP, ("eval(...)", "eval($X)"), U, None),
    ("a.yaml", SEMGREP, ("- pattern: exec", "- pattern: spawn(...)\n          - pattern: exec"), S,
     None),
    ("a.yml", DROPPER, ("/evil|wicked/", "/ev.l|wicked/"), U, None),
    ("a.yml", DROPPER, ("match: open file", "match: make file"), U, None),
    ("a.yml", DROPPER, ("- match: open file", "- os: any"), U, None),
    ("a.yml", DROPPER, ("static: function", "static: file"), U, None),
    ("a.yml", DROPPER, ("    scopes", "    maec/malware-family: x\n    scopes"), U, None),
    ("a.yml", DROPPER, ("host-interaction", "internal/limitation"), W, "disables-others"),
    ("a.yml", DROPPER, ("and:\n            - mnemonic", "or:\n            - mnemonic"), S, None),
    ("a.yml", DROPPER, ("mnemonic: xor", "mnemonic: xor\n            - count(mnemonic(xor)): 0"), W,
     None),
    ("a.yml", OPEN, ("static: basic block", "static: function"), S, None),
    ("a.yml", OPEN, ("basic block\n      dynamic: unsupported", "''\n      dynamic: call"), W,
     "scope-narrower"),
    ("a.conf", OSQUERY, (": 60", ": 6000"), W, "threshold-raised"),
    ("a.conf", OSQUERY, ('"interval"', '"shard": 5, "interval"'), W, "scope-narrower"),
    ("a.conf", OSQUERY, ("from processes", "from processes where 0"), U, None),
    ("a.conf", OSQUERY, (": 60", ": 6"), S, None),
    ("a.cf", SPAM, ("2.5", "0.1"), W, "severity-lowered"),
    ("a.cf", SPAM, ("2.5", "0"), D, None),
    ("a.cf", SPAM, ("|wicked", ""), U, None),
    ("a.cf", SPAM, ("2.5", "3.5"), S, None),
    ("a.yar", LOADER, ("c2=[a-z0-9]", "c3=[a-z0-9]"), U, None),
    ("a.yar", LOADER, ("filesize < 4KB", "pe.is_dll()"), W, "condition-narrower"),
    ("a.yar", LOADER, ("filesize < 4KB", "filesize < 4KB and pe.is_dll()"), W,
     "condition-narrower"),
    ("a.yar", LOADER, ("rule evil", "global rule evil"), W, "disables-others"),
    ("a.yar", LOADER, ("rule evil", "include \"x.yar\"\nrule evil"), U, None),
    ("a.rules", WEB, ("trojan-activity", "misc-activity"), W, "severity-lowered"),
    ("a.rules", WEB, ("trojan-activity", "made-up"), U, None),
    ("a.rules", WEB, ("any any ->", "!10.0.0.0/8 any ->"), W, "scope-narrower"),
    ("a.rules", WEB, ("sid:", "lua:a.lua; sid:"), U, None),
    ("a.rules", RAW, ("depth:20", "depth:size"), U, None),
    ("a.rules", RAW, ("priority:1", "priority:3"), W, "severity-lowered"),
    ("a.conf", MODSECURITY, ("benchmark\\(", "bench[a-z]+\\("), U, None),
    ("a.conf", MODSECURITY, ("t:urlDecodeUni,", "t:urlDecodeUni,t:base64Decode,"), U, None),
    ("a.conf", MODSECURITY, ("SecRequestBodyAccess On", "SecRequestBodyAccess Off"), U, None),
    ("a.conf", MODSECURITY, ("tag:'attack-sqli'", "tag:'other'"), U, None),
    ("a.ndb", NDB, (":0:*:", ":0:EOF-4:"), W, "bound-moved"),
    ("a.ndb", NDB, ("6576696c", "65(76|77)696c"), U, None),
    ("a.cbc", "ClamBC1", ("1", "2"), U, None),
]  # fmt: skip


def judgements(path: str, old: str, new: str) -> list[Judgement]:
    sides = [read_rule_set([(path, text.encode())], {}) for text in (old, new)]
    assert not [side.faults for side in sides if side.faults and "include" not in new]
    return [change.judgement for change in compare_rules(*sides).changes]


@pytest.mark.parametrize(("path", "text", "edit", "effect", "weakness"), CHANGES)
def test_a_change_has_its_effect(
    path: str, text: str, edit: tuple[str, str], effect: str, weakness: str | None
) -> None:
    found = judgements(path, text, edited(text, edit))
    assert found
    assert str(found[0].effect) == effect, found
    assert weakness is None or weakness in {str(name) for name in found[0].weaknesses}, found


def test_a_text_that_ends_like_a_place_is_no_other_text_there() -> None:
    """YARA writes `$a at 5`; a text that looks so says nothing of another."""
    rules = [OPEN.replace("api: fopen", f"string: {text}") for text in ("evil at 5", "evil")]
    assert [str(one.effect) for one in judgements("a.yml", *rules)] == [W]
    assert judgements("a.yml", *rules)[0].weaknesses == (Weakness.PATTERN_DROPPED,)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("z.rules", "pass ip any any -> any any (sid:9; rev:1;)\n"),
        ("threshold.config", "suppress gen_id 1, sig_id 1000001\n"),
        ("z.ign2", "Evil-1\n"),
        ("z.sfp", f"{'0' * 64}:5:Good\n"),
        ("z.yar", "global rule gate { condition: filesize > 1 }\n"),
        ("z.conf", "SecRuleRemoveById 1001\n"),
        ("z.yml", LIMIT),
    ],
)
def test_what_takes_from_others_weakens_when_it_comes_and_not_when_it_goes(
    path: str, line: str
) -> None:
    [come] = compare_rules(
        read_rule_set([], {}), read_rule_set([(path, line.encode())], {})
    ).changes
    assert str(come.judgement.effect) == W
    assert come.judgement.weaknesses
    [gone] = compare_rules(
        read_rule_set([(path, line.encode())], {}), read_rule_set([], {})
    ).changes
    assert str(gone.judgement.effect) in {S, D}
