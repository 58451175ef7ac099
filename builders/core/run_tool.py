"""Run programs of this machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builders.core.errors import InfrastructureError

# What a program needs to run and to reach the network of this machine, and nothing more: the
# environment of samebits may hold the credentials of its store.
_KEPT = frozenset({
    "ALL_PROXY", "CURL_CA_BUNDLE", "FTP_PROXY", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "NETRC",
    "NO_PROXY", "PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR",
    "XDG_CONFIG_DIRS", "XDG_CONFIG_HOME",
})  # fmt: skip


@dataclass(frozen=True)
class ToolRun:
    """A program that has ended."""

    exit_code: int
    output: bytes
    errors: bytes

    @property
    def text(self) -> str:
        """Return its standard output as text."""
        return self.output.decode(errors="replace")

    @property
    def error_text(self) -> str:
        """Return its standard error as text."""
        return self.errors.decode(errors="replace").strip()


def tool_environment(*prefixes: str, **variables: str) -> dict[str, str]:
    """Return the environment of a program that reads this machine's configuration.

    It has the paths, proxies and certificates of this process, the variables whose names start with
    one of `prefixes`, and `variables`.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _KEPT or (prefixes and name.startswith(prefixes))
    }
    return {**kept, "LC_ALL": "C.UTF-8", **variables}


def run_tool(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: float,
    error: type[InfrastructureError] = InfrastructureError,
    todo: str | None = None,
) -> ToolRun:
    """Run a program to its end, without input; its exit code is not checked.

    It runs in an empty folder of its own, because programs such as apt read files of the working
    folder: paths in `command` must be absolute. `timeout` is in seconds. Raises `error` if the
    program cannot be run or does not end in time; `todo` says where it comes from.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="samebits-") as folder:
            done = subprocess.run(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
    except subprocess.TimeoutExpired as caught:
        what = f"{command[0]} did not end"
        raise error(what, expected=f"at most {timeout:g} s", todo=todo) from caught
    except OSError as caught:
        what = f"the tool {command[0]} cannot be run"
        raise error(what, got=caught.strerror, todo=todo) from caught
    return ToolRun(done.returncode, done.stdout, done.stderr)
