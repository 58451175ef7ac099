"""Run git in a bare repository of ours, with our own settings only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from builders.core.errors import InfrastructureError
from builders.core.run_tool import ToolRun, run_tool, tool_environment


class GitRepository:
    """A repository, and the way in which git is called for it."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *, timeout: float) -> None:
        """Use the repository in `folder`; `timeout` is in seconds, for each call of git."""
        options = [word for item in settings.items() for word in ("-c", "=".join(item))]
        self._folder = folder.absolute()
        self._command = ["git", f"--git-dir={self._folder}", *options]
        # No other variable of git is kept: it could redirect git.
        self._environment = tool_environment(
            "GIT_SSL_CAINFO",
            "GIT_SSL_CAPATH",
            GIT_TERMINAL_PROMPT="0",
            GIT_ASKPASS="",
            SSH_ASKPASS="",
            GIT_NO_REPLACE_OBJECTS="1",
            GIT_ATTR_NOSYSTEM="1",
        )
        self._timeout = timeout

    def run(self, *words: str) -> ToolRun:
        """Run git to its end; raises `InfrastructureError` if it is missing or does not end."""
        return run_tool(
            [*self._command, *words],
            environment=self._environment,
            timeout=self._timeout,
            todo="Install git to use git locators",
        )

    def output(self, *words: str) -> bytes:
        """Return what git prints; raises `InfrastructureError` if it fails."""
        done = self.run(*words)
        if done.exit_code:
            got = done.error_text[-200:] or done.exit_code
            raise InfrastructureError(f"git {words[0]} failed", got=got)
        return done.output

    @contextmanager
    def blobs(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Run `git cat-file --batch`; yields its standard input and output."""
        with subprocess.Popen(
            [*self._command, "cat-file", "--batch"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdin is not None  # noqa: S101  # both are pipes
            assert process.stdout is not None  # noqa: S101
            try:
                yield process.stdin, process.stdout  # type: ignore[misc]  # IO[bytes] is a BinaryIO
            finally:
                process.kill()
