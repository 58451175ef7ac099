"""Fetch source trees from git: one commit, read from its blobs, written as a canonical tar.

Nothing is checked out, so attributes, filters, hooks and line-ending settings change no byte. The
tar has one top folder, `<repository>-<commit>`; its entries are sorted, times are the commit's, and
owners are zero. So the same commit always gives the same file, which a recipe pins.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from builders.core.errors import InputUnavailableError
from builders.locators.fetcher import FetchRequest
from builders.locators.git_repository import GitRepository
from builders.locators.git_tree import write_tree
from builders.locators.locator import GitLocator

_SAFE_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.askPass": "",
    "credential.helper": "",
    "credential.interactive": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "http.followRedirects": "initial",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "transfer.bundleURI": "false",
}


class GitFetcher:
    """Fetches `git+https://...@<commit>` locators."""

    def __init__(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        protocols: Sequence[str] = ("https",),
        timeout: float = 1800,
    ) -> None:
        """Allow `protocols` only; `settings` are further git settings, such as a center's mirror.

        `timeout` is in seconds, for each call of git.
        """
        allowed = {f"protocol.{name}.allow": "always" for name in protocols}
        self._settings = {**(settings or {}), **_SAFE_SETTINGS, **allowed}
        self._timeout = timeout

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every commit as a tar; see `Fetcher`."""
        return [self._fetch(r, into / f"{index:05d}") for index, r in enumerate(requests)]

    def _fetch(self, request: FetchRequest, target: Path) -> Path:
        locator = request.locator
        if not isinstance(locator, GitLocator):
            raise TypeError(f"not a git locator: {locator}")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="git-") as folder:
            git = GitRepository(Path(folder), self._settings, timeout=self._timeout)
            form = "sha256" if len(locator.commit) == 64 else "sha1"
            git.run("init", "--quiet", "--bare", f"--object-format={form}", "--template=")
            got = git.run(
                "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head",
                "--end-of-options", locator.url, locator.commit,
            )  # fmt: skip
            kind = git.run("cat-file", "-t", locator.commit)
            if got.exit_code or kind.text.strip() != "commit":
                raise InputUnavailableError(
                    f"{locator} cannot be fetched",
                    got=_last_line(got.error_text) or kind.text.strip() or "no such commit",
                    expected="a public repository that serves this commit",
                )
            name = PurePosixPath(locator.url).name.removesuffix(".git")
            top = f"{name}-{locator.commit}"
            write_tree(git, locator.commit, top, target, what=str(locator))
        return target


def _last_line(text: str) -> str:
    lines = text.splitlines()
    return lines[-1].removeprefix("fatal: ")[:200] if lines else ""
