"""Keys for statements."""

from tests.bundle.conftest import key, other

__all__ = ["key", "other"]
