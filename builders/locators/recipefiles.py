"""Files that stand beside the recipe."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from builders.core.errors import InputUnavailableError
from builders.core.smallfile import read_fault
from builders.locators.fetcher import FetchRequest
from builders.locators.locator import FileLocator


class FolderFetcher:
    """Fetches `file:` locators; nothing outside the recipe's folder is ever read."""

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Copy every file; see `Fetcher`."""
        return [_copy(want, into / f"{index:05d}") for index, want in enumerate(wants)]


def _copy(want: FetchRequest, target: Path) -> Path:
    if not isinstance(want.locator, FileLocator) or want.folder is None:
        message = f"not a file beside a recipe: {want.locator}"
        raise TypeError(message)
    try:
        folder = want.folder.resolve(strict=True)
        source = (folder / want.locator.path).resolve(strict=True)
        if not source.is_relative_to(folder):
            raise _unavailable(want, "a link that leads out of the recipe's folder")
        # Opened without following links or waiting for a pipe, then looked at: no gap between.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream, target.open("xb") as out:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise _unavailable(want, "something else than a regular file")
            shutil.copyfileobj(stream, out, 1 << 20)
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.filename == str(target):
            raise
        reason = read_fault(error)
        raise _unavailable(want, reason) from error
    return target


def _unavailable(want: FetchRequest, got: object) -> InputUnavailableError:
    return InputUnavailableError(
        f"{want.locator} cannot be read",
        got=got,
        expected="a regular file below the recipe's folder",
    )
