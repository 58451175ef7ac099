"""Fetch files that stand beside the recipe."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from builders.core.errors import InputUnavailableError
from builders.core.smallfile import path_error
from builders.locators.fetcher import FetchRequest
from builders.locators.locator import FileLocator


class FolderFetcher:
    """Fetches `file:` locators, which cannot leave the folder of the recipe."""

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Copy every file; see `Fetcher`."""
        return [_copy(request, into / f"{index:05d}") for index, request in enumerate(requests)]


def _copy(request: FetchRequest, target: Path) -> Path:
    if not isinstance(request.locator, FileLocator) or request.folder is None:
        raise TypeError(f"not a file beside a recipe: {request.locator}")
    try:
        folder = request.folder.resolve(strict=True)
        source = (folder / request.locator.path).resolve(strict=True)
        if not source.is_relative_to(folder):
            raise _unavailable(request, "a link that leads out of the recipe's folder")
        # Opened without following links or waiting for a pipe, and its type checked afterwards.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream, target.open("xb") as out:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise _unavailable(request, "something else than a regular file")
            shutil.copyfileobj(stream, out, 1 << 20)
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.filename == str(target):
            raise
        raise _unavailable(request, path_error(error)) from error
    return target


def _unavailable(request: FetchRequest, got: object) -> InputUnavailableError:
    return InputUnavailableError(
        f"{request.locator} cannot be read",
        got=got,
        expected="a regular file below the recipe's folder",
    )
