"""The table that two centers sit at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.verify.session import workshop
from tests.consensus.table import Table, laid


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    yield laid(tmp_path)
    workshop.cache_clear()
