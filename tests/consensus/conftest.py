"""Centers whose findings are joined, as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consensus.two_centers import TwoCenters, set_up
from tests.consensus.world import World


@pytest.fixture
def centers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoCenters:
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    return set_up(tmp_path)


@pytest.fixture
def world() -> World:
    """Three centers that have built the same."""
    made = World()
    for site in made.sites.values():
        site.run()
    return made
