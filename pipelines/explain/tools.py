"""The interface through which a tool is run on two files.

An implementation runs the tool without network, as an unprivileged user, within the limits given,
and takes nothing from it but regular files of bounded size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from builders.container.spec import EndReason


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """How a tool ended and what it left."""

    ended: EndReason
    exit_code: int | None
    """None when it did not exit by itself."""
    signal: int | None
    """The signal that ended it."""
    oom_killed: bool = False
    outputs: tuple[str, ...]
    """Names of the files that now are in the output folder."""
    log: bytes = field(repr=False)
    """The end of what it printed."""


class ToolRunner(Protocol):
    """Runs a tool in a container of its own."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        inputs: Mapping[str, Path],
        outputs: Path,
        seconds: int,
        memory: int,
    ) -> ToolResult:
        """Run `argv` with at most `seconds` and `memory` bytes, and return how it ended.

        `inputs` maps names, which may have folders in them, to files that the tool sees read-only
        at `/inputs/<name>`. What it leaves in `/out` is put in the folder `outputs`, also when it
        was stopped. Raises `InfrastructureError` when it cannot be run at all.
        """
