"""Fetching: from a locator to bytes in a file. It moves bytes and runs nothing of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from builders.core.digest import Digest
from builders.locators.locator import Locator, PurlLocator


@dataclass(frozen=True, kw_only=True)
class PoolLocator:
    """A file of the Debian archive by its path below the archive's root, as a lock names it."""

    suite: str
    path: PurePosixPath

    def __str__(self) -> str:
        """Return the path, for messages."""
        return str(self.path)


@dataclass(frozen=True, kw_only=True)
class CompanionLocator:
    """A file that a .dsc names, found through the source package it belongs to."""

    source: PurlLocator
    """The purl of the .dsc (`arch=source`)."""
    name: str

    def __str__(self) -> str:
        """Return the purl and the file name, for messages."""
        return f"{self.name} of {self.source}"


@dataclass(frozen=True, kw_only=True)
class FetchRequest:
    """One file to fetch."""

    locator: Locator | PoolLocator | CompanionLocator
    name: str
    """File name, for registries that are asked by name, and for messages."""
    sha256: Digest
    """What is expected; a fetcher may use it to find the file, and checks nothing against it."""
    folder: Path | None = None
    """Where `file:` locators start."""


class Fetcher(Protocol):
    """Brings files to this machine."""

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file of `wants` to a path of its own below `into`, in the same order.

        The bytes are whatever was served: the caller compares digests. Raises
        `InputUnavailableError` for the first one that nobody serves; its message names the locator
        and never a host.
        """
