"""Every rule of the consensus was broken once, and something noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consensus.killers import ROOT, listed
from tests.consensus.mutants import MUTANTS, Mutant

TESTS = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))


def test_every_rule_has_killers() -> None:
    names = [(mutant.module, mutant.rule) for mutant in MUTANTS]
    assert list(listed()) == names, "run python -m tests.consensus.killers"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.module}: {m.rule}")
def test_the_rule_and_its_killers_are_still_there(mutant: Mutant) -> None:
    text = (ROOT / "pipelines" / f"{mutant.module}.py").read_text()
    assert mutant.broken(text) != text
    for killer in listed()[mutant.module, mutant.rule]:
        assert f"def {killer.partition(' ')[0]}(" in TESTS
