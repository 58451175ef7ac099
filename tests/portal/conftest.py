"""Two centers as they really are, and the portal of the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.consensus.conftest import centers, world
from tests.consensus.two_centers import TwoCenters
from tests.portal.built_portal import BuiltPortal

__all__ = ["centers", "world"]


@pytest.fixture
def portal(centers: TwoCenters, tmp_path: Path) -> BuiltPortal:
    return BuiltPortal(centers=centers, out=tmp_path / "portal")
