"""Build Debian source packages of which a mirror serves the parts, and not the .dsc."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from builders.core.enums import Role
from builders.methods.base import Build
from builders.methods.debian import Profiles, jobs, profile_variables
from builders.methods.method import Command, Method, StagedInput, only_source

_PART = re.compile(r".*\.orig(-[A-Za-z0-9-]+)?\.tar\.(gz|bz2|xz)")


class DebianPartsBuild(Build):
    """Build all binary packages of a source package in format 3.0 (quilt)."""

    method: Annotated[
        Literal["debian-parts"], Field(description="dpkg-buildpackage, without a .dsc.")
    ]
    profiles: Profiles = ()


def _command(build: DebianPartsBuild, staged: Sequence[StagedInput], cores: int) -> Command:
    debian = only_source(staged, (".debian.tar.xz", ".debian.tar.gz", ".debian.tar.bz2"))
    parts = [i.path for i in staged if i.role is Role.SOURCE and _PART.fullmatch(i.name)]
    if not parts:
        raise ValueError("expected a source input ending in .orig.tar.gz, .bz2 or .xz, got none")
    return Command(
        arguments=(jobs(build, cores), debian.path, *sorted(parts)),
        variables=profile_variables(build.profiles),
    )


METHOD = Method(name="debian-parts", script="debianparts.sh", command=_command)
