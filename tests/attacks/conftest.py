"""The bundles of the tests of bundles, as fixtures."""

from tests.bundle.conftest import bundle, key, other

__all__ = ["bundle", "key", "other"]
