"""The centers of the tests of consensus, as fixtures."""

from tests.consensus.conftest import centers, world

__all__ = ["centers", "world"]
