"""Which of two versions is the higher one, in the order that a recipe declares."""

from __future__ import annotations

import re
from enum import StrEnum

_SEMVER = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_Identifier = tuple[int, int, str]


class VersionOrder(StrEnum):
    """Orders of versions."""

    DEBIAN = "debian"
    """Debian Policy, 5.6.12; numbers and dotted numbers are in their usual order by it."""
    SEMVER = "semver"
    """Semantic Versioning 2.0.0: 1.0.0-rc.1 is lower than 1.0.0."""


def is_higher(order: VersionOrder, version: str, base: str) -> bool:
    """Return whether `version` is higher than `base`; raises ValueError for one of another form."""
    if order is VersionOrder.SEMVER:
        return _semver(version) > _semver(base)
    from debian.debian_support import Version  # noqa: PLC0415  # few recipes need it

    try:
        return bool(Version(version) > Version(base))
    except ValueError as error:
        expected = "expected the versions of Debian Policy, or `version_order: semver`"
        raise ValueError(f"{error}; {expected}") from error


def _semver(text: str) -> tuple[int, int, int, bool, tuple[_Identifier, ...]]:
    found = _SEMVER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no semantic version; expected one such as 1.4.0-rc.1")
    major, minor, patch, before = found.groups()
    identifiers = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in (before.split(".") if before else ())
    )
    return int(major), int(minor), int(patch), before is None, identifiers
