"""What each center of the state model has truly said, whatever is done to its records later."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from infra.bench.madeup import MadeUpRun
from pipelines.audit.center_finding import ExclusionReason

ACCUSED = {
    *("withheld", "missing", "misplaced", "uncommitted", "bad-signature", "unreadable"),
    *("log-broken", "log-forked", "abandoned", "failed-after-commitment"),
}
ABSENT = {ExclusionReason.MISSING, ExclusionReason.WITHHELD}


class Saying(StrEnum):
    """What a run of a center comes down to, once it is in the log."""

    MATCH = "match"
    """To which its run had committed before."""
    MISMATCH = "mismatch"
    NOTHING = "nothing"
    """It could not build, or has stated nothing that may count."""
    EVASION = "evasion"
    """It committed, and did not state what it found while there was time for it."""


@dataclass
class Truth:
    """What a center has truly stated and logged."""

    said: list[tuple[Saying, int]] = field(default_factory=list)
    """In its order, each with how many leaves the log had then; what its key could say alone."""
    crashed: list[MadeUpRun] = field(default_factory=list)
    """Runs that have committed and are not completed yet."""
    seen: list[dict[str, str]] = field(default_factory=list)
    """The records of its runs by name, as they were stored."""

    def witnessed(self, size: int) -> set[Saying]:
        """Return what stands below that size."""
        return {saying for saying, leaves in self.said if leaves <= size}
