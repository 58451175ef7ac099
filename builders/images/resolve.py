"""Resolve a definition to its full set of packages, in the private apt state."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence

from builders.core.run_tool import run_tool
from builders.images.definition import ImageDefinition
from builders.images.lock import SCHEMA, LockedPackage, Resolution
from builders.locators.aptstate import AptFile, AptState, AptStates

_ESSENTIAL = "?essential"


def resolve(definition: ImageDefinition, states: AptStates) -> Resolution:
    """Return the packages and all that they depend on, for an empty system and fresh lists.

    Raises `InputUnavailableError` if the suite has no such packages, `InfrastructureError` if the
    lists cannot be fetched.
    """
    state = states.of(definition.suite)
    with state.locked():
        state.refresh(older_than=60)
        essential = _locked(state, state.closure([_ESSENTIAL]))
        every = _locked(state, state.closure([_ESSENTIAL, *sorted(set(definition.packages))]))
        epoch = state.epoch()
    names = {package.name for package in essential}
    return Resolution.model_validate(
        {
            "schema": SCHEMA,
            "definition": definition.digest(),
            "suite": definition.suite,
            "epoch": epoch,
            "tools": tool_versions(),
            "essential": [p for p in every if p.name in names],
            "packages": [p for p in every if p.name not in names],
        }
    )


def tool_versions() -> dict[str, str]:
    """Return the versions of this machine's tools that resolve and build images."""
    return {
        "apt": _version("apt-get", "--version"),
        "dpkg": _version("dpkg-deb", "--version"),
        "python": platform.python_version(),
        "util-linux": _version("unshare", "--version"),
    }


def _locked(state: AptState, files: Sequence[AptFile]) -> list[LockedPackage]:
    found = []
    for file in files:
        name, version, architecture = file.name.removesuffix(".deb").split("_")
        found.append(
            LockedPackage(
                name=name,
                version=version,
                architecture=architecture,
                size=file.size,
                sha256=file.sha256,
                path=state.pool_path(file),
            )
        )
    return sorted(found)


def _version(*command: str) -> str:
    shown = run_tool(
        command,
        environment={"LC_ALL": "C"},
        timeout=60,
        todo="Builder images are built on Debian, or on a system with apt, dpkg and util-linux",
    )
    match = re.search(r"\d+(\.\d+)+", shown.text)
    return match[0] if match else "unknown"
