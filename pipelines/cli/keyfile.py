"""The private key of a person, as commands are given it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builders.core.errors import UsageError

if TYPE_CHECKING:
    from pipelines.evidence.privatekey import PrivateKey


def open_key(path: Path) -> PrivateKey:
    """Read a key; raises `UsageError` for another name, `KeyFileError` for what is no key."""
    from pipelines.evidence.errors import KeyFileError
    from pipelines.evidence.privatekey import load_key

    key_path(path)
    try:
        return load_key(path.parent, path.stem)
    except KeyFileError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise KeyFileError(
            error.what, got=error.got, todo="`samebits review key NAME` makes one"
        ) from error


def key_path(path: Path) -> Path:
    """Return a path that a private key can have; raises `UsageError`."""
    if path.suffix != ".key":
        raise UsageError(
            "a private key is a file that ends in .key", got=path, expected="such as alice.key"
        )
    return path
