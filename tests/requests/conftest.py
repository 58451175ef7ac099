"""A center that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.requests.office import Center


@pytest.fixture
def center(tmp_path: Path) -> Center:
    return Center(folder=tmp_path)
