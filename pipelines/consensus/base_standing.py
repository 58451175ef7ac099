"""What an update rests on: the result for its base, and for the updates before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipelines.audit.center_finding import CenterFinding, ExclusionReason
from pipelines.audit.delta_path import BaseFile, JudgedRun
from pipelines.consensus.joined_result import Result


class BaseFault(StrEnum):
    """Why nothing can be confirmed that rests on a base; gravest last."""

    PENDING = "base-pending"
    """The base, or an update before it, is neither confirmed nor found to be wrong."""
    UNKNOWN = "base-unknown"
    """No center has a finding on a file of that digest in that release."""
    TOO_LONG = "base-chain-too-long"
    """There are more updates between it and a full release than are followed."""
    CYCLE = "base-cycle"
    """It rests on itself, by way of other releases."""
    DELTA = "delta-of-delta"
    """The base is a delta itself."""
    FAILED = "base-failed"
    """It is found to be wrong, or the centers do not agree."""


@dataclass(frozen=True, kw_only=True)
class BaseStanding:
    """What the centers found of a base, and what that rests on in its turn."""

    base: BaseFile
    result: Result
    """Of the worst link: the base itself, or a delta before it that leads to it."""
    fault: BaseFault | None
    """None for a base on which an update can be confirmed."""
    worst: str
    """The release of the worst link, and its file."""
    links: int = 1
    """How many updates there are from the full release that the chain begins with: 1 on that."""
    anchor: BaseFile | None = None
    """The file of that full release; None where none was reached."""
    judged: Mapping[str, frozenset[JudgedRun]] = field(default_factory=dict, repr=False)
    """By center, the runs that found a match for the base."""
    other: Mapping[str, frozenset[JudgedRun]] = field(default_factory=dict, repr=False)
    """By center, the runs that have other findings on that release."""

    @property
    def failed(self) -> bool:
        """Whether a link is found to be wrong."""
        return self.fault is BaseFault.FAILED

    def refusal(self, finding: CenterFinding) -> ExclusionReason | None:
        """Return why a finding in favour of a delta on this base does not count, or None."""
        named = finding.base_run
        if named is None:
            return ExclusionReason.BASE_NOT_JUDGED
        if named in self.judged.get(finding.center.id, ()):
            return None
        if named in self.other.get(finding.center.id, ()):
            return ExclusionReason.OTHER_BASE_RUN
        return ExclusionReason.BASE_RUN_UNKNOWN

    def __str__(self) -> str:
        """Return it in one line."""
        base = self.base
        if self.fault is None:
            anchor = self.anchor.release if self.anchor else base.release
            through = "" if anchor == base.release else f", {self.links} updates from {anchor} on"
            return f"rests on {base.release}, which is {self.result}{through}"
        return f"{self.fault}: it rests on {base.release}, and {self.worst} is {self.result}"

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "release": self.base.release,
            "sha256": str(self.base.digest),
            "consensus": str(self.result),
            "fault": str(self.fault) if self.fault else None,
            "worst": self.worst,
            "links": self.links,
            "anchor": {"release": self.anchor.release, "sha256": str(self.anchor.digest)}
            if self.anchor
            else None,
        }
