"""What a method is: a fixed script that runs in the container, and the arguments it gets.

Scripts do not depend on the recipe. Values from a recipe reach them as arguments or variables, so
no value is interpreted by a shell.
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
    """Arguments of the method's script, and variables that the recipe's own can override."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method of building."""

    name: str
    script: str
    """File name of the script in this package; run by `/bin/sh` in the container."""
    command: Callable[[Any, Sequence[StagedInput], int], Command]
    """Takes the build section, the staged inputs and the number of cores; raises ValueError."""

    def script_bytes(self) -> bytes:
        """Return the script; its digest is part of the claim."""
        return _file(self.script)


def launcher_bytes() -> bytes:
    """Return the script that every container starts with; its digest is part of the claim."""
    return _file("launch.sh")


def zone_script() -> bytes:
    """Return the script that checks for the file of a time zone; its digest is in the claim."""
    return _file("zone.sh")


def _file(name: str) -> bytes:
    return (resources.files("builders.methods") / name).read_bytes()


def only_source(staged: Sequence[StagedInput], suffixes: tuple[str, ...]) -> StagedInput:
    """Return the source input; raises ValueError if there is none, or more than one."""
    found = [i for i in staged if i.role is Role.SOURCE and i.name.endswith(suffixes)]
    if len(found) != 1:
        expected = f"one source input ending in {' or '.join(suffixes)}"
        raise ValueError(f"expected {expected}, got {len(found)}")
    return found[0]
