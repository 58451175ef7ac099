"""What a way of building is: a fixed script in the container, and the arguments it gets.

Scripts never change with the recipe; whatever comes from a recipe reaches them as an argument or a
variable, so that no value is ever read as shell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from builders.core.enums import Role

INPUTS = "/inputs"
OUTPUTS = "/out"
CONTROL = "/samebits"


@dataclass(frozen=True, kw_only=True)
class StagedInput:
    """An input as the container sees it."""

    role: Role
    name: str

    @property
    def path(self) -> str:
        """Return the path inside the container."""
        return f"{INPUTS}/{self.role}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Command:
    """What the method's script gets: its arguments, and variables below the recipe's own."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way of building."""

    name: str
    script: str
    """File name of the script in this package; run by `/bin/sh` in the container."""
    command: Callable[[Any, Sequence[StagedInput], int], Command]
    """From the build section, the staged inputs and the number of cores; raises ValueError."""

    def script_bytes(self) -> bytes:
        """Return the script; its digest is part of the claim."""
        return (resources.files("builders.methods") / self.script).read_bytes()


def launcher_bytes() -> bytes:
    """Return the script that every container starts with; its digest is part of the claim."""
    return (resources.files("builders.methods") / "launch.sh").read_bytes()


def only_source(staged: Sequence[StagedInput], suffixes: tuple[str, ...]) -> StagedInput:
    """Return the one source input; raises ValueError when there is another number of them."""
    found = [i for i in staged if i.role is Role.SOURCE and i.name.endswith(suffixes)]
    if len(found) != 1:
        message = f"expected one source input ending in {' or '.join(suffixes)}, got {len(found)}"
        raise ValueError(message)
    return found[0]
