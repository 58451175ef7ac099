"""Source trees from git: one commit, read from its blobs, written as a canonical tar.

There is no checkout, so no attribute, filter, hook or line-ending setting touches a byte. The tar
has one top folder, `<repository>-<commit>`; entries are sorted, times are the commit's, owners are
zero: the same commit gives the same file, and that file is what a recipe pins.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.locators.fetcher import FetchRequest
from builders.locators.gittree import write_tree
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
        """Use only `protocols`; `settings` are further git settings, such as a center's mirror.

        `timeout` is in seconds, for each call of git.
        """
        allowed = {f"protocol.{name}.allow": "always" for name in protocols}
        self._settings = {**(settings or {}), **_SAFE_SETTINGS, **allowed}
        self._timeout = timeout

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every commit as a tar; see `Fetcher`."""
        return [self._fetch(want, into / f"{index:05d}") for index, want in enumerate(wants)]

    def _fetch(self, want: FetchRequest, target: Path) -> Path:
        locator = want.locator
        if not isinstance(locator, GitLocator):
            message = f"not a git locator: {locator}"
            raise TypeError(message)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="git-") as folder:
            base = self._base(Path(folder))
            form = "sha256" if len(locator.commit) == 64 else "sha1"
            self._run(
                [*base, "init", "--quiet", "--bare", f"--object-format={form}", "--template="]
            )
            got = self._run(
                [*base, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head",
                 "--end-of-options", locator.url, locator.commit]
            )  # fmt: skip
            kind = self._run([*base, "cat-file", "-t", locator.commit])
            if got.returncode or kind.stdout.strip() != b"commit":
                raise InputUnavailableError(
                    f"{locator} cannot be fetched",
                    got=_last_line(got.stderr) or kind.stdout.decode().strip() or "no such commit",
                    expected="a public repository that serves this commit",
                )
            top = PurePosixPath(locator.url).name.removesuffix(".git")
            write_tree(
                [*base], _environment(), locator.commit, f"{top}-{locator.commit}", target,
                what=str(locator),
            )  # fmt: skip
        return target

    def _base(self, repository: Path) -> list[str]:
        words = ["git", f"--git-dir={repository}"]
        for name, value in self._settings.items():
            words += ["-c", f"{name}={value}"]
        return words

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                words,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise InfrastructureError(
                "the tool git is missing", todo="Install git to use git locators"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(
                "git did not end", expected=f"at most {self._timeout} s"
            ) from error


def _environment() -> dict[str, str]:
    """Keep the machine's way to the network, drop every GIT_ variable that could redirect git."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in {"GIT_SSL_CAINFO", "GIT_SSL_CAPATH"}
    }
    return {
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("fatal: ")[:200] if lines else ""
