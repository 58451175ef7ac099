"""The declared time zone: a build is refused if its image has no file for that zone.

Without the file, programs would silently use UTC. A script in the container checks for it before
the build begins.
"""

from __future__ import annotations

import re

from builders.methods.base import Build
from builders.methods.method import method_file

_SELF_CONTAINED = re.compile(r"UTC|[A-Za-z]{3,}[+-]?\d{1,2}([A-Za-z]{3,})?")
"""Zones that a C library reads without a file: UTC, and the POSIX form such as `CET-1CEST`."""


def needs_zone_file(build: Build) -> bool:
    """Say whether programs read a file for the declared time zone."""
    return not _SELF_CONTAINED.fullmatch(build.timezone)


def zone_script() -> bytes:
    """Return the script that checks for the file; its digest is part of the claim."""
    return method_file("zone.sh")
