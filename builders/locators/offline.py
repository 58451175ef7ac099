"""A fetcher for machines that fetch nothing: it reads the files beside a recipe, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builders.core.errors import InputUnavailableError
from builders.locators.fetcher import FetchRequest
from builders.locators.locator import FileLocator
from builders.locators.recipe_files import FolderFetcher


class OfflineFetcher:
    """Copies files of this machine, and refuses whatever would have to be fetched."""

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`. Raises at once for one that is not a `file:`."""
        for request in requests:
            if not isinstance(request.locator, FileLocator):
                raise InputUnavailableError(
                    f"{request.name} ({request.locator}) is not in the vault, and nothing is "
                    "fetched offline",
                    got="no such input",
                    expected=f"sha256 {request.sha256}",
                    todo="Bring it with `samebits vault export` and `samebits vault import`, or "
                    "run this once without --offline",
                )
        return FolderFetcher().fetch(requests, into)
