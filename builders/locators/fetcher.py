"""The interface of fetchers: from a locator to bytes in a file. Nothing that is fetched is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from builders.core.digest import Digest
from builders.locators.locator import Locator, PurlLocator


@dataclass(frozen=True, kw_only=True)
class PoolLocator:
    """A file of the Debian archive by its path in the archive, as an image lock has it."""

    suite: str
    path: PurePosixPath

    def __str__(self) -> str:
        """Return the path, for messages."""
        return str(self.path)


@dataclass(frozen=True, kw_only=True)
class CompanionLocator:
    """A file that a .dsc names, found through its source package."""

    source: PurlLocator
    """The purl of the .dsc (`arch=source`)."""
    name: str

    def __str__(self) -> str:
        """Return the file name and the purl, for messages."""
        return f"{self.name} of {self.source}"


@dataclass(frozen=True, kw_only=True)
class FetchRequest:
    """One file to fetch."""

    locator: Locator | PoolLocator | CompanionLocator
    name: str
    """The file name, for registries that are searched by name, and for messages."""
    sha256: Digest
    """The expected digest. A fetcher may use it to find the file, but does not check it."""
    folder: Path | None = None
    """The folder that a `file:` locator starts from."""


class Fetcher(Protocol):
    """Fetches files to this machine."""

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file to a path of its own below `into`, and return the paths in order.

        The caller compares digests. Raises `InputUnavailableError` for the first file that cannot
        be fetched; its message names the locator and never a host.
        """
