"""Semgrep rules: their patterns, what excludes, and what the schema requires."""

from __future__ import annotations

import pytest

from pipelines.rules.change import ChangeKind
from pipelines.rules.rule import Pattern
from tests.rules.rulesets import compared, kinds, only, rule_set, rules_of

RULES = """\
# pack
rules:
  - id: exec-used
    languages: [python]
    severity: ERROR
    message: "do not"
    metadata: {category: security, references: ["https://example.test"]}
    paths: {exclude: ["tests/"]}
    patterns:
      - pattern: exec($X)
      - pattern-not: exec("...")
  - id: tainted
    languages: [python]
    severity: WARNING
    message: flows
    mode: taint
    pattern-sources: [{pattern: input()}]
    pattern-sinks: [{pattern: eval($X)}]
    pattern-sanitizers: [{pattern: clean($X)}]
"""


def test_a_rule_is_read_whole() -> None:
    rule = rules_of("p.yml", RULES)["exec-used"]
    assert (rule.line, rule.severity, rule.scope) == (3, "ERROR", ("python",))
    assert rule.patterns == (Pattern(name="patterns/pattern", value="exec($X)"),)
    assert rule.exclusions == ('patterns/pattern-not: exec("...")', "path: tests/")
    assert rule.metadata["message"] == "do not"
    taint = rules_of("p.yml", RULES)["tainted"]
    assert taint.exclusions == ("pattern-sanitizers/pattern: clean($X)",)
    assert "mode: taint" in taint.scope


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("# pack", "# another\n\n", None),
        ("[python]\n    severity: E", "\n    - python\n    severity: E", ChangeKind.LAYOUT_ONLY),
        ('"do not"', '"never"', ChangeKind.METADATA_ONLY),
        ("id: exec-used", "id: exec-is-used", ChangeKind.RENAMED),
        ("severity: ERROR", "severity: INFO", ChangeKind.CHANGED),
        ("exec($X)", "exec($X, 1)", ChangeKind.CHANGED),
        ('["tests/"]', '["tests/", "src/"]', ChangeKind.CHANGED),
    ],
)
def test_what_is_only_written_otherwise_is_told_apart(
    old: str, new: str, kind: ChangeKind | None
) -> None:
    changed = RULES.replace(old, new)
    assert changed != RULES
    found = kinds(compared({"p.yml": RULES}, {"p.yml": changed}))
    assert list(found.values()) == ([kind] if kind else [])


def test_the_order_of_patterns_changes_nothing() -> None:
    lines = RULES.splitlines(keepends=True)
    swapped = "".join([*lines[:9], lines[10], lines[9], *lines[11:]])
    change = only(compared({"p.yml": RULES}, {"p.yml": swapped}))
    assert change.kind is ChangeKind.METADATA_ONLY or change.kind is ChangeKind.LAYOUT_ONLY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    severity: ERROR\n", ""),
        ("severity: ERROR", "severity: TERRIBLE"),
        ("languages: [python]\n    severity: E", "languages: []\n    severity: E"),
        ("    patterns:\n", "    pattern: x\n    patterns:\n"),
        ("    pattern-sinks: [{pattern: eval($X)}]\n", ""),
        ('\n      - pattern: exec($X)\n      - pattern-not: exec("...")', ""),
        ("  - id: exec-used\n", "  - idd: exec-used\n"),
    ],
)
def test_a_rule_that_the_schema_refuses_is_a_fault(old: str, new: str) -> None:
    broken = RULES.replace(old, new)
    assert broken != RULES
    found = rule_set({"p.yml": broken})
    assert (len(found.rules), len(found.faults)) == (1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "rules:\n  - id: [unclosed\n",
        "rules:\n  - id: !!python/object/apply:os.system [echo]\n",
        "rules: &a\n  - id: x\n    y: *a\n",
        "rules:\n  - id: x\n"
        + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9 if n else 1}]\n" for n in range(9)),
        "rules:\n  - id: " + "[" * 500 + "\n",
    ],
    ids=["syntax", "tag", "cycle", "bomb", "depth"],
)
def test_hostile_yaml_is_a_fault(text: str) -> None:
    found = rule_set({"p.yaml": f"# languages\n{text}"})
    assert found.rules == []
    assert len(found.faults) == 1


@pytest.mark.parametrize(
    "text", ["rules: {id: a, languages: x}\n", "rules:\n# id: a, languages: x\n"]
)
def test_a_file_without_a_list_of_rules_is_a_fault(text: str) -> None:
    assert [fault.line for fault in rule_set({"p.yml": text}).faults] == [0]


def test_other_yaml_is_passed_over() -> None:
    assert (
        rule_set({"ci.yml": "jobs: {rules: [id]}\n", "k.yaml": "rules:\n- hosts: x\n"}).files == 0
    )
