"""Every check of reading and growing a log was broken once, and something noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.log.killers import ROOT
from tests.log.log_killers import FILE
from tests.log.log_mutants import MUTANTS
from tests.log.mutants import Mutant

TESTS = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))


def listed() -> dict[tuple[str, str], tuple[str, ...]]:
    rows = [line.strip("|").split("|") for line in FILE.read_text().splitlines()[6:]]
    return {(m.strip(), c.strip()): tuple(k.strip().split(", ")) for m, c, k in rows}


def test_every_check_has_killers() -> None:
    names = [(mutant.module, mutant.check) for mutant in MUTANTS]
    assert list(listed()) == names, "run python -m tests.log.log_killers"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.module}: {m.check}")
def test_the_check_and_its_killers_are_still_there(mutant: Mutant) -> None:
    text = (ROOT / "pipelines" / "log" / f"{mutant.module}.py").read_text()
    assert mutant.broken(text) != text
    for killer in listed()[mutant.module, mutant.check]:
        assert f"def {killer.partition(' ')[0]}(" in TESTS
