"""Build Debian source packages with dpkg-buildpackage."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from builders.methods.base import Build
from builders.methods.method import Command, Method, StagedInput, only_source

_PARALLEL = re.compile(r"parallel=([1-9]\d{0,2})")
Profile = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
Profiles = Annotated[tuple[Profile, ...], Field(max_length=32, description="DEB_BUILD_PROFILES.")]


class DebianBuild(Build):
    """Build all binary packages of a source package."""

    method: Annotated[Literal["debian"], Field(description="dpkg-buildpackage.")]
    profiles: Profiles = ()


def _command(build: DebianBuild, staged: Sequence[StagedInput], cores: int) -> Command:
    source = only_source(staged, (".dsc",))
    return Command(
        arguments=(source.path, jobs(build, cores)), variables=profile_variables(build.profiles)
    )


def jobs(build: Build, cores: int) -> str:
    """Return the number of parallel jobs: the declared one, or else the number of cores."""
    options = build.environment.get("DEB_BUILD_OPTIONS", "").split()
    declared = [match[1] for option in options if (match := _PARALLEL.fullmatch(option))]
    return (declared or [str(cores)])[-1]


def profile_variables(profiles: Sequence[str]) -> Mapping[str, str]:
    """Return the variable that sets build profiles; nothing if there are none."""
    return {"DEB_BUILD_PROFILES": " ".join(profiles)} if profiles else {}


METHOD = Method(name="debian", script="debian.sh", command=_command)
