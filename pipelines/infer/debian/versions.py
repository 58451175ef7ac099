"""The package versions of a recorded build, compared with those of an image.

A recorded version that is not served any more is never ignored: it is named, also in the draft.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.index import BinaryPackage
from pipelines.infer.draft import listed

# Packages or variables that a note names one by one.
NAMED = 200


@dataclass(frozen=True, kw_only=True)
class VersionMismatch:
    """A package that was recorded in one version; `here` is that of the image, if it is there.

    - `served`: whether the suite serves the recorded version.
    """

    name: str
    recorded: str
    here: str | None
    served: bool = False

    def __str__(self) -> str:
        """Return the package and both versions."""
        return f"{self.name} {self.recorded} ({self.here or 'none'} here)"


def version_mismatches(
    record: BuildRecord, have: Mapping[str, str], suite: Iterable[BinaryPackage] = ()
) -> tuple[VersionMismatch, ...]:
    """Return the recorded packages that an image has in another version, or not at all.

    `have` are the versions of the image, `suite` what is served under the recorded names.
    """
    served = {(binary.name, binary.version) for binary in suite}
    return tuple(
        VersionMismatch(
            name=name, recorded=version, here=have.get(name), served=(name, version) in served
        )
        for name, version in sorted(record.installed.items())
        if have.get(name) != version
    )


def show_mismatches(found: Sequence[VersionMismatch], *, named: int = NAMED) -> str:
    """Return the mismatches in words: those not served any more, and those only not in the image.

    Of each kind at most `named` are named, and the others counted. Empty without any.
    """
    kinds = (
        ("that the suite does not serve", [each for each in found if not each.served]),
        ("that are served, but not in the image", [each for each in found if each.served]),
    )
    return "; ".join(
        f"recorded versions {kind} ({len(rows)}): {listed(rows, named)}"
        for kind, rows in kinds
        if rows
    )
