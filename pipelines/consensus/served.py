"""Which file each center was served as the shipped one, and the alarms about it.

A targeted replacement of the shipped file shows here and nowhere else, whatever the claim and
whatever the centers could build.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from builders.core.digest import Digest
from pipelines.consensus.center_finding import CenterFinding, CenterInfo, newest_findings


class AlarmName(StrEnum):
    """What is wrong with the files that centers were served."""

    SHIPPED_MISMATCH = "SHIPPED_MISMATCH"
    """A center was served another file than the published one."""
    SERVED_DIFFERENTLY = "SERVED_DIFFERENTLY"
    """Centers were served different files under one name."""


@dataclass(frozen=True, kw_only=True)
class ServedFile:
    """The file that a center was served last."""

    center: CenterInfo
    digest: Digest

    def to_dict(self) -> dict[str, str]:
        """Return it for `--json`."""
        return {"center": self.center.id, "region": self.center.region, "sha256": str(self.digest)}


@dataclass(frozen=True, kw_only=True)
class ServedFileAlarm:
    """Served files that need attention, whatever the result of the consensus is."""

    name: AlarmName
    served: tuple[ServedFile, ...]

    def __str__(self) -> str:
        """Return it in one line."""
        files = (f"{s.center.region} ({s.center.id}) was served {s.digest}" for s in self.served)
        return f"{self.name}: {', '.join(files)}"

    def to_dict(self) -> dict[str, object]:
        """Return it for `--json`."""
        return {"alarm": str(self.name), "served": [s.to_dict() for s in self.served]}


def served_files(findings: Iterable[CenterFinding]) -> tuple[ServedFile, ...]:
    """Return the file that each center was served last, sorted by center."""
    newest = newest_findings(f for f in findings if f.served is not None)
    return tuple(ServedFile(center=f.center, digest=f.served) for f in newest if f.served)


def served_file_alarms(
    served: tuple[ServedFile, ...], published: Digest
) -> tuple[ServedFileAlarm, ...]:
    """Return the alarms about files that were served as the one with that published digest."""
    others = [s for s in served if s.digest != published]
    alarms = [ServedFileAlarm(name=AlarmName.SHIPPED_MISMATCH, served=(s,)) for s in others]
    if len({s.digest for s in served}) > 1:
        alarms.append(ServedFileAlarm(name=AlarmName.SERVED_DIFFERENTLY, served=served))
    return tuple(alarms)
