"""An alarm: something that was found wrong, and the leaves of logs that show it.

Its leaves are where it began: a run that finds the same again adds none. So it stays one alarm, and
what is found for the first time, or again after it was gone, is another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.alarms.cause import AlarmCause
from pipelines.audit.acknowledgements import VerifiedAcknowledgement
from pipelines.audit.center_finding import ExclusionReason
from pipelines.evidence.statements.acknowledgement import LeafRange

OF_EXCLUSIONS = {
    ExclusionReason.WITHHELD: (AlarmCause.WITHHELD, "withholds statements that its log has"),
    ExclusionReason.UNCOMMITTED: (
        AlarmCause.WITHHELD,
        "states a match that its run had not committed to",
    ),
    ExclusionReason.ABANDONED: (
        AlarmCause.ABANDONED,
        "committed to a run, and never said what it found",
    ),
}
"""What an audit excludes of a release, and no honest center leaves behind."""


@dataclass(frozen=True, kw_only=True, order=True)
class Leaf:
    """A leaf by the center whose log has it, and its index; of a fork or rollback a tree's size."""

    log: str
    index: int

    def in_range(self, leaves: LeafRange) -> bool:
        """Return whether it is one of `leaves`."""
        return self.log == leaves.log and leaves.first <= self.index <= leaves.last


def ranges_of(leaves: Iterable[Leaf]) -> tuple[LeafRange, ...]:
    """Return leaves, those that follow each other as one range; none between them is added."""
    found: list[LeafRange] = []
    for leaf in sorted(set(leaves)):
        last = found[-1] if found else None
        if last and (last.log, last.last + 1) == (leaf.log, leaf.index):
            found[-1] = LeafRange(log=leaf.log, first=last.first, last=leaf.index)
        else:
            found.append(LeafRange(log=leaf.log, first=leaf.index, last=leaf.index))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that was found wrong."""

    cause: AlarmCause
    release: str | None
    """None for an alarm about a log as a whole."""
    center: str
    """That it is about, or that found it first."""
    text: str
    leaves: tuple[Leaf, ...]
    """Where it began. None of a log that cannot be read: that is not acknowledged, but ended."""
    record: str = ""
    """The first record that shows it, in the store of `center` or of who saw it."""
    since: str = ""
    """The id of the first run that shows it, which begins with its time; else empty."""
    runs: frozenset[str] = frozenset()
    """The runs that show it."""

    @property
    def about(self) -> str:
        """The release, or the center."""
        return self.release or self.center


@dataclass(frozen=True, kw_only=True)
class ListedAlarm:
    """An alarm, and who acknowledges it."""

    alarm: Alarm
    by: tuple[VerifiedAcknowledgement, ...] = ()
    """The acknowledgements that count for leaves of it."""
    objections: tuple[str, ...] = ()
    """Why others of its leaves do not count."""
    is_open: bool = True
    """Whether a leaf of it is in no acknowledgement that counts."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        alarm = self.alarm
        return {
            "cause": str(alarm.cause),
            "release": alarm.release,
            "center": alarm.center,
            "state": "open" if self.is_open else "acknowledged",
            "text": alarm.text,
            "since": alarm.since,
            "leaves": [{"log": leaf.log, "index": leaf.index} for leaf in alarm.leaves],
            "record": alarm.record,
            "acknowledged": [
                {
                    "operator": one.content.operator,
                    "reason": one.content.reason,
                    "on": one.content.to_dict()["acknowledgedOn"],
                    "record": one.record,
                    "index": one.index,
                }
                for one in self.by
            ],
            "not_counted": list(self.objections),
        }
