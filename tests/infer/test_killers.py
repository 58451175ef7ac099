"""Every rule of inference was broken once, and something noticed."""

from __future__ import annotations

import pytest

from tests.infer.killers import CAMPAIGN
from tests.mutation import Mutant


def test_every_rule_has_killers() -> None:
    CAMPAIGN.check_list()


@pytest.mark.parametrize("mutant", CAMPAIGN.mutants, ids=lambda m: f"{m.module}: {m.rule}")
def test_the_rule_and_its_killers_are_still_there(mutant: Mutant) -> None:
    CAMPAIGN.check(mutant)
