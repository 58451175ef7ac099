"""No rule of the audit can be left out: each has steps after which a lie would count without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.log_attacks import fork_for_one_peer
from tests.audit.counterexamples import COUNTEREXAMPLES
from tests.audit.test_state_model import Centers


def play(rule: str) -> None:
    """Make the steps, and look for broken invariants after each."""
    centers = Centers()
    for step, values in COUNTEREXAMPLES[rule].steps:
        getattr(centers, step)(**values)
    centers.only_what_was_truly_stated_counts()


@pytest.mark.parametrize("rule", COUNTEREXAMPLES)
def test_without_the_rule_a_lie_counts_and_with_it_none(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in COUNTEREXAMPLES[rule].also_off:
        COUNTEREXAMPLES[other].off(monkeypatch)
    play(rule)
    COUNTEREXAMPLES[rule].off(monkeypatch)
    with pytest.raises(AssertionError, match=r"cyd (never matched|has logged|keeps from us)"):
        play(rule)


def test_without_a_look_at_what_witnesses_keep_a_fork_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The logs of the state model are lists; this one is a log."""
    assert "log-forked" in fork_for_one_peer(tmp_path / "with")
    monkeypatch.setattr("pipelines.audit.witnessed.conflicts", lambda *_: [])
    with pytest.raises(AssertionError, match="CONFIRMED"):
        fork_for_one_peer(tmp_path / "without")
