"""The centers of the tests of consensus, as fixtures, and two with the keys of their operators."""

from __future__ import annotations

import pytest

from tests.alarms.two_operators import Alarms
from tests.consensus.conftest import centers, world
from tests.consensus.two_centers import TwoCenters

__all__ = ["centers", "two", "world"]


@pytest.fixture
def two(centers: TwoCenters) -> Alarms:
    return Alarms(centers)
