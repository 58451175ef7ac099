"""Fetching through what this machine is configured for: its apt, its pip, git, and files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from builders.locators.apt import AptFetcher
from builders.locators.aptstate import AptStates
from builders.locators.fetcher import CompanionLocator, Fetcher, FetchRequest, PoolLocator
from builders.locators.git import GitFetcher
from builders.locators.locator import FileLocator, GitLocator, PurlLocator, VaultLocator
from builders.locators.pypi import IndexFetcher
from builders.locators.recipefiles import FolderFetcher
from builders.locators.vaultonly import VaultOnlyFetcher


class MachineFetcher:
    """Hands every want to the fetcher of its kind, all of one kind in one call."""

    def __init__(
        self,
        states: AptStates,
        *,
        git: Fetcher | None = None,
        index: Fetcher | None = None,
    ) -> None:
        """Look Debian packages up in `states`; the others have sensible defaults."""
        self._fetchers: Mapping[str, Fetcher] = {
            "deb": AptFetcher(states),
            "pypi": index or IndexFetcher(),
            "git": git or GitFetcher(),
            "file": FolderFetcher(),
            "vault": VaultOnlyFetcher(),
        }

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`."""
        found: dict[int, Path] = {}
        for kind, fetcher in self._fetchers.items():
            members = [i for i, want in enumerate(wants) if _kind(want) == kind]
            if members:
                folder = Path(tempfile.mkdtemp(dir=into, prefix=f"{kind}-"))
                paths = fetcher.fetch([wants[i] for i in members], folder)
                found.update(zip(members, paths, strict=True))
        return [found[i] for i in range(len(wants))]


def _kind(want: FetchRequest) -> str:
    match want.locator:
        case PoolLocator() | CompanionLocator():
            return "deb"
        case PurlLocator():
            return want.locator.type
        case GitLocator():
            return "git"
        case FileLocator():
            return "file"
        case VaultLocator():
            return "vault"
