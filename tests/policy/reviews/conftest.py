"""The key that signs statements, as the signer's own tests have it."""

from tests.signer.conftest import key

__all__ = ["key"]
