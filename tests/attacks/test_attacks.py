"""Every named attack ends in its own name, and none in a pass."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipelines.evidence.privatekey import PrivateKey
from tests.attacks.attack import Stage
from tests.attacks.table import ATTACKS, OWNS, PAGE, page
from tests.attacks.town import honest
from tests.bundle.bundles import Maker


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_in_its_own_name(
    name: str, tmp_path: Path, bundle: Maker, key: PrivateKey, other: PrivateKey
) -> None:
    stage = Stage(folder=tmp_path, bundle=bundle, key=key, other=other)
    assert ATTACKS[name].ends in ATTACKS[name].play(stage)


def test_no_two_attacks_end_in_one_name() -> None:
    ends = Counter((attack.reader, attack.ends) for attack in ATTACKS.values())
    assert [end for end, times in ends.items() if times > 1] == []
    assert len(ATTACKS) >= 40


def test_the_page_lists_them_all() -> None:
    assert PAGE.read_text() == page(), "`python -m tests.attacks.table` writes it"
    assert {attack.by for attack in ATTACKS.values()} == set(OWNS)


def test_without_an_attack_three_confirm_and_nothing_is_said(tmp_path: Path) -> None:
    town = honest(tmp_path)
    town.round()
    assert town.told() == {"CONFIRMED"}
    assert town.file().exit_code == 0
