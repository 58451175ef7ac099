"""Read small files that people write: whole, without waiting for a pipe, and up to a limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from builders.core.errors import RecipeError
from builders.core.similar import similar_path, with_suggestion


def read_small_file(path: Path, *, limit: int, file: str, field: str | None = None) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes; raises `RecipeError`.

    `file` and `field` are the location that the error reports.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
                kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
                raise RecipeError(
                    "cannot be read", file=file, field=field, got=kind, expected="a regular file"
                )
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                data = stream.read(limit + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RecipeError(
            "cannot be read",
            file=file,
            field=field,
            got=error.strerror or error,
            expected="a regular file",
            todo=with_suggestion("Check the path and its permissions", similar_path(path)),
        ) from error
    if len(data) > limit:
        raise RecipeError(
            "file too large", file=file, field=field, got="more", expected=f"at most {limit} bytes"
        )
    return data


def path_error(error: OSError | RuntimeError) -> str:
    """Return why a path cannot be resolved; up to Python 3.12, a RuntimeError means a loop."""
    if isinstance(error, OSError) and error.errno != errno.ELOOP:
        return error.strerror or str(error)
    return "a loop of links"
