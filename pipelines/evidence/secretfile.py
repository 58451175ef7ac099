"""Files that only their owner may read: private keys, and the PIN of a token."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.publickey import MAX_KEY_FILE


def read_secret_file(path: Path, what: str) -> bytes:
    """Return the bytes of the small file `path`; `what` names its content in messages.

    Raises `KeyFileError` for one that is open to others, and `OSError`.
    """
    with path.open("rb") as stream:
        mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
        data = stream.read(MAX_KEY_FILE + 1)
    if mode & 0o077:
        raise KeyFileError(
            f"the {what} {path} is open to others",
            got=f"mode {mode:04o}",
            expected="mode 0600",
            todo="Find out who could read it, and make a new one",
        )
    if len(data) > MAX_KEY_FILE:
        raise KeyFileError(
            f"the {what} {path} cannot be used", got="more", expected=f"{MAX_KEY_FILE} bytes"
        )
    return data
