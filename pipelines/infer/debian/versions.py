"""The versions of what a recorded build was made with, beside those that are here.

A recorded version that nobody serves any more is never passed over: it is named, and the draft says
so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.index import Binary

_NAMED = 200
"""Packages or variables that a note names one by one."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A package that was recorded in one version; `here` is ours, None where we have none."""

    name: str
    recorded: str
    here: str | None
    served: bool = False
    """Whether the suite serves the recorded version."""

    def __str__(self) -> str:
        """Return the package and both versions."""
        return f"{self.name} {self.recorded} ({self.here or 'none'} here)"


def strays(
    record: BuildRecord, have: Mapping[str, str], listed: Iterable[Binary] = ()
) -> tuple[Version, ...]:
    """Return the recorded packages that an image has in another version, or not at all.

    `listed` is what the suite serves under the recorded names.
    """
    served = {(binary.name, binary.version) for binary in listed}
    return tuple(
        Version(
            name=name,
            recorded=version,
            here=have.get(name),
            served=(name, version) in served,
        )
        for name, version in sorted(record.installed.items())
        if have.get(name) != version
    )


def shown_strays(found: Sequence[Version], *, named: int = _NAMED) -> str:
    """Tell apart recorded versions that are gone and those that are only not in the image.

    Of each kind as many as `named` are named, and the others counted. Empty without any.
    """
    kinds = (
        ("that the suite does not serve", [each for each in found if not each.served]),
        ("that are served, but not in the image", [each for each in found if each.served]),
    )
    return "; ".join(
        f"recorded versions {kind} ({len(rows)}): {listed_names(rows, named)}"
        for kind, rows in kinds
        if rows
    )


def listed_names(rows: Sequence[object], named: int = _NAMED) -> str:
    """Return the first `named` of rows, and how many more there are."""
    more = f" and {len(rows) - named} more" if len(rows) > named else ""
    return f"{', '.join(map(str, rows[:named]))}{more}"
