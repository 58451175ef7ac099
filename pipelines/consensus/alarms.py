"""What each region was served as the shipped file; one that was served another is an alarm.

A targeted replacement shows here and nowhere else: whatever the claim, whoever could build.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from builders.core.digest import Digest
from pipelines.consensus.position import Place, Position


class AlarmName(StrEnum):
    """What is wrong with what was served."""

    SHIPPED_MISMATCH = "SHIPPED_MISMATCH"
    """A center was served another file than the published one."""
    SERVED_DIFFERENTLY = "SERVED_DIFFERENTLY"
    """Centers were served different files under one name."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a center was newly served."""

    place: Place
    digest: Digest

    def to_dict(self) -> dict[str, str]:
        """Return it for `--json`."""
        return {
            "center": self.place.center,
            "region": self.place.region,
            "sha256": str(self.digest),
        }


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that somebody has to look at, whatever the result is."""

    name: AlarmName
    served: tuple[Served, ...]

    def __str__(self) -> str:
        """Return it in one line."""
        told = (f"{s.place.region} ({s.place.center}) was served {s.digest}" for s in self.served)
        return f"{self.name}: {', '.join(told)}"

    def to_dict(self) -> dict[str, object]:
        """Return it for `--json`."""
        return {"alarm": str(self.name), "served": [s.to_dict() for s in self.served]}


def newest_by_center(positions: Iterable[Position]) -> dict[str, Position]:
    """Return the newest position of each center, by its own log."""
    found: dict[str, Position] = {}
    for position in positions:
        there = found.get(position.place.center)
        if there is None or position.index > there.index:
            found[position.place.center] = position
    return found


def served(positions: Iterable[Position]) -> tuple[Served, ...]:
    """Return what each center was newly served, by the name of the center."""
    newest = newest_by_center(p for p in positions if p.served is not None)
    return tuple(
        Served(place=position.place, digest=position.served)
        for _, position in sorted(newest.items())
        if position.served is not None
    )


def alarms_of(seen: tuple[Served, ...], published: Digest) -> tuple[Alarm, ...]:
    """Return what is wrong with what was served as the file with that published digest."""
    others = tuple(s for s in seen if s.digest != published)
    found = [Alarm(name=AlarmName.SHIPPED_MISMATCH, served=(other,)) for other in others]
    if len({s.digest for s in seen}) > 1:
        found.append(Alarm(name=AlarmName.SERVED_DIFFERENTLY, served=seen))
    return tuple(found)
