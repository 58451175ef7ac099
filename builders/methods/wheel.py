"""Python wheels from source distributions, through the backend's PEP 517 hook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from builders.build import Build
from builders.methods.method import Command, Method, StagedInput, only_source
from builders.words import Role


class WheelBuild(Build):
    """A source distribution to its wheel, with the backend pinned as toolchain inputs."""

    method: Annotated[Literal["wheel"], Field(description="The PEP 517 hook of the backend.")]


def command(build: WheelBuild, staged: Sequence[StagedInput], cores: int) -> Command:
    """Give the script the source distribution and the wheels of the backend."""
    del build, cores
    source = only_source(staged, (".tar.gz", ".zip", ".tar.bz2", ".tar.xz"))
    tools = [i for i in staged if i.role in {Role.TOOLCHAIN, Role.DEPENDENCY}]
    if wrong := [i.name for i in tools if not i.name.endswith(".whl")]:
        message = f"expected wheels as toolchain and dependency inputs, got {wrong[0]!r}"
        raise ValueError(message)
    return Command(arguments=(source.path, *(i.path for i in tools)))


METHOD = Method(name="wheel", script="wheel.sh", command=command)
