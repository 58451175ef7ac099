"""Small secrets in files of mode 0600: the password of Prefect's API, the URL of its database."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from builders.core.errors import UsageError
from pipelines.center.center import Center

_MAX = 4096
_USER = "samebits"


def read_secret(path: Path, what: str) -> str:
    """Return the one line of a file that only its owner can read; raises `UsageError`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as stream:
            mode = os.fstat(fd).st_mode
            data = stream.read(_MAX + 1)
    except OSError as error:
        raise UsageError(
            f"the file with {what} cannot be read", got=f"{error.strerror}: {path}"
        ) from error
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise UsageError(
            f"the file with {what} is not kept from others",
            got=f"mode {stat.S_IMODE(mode):04o}: {path}",
            expected="a file of mode 0600",
            todo=f"chmod 600 {path}",
        )
    text = data.decode("ascii", "replace").strip()
    if not text or not text.isprintable() or len(data) > _MAX:
        raise UsageError(f"the file with {what} does not hold one line of text", got=path)
    return text


def make_auth(center: Center) -> Path | None:
    """Make the API password of the center's own server; returns its file.

    An existing file is kept. Returns None when the center has no server of its own.
    """
    prefect = center.prefect
    if prefect is None or prefect.port is None or prefect.auth is None:
        return None
    try:
        prefect.auth.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(prefect.auth, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return prefect.auth
    except OSError as error:
        raise UsageError(
            "Prefect's password cannot be kept", got=f"{error.strerror}: {error.filename}"
        ) from error
    with os.fdopen(fd, "w") as stream:
        stream.write(f"{_USER}:{secrets.token_urlsafe(32)}\n")
    return prefect.auth


def auth_is_made(center: Center) -> bool:
    """Say whether the password exists; that of a center's own server is made when it first starts.

    That of a server elsewhere has to be there.
    """
    prefect = center.prefect
    return prefect is not None and (
        prefect.port is None or prefect.auth is None or prefect.auth.exists()
    )


def read_auth(center: Center) -> str | None:
    """Return `user:password` of the center's Prefect API; None for an API that is open."""
    if center.prefect is None or center.prefect.auth is None:
        return None
    text = read_secret(center.prefect.auth, "the API password")
    if ":" not in text:
        raise UsageError(
            "the file with the API password is damaged",
            got=center.prefect.auth,
            expected="user:password",
        )
    return text
