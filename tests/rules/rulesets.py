"""Rule sets made in a test, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.rules.change import ChangeKind, RuleChange, RuleChanges
from pipelines.rules.compare_rules import compare_rules
from pipelines.rules.rule import Rule
from pipelines.rules.rule_set import RuleSet, read_rule_set

Files = Mapping[str, str | bytes]
CVD_HEADER = b"ClamAV-VDB:01 Jan 2026 00-00 +0000:1:1:90:X:X:tester:1767225600"


def rule_set(files: Files) -> RuleSet:
    """Read files given by their paths."""
    given = ((path, _bytes(data)) for path, data in files.items())
    return read_rule_set(given, {})


def compared(old: Files, new: Files) -> RuleChanges:
    """Compare two sets of files."""
    return compare_rules(rule_set(old), rule_set(new))


def rules_of(path: str, data: str | bytes) -> dict[str, Rule]:
    """Read one file without faults; its rules by identity."""
    found = rule_set({path: data})
    assert not found.faults
    return {rule.identity: rule for rule in found.rules}


def kinds(changes: RuleChanges) -> dict[str, ChangeKind]:
    """Return what became of each rule that differs."""
    return {change.identity: change.kind for change in changes.changes}


def only(changes: RuleChanges) -> RuleChange:
    """Return the one change that there is."""
    (change,) = changes.changes
    return change


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
