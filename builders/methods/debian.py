"""Debian source packages, through dpkg-buildpackage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from builders.build import Build
from builders.methods.method import Command, Method, StagedInput, only_source

Profile = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]


class DebianBuild(Build):
    """A source package to all its binary packages."""

    method: Annotated[Literal["debian"], Field(description="dpkg-buildpackage.")]
    profiles: Annotated[
        tuple[Profile, ...], Field(max_length=32, description="DEB_BUILD_PROFILES.")
    ] = ()


def command(build: DebianBuild, staged: Sequence[StagedInput], cores: int) -> Command:
    """Give the script the .dsc and the number of cores."""
    source = only_source(staged, (".dsc",))
    return Command(
        arguments=(source.path, str(cores)),
        variables={"DEB_BUILD_PROFILES": " ".join(build.profiles)} if build.profiles else {},
    )


METHOD = Method(name="debian", script="debian.sh", command=command)
