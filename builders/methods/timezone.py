"""The declared time zone: never taken for UTC because an image lacks its file.

A script in the container looks for that file before the build begins.
"""

from __future__ import annotations

import re
from importlib import resources

from builders.methods.base import Build

_SELF_CONTAINED = re.compile(r"UTC|[A-Za-z]{3,}[+-]?\d{1,2}([A-Za-z]{3,})?")
"""Zones that a C library reads without a file: UTC, and the POSIX form such as `CET-1CEST`."""


def needs_zone_file(build: Build) -> bool:
    """Say whether programs look for a file of the declared time zone."""
    return not _SELF_CONTAINED.fullmatch(build.timezone)


def zone_script() -> bytes:
    """Return the script that looks for that file; its digest is part of the claim."""
    return (resources.files("builders.methods") / "zone.sh").read_bytes()
