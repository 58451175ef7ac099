"""What the log of a center has about the runs of one release."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from builders.core.digest import Digest

TAG = 16
"""Bytes of a tag."""


def tag_of(text: str) -> bytes:
    """Return the tag of a release: the first bytes of its SHA-256."""
    return sha256(text.encode()).digest()[:TAG]


def run_tag(run: str) -> bytes:
    """Return the tag of a run."""
    return tag_of(f"run {run}")


@dataclass(frozen=True, slots=True)
class LoggedCommitment:
    """A commitment in a log."""

    index: int
    digest: Digest
    """Its `commitment_digest`."""


@dataclass(frozen=True, slots=True)
class LoggedRelease:
    """The leaves about the runs of one release, and their indexes."""

    results: dict[Digest, int] = field(default_factory=dict)
    """The comparisons and attempts by their PAE digest; of equal leaves the first."""
    commitments: dict[bytes, list[LoggedCommitment]] = field(default_factory=dict)
    """By the tag of their run."""
    repeated: list[int] = field(default_factory=list)
    """Leaves that are equal to an earlier one."""
    unknown: list[int] = field(default_factory=list)
    """Leaves of a kind that this version does not know."""
    unchained: list[int] = field(default_factory=list)
    """Leaves, of provenance and the like too, that do not follow the one before them."""

    def before(self, end: int) -> LoggedRelease:
        """Return what the first `end` leaves have."""
        commitments = {
            run: [one for one in found if one.index < end]
            for run, found in self.commitments.items()
        }
        return LoggedRelease(
            results={pae: index for pae, index in self.results.items() if index < end},
            commitments={run: found for run, found in commitments.items() if found},
            repeated=[index for index in self.repeated if index < end],
            unknown=[index for index in self.unknown if index < end],
            unchained=[index for index in self.unchained if index < end],
        )
