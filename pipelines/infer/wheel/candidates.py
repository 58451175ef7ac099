"""Which setuptools of another time to try: of those that write METADATA in another way first."""

from __future__ import annotations

import re

from packaging.version import Version

from pipelines.infer.wheel.differences import Differences
from pipelines.infer.wheel.first import LICENSES_NAMED, PLAIN
from pipelines.infer.wheel.toolchain import KNOWN_SETUPTOOLS

_OLD_FIELD = re.compile(r"-(?:Platform|License): UNKNOWN")
_LICENSE_FILE = re.compile(r"([-+])License-File: ")
_MOST = 8
"""Versions that one try leads to."""


def likely(current: Version, d: Differences | None, *, failed: bool) -> list[Version]:
    """Return setuptools versions in the order in which to try them, from what `current` left.

    `failed` says that nothing was built: then `d` has nothing to say.
    """
    metadata = d.metadata if d else ()
    known = [v for v in KNOWN_SETUPTOOLS if v != current]
    low, high = Version("0"), Version("9999")
    if any(_OLD_FIELD.match(line) or line == "-" for line in metadata):
        high = PLAIN  # until then, empty fields were said to be UNKNOWN, and lines were added
    elif any(line == "+" for line in metadata):
        low = PLAIN
    signs = {match[1] for line in metadata if (match := _LICENSE_FILE.match(line))}
    if signs == {"+"}:
        high = LICENSES_NAMED
    elif signs == {"-"}:
        low = LICENSES_NAMED
    inside = [v for v in known if low <= v < high]
    if failed:  # the nearest that may run
        return sorted(inside, key=lambda v: (v < current, abs(v.major - current.major)))[:_MOST]
    near = sorted(inside, key=lambda v: abs(v.major - current.major))
    return (near + [v for v in known if v not in inside])[:_MOST]
