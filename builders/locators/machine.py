"""Fetch through what this machine is configured for: its apt, its pip, git, and files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from builders.core.errors import InputUnavailableError
from builders.locators.apt import AptFetcher
from builders.locators.aptstate import AptStates
from builders.locators.fetcher import CompanionLocator, Fetcher, FetchRequest, PoolLocator
from builders.locators.git import GitFetcher
from builders.locators.locator import FileLocator, GitLocator, PurlLocator, VaultLocator
from builders.locators.recipe_files import FolderFetcher


class MachineFetcher:
    """Passes each request to the fetcher for its kind of locator, all of one kind in one call."""

    def __init__(
        self,
        states: AptStates,
        *,
        git: Fetcher | None = None,
        index: Fetcher | None = None,
    ) -> None:
        """Look Debian packages up in `states`; `git` and `index` replace the default fetchers."""
        self._fetchers: Mapping[str, Fetcher] = {
            "deb": AptFetcher(states),
            "pypi": index or _IndexOnUse(),
            "git": git or GitFetcher(),
            "file": FolderFetcher(),
            "vault": _VaultOnlyFetcher(),
        }

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`."""
        found: dict[int, Path] = {}
        for kind, fetcher in self._fetchers.items():
            members = [i for i, request in enumerate(requests) if _kind(request) == kind]
            if members:
                folder = Path(tempfile.mkdtemp(dir=into, prefix=f"{kind}-"))
                paths = fetcher.fetch([requests[i] for i in members], folder)
                found.update(zip(members, paths, strict=True))
        return [found[i] for i in range(len(requests))]


class _IndexOnUse:
    """An `IndexFetcher`, imported when it is first used: that takes an eighth of a second."""

    @cached_property
    def _fetcher(self) -> Fetcher:
        from builders.locators.pypi import IndexFetcher  # noqa: PLC0415

        return IndexFetcher()

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `IndexFetcher`."""
        return self._fetcher.fetch(requests, into)


class _VaultOnlyFetcher:
    """Refuses `vault:` locators: what they name is in the vault, or cannot be fetched."""

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Raise `InputUnavailableError` for the first request."""
        del into
        for request in requests:
            raise InputUnavailableError(
                f"{request.locator} is not in the vault, and cannot be fetched",
                got="no such input",
                expected=f"sha256 {request.sha256}",
                todo="Add it with `samebits vault add` or `samebits vault import`",
            )
        return []


def _kind(request: FetchRequest) -> str:
    match request.locator:
        case PoolLocator() | CompanionLocator():
            return "deb"
        case PurlLocator():
            return request.locator.type
        case GitLocator():
            return "git"
        case FileLocator():
            return "file"
        case VaultLocator():
            return "vault"
