"""Edits of rules that an engine has labelled are named as what they are."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet

from pipelines.rules.change import Effect, RuleChange
from pipelines.rules.compare_rules import compare_rules
from pipelines.rules.rule_set import RuleSet, read_rule_set
from tests.rules.effect.cases import Case, Files
from tests.rules.effect.engine_labels import CASES

LOUD = {Effect.DISABLED, Effect.WEAKENED, Effect.UNKNOWN}


def cases(kind: str) -> list[ParameterSet]:
    return [
        pytest.param(case, id=f"{engine}: {case.name}")
        for engine, module in CASES.items()
        for case in getattr(module, kind)
    ]


def changes(case: Case) -> tuple[RuleChange, ...]:
    old, new = (_rules(files) for files in (case.old, case.new))
    assert not old.faults
    assert not new.faults
    return compare_rules(old, new).changes


def _rules(files: Files) -> RuleSet:
    return read_rule_set([(path, text.encode()) for path, text in files.items()], {})


@pytest.mark.parametrize("case", cases("WEAKENED"))
def test_a_weakening_is_named(case: Case) -> None:
    worse = [c.judgement for c in changes(case) if c.judgement.effect in LOUD - {Effect.UNKNOWN}]
    named = {str(weakness) for judgement in worse for weakness in judgement.weaknesses}
    named |= {str(judgement.effect) for judgement in worse}
    assert str(case.weakness) in named


@pytest.mark.parametrize("case", cases("HARMLESS"))
def test_a_harmless_edit_raises_no_alarm(case: Case) -> None:
    loud = [c for c in changes(case) if c.judgement.effect in LOUD]
    assert not loud
