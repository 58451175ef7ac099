"""The table that two centers sit at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consensus.table import Table, laid


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    return laid(tmp_path)
