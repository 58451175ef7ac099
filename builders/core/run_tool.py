"""Run programs of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builders.core.errors import InfrastructureError


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


def run_tool(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: float,
    error: type[InfrastructureError] = InfrastructureError,
    todo: str | None = None,
) -> ToolRun:
    """Run a program to its end, without input; its exit code is not checked.

    `timeout` is in seconds. Raises `error` if the program cannot be run or does not end in time;
    `todo` says where it comes from.
    """
    try:
        done = subprocess.run(
            command,
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
