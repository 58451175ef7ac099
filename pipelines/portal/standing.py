"""What the centers found of a release, in one of four words: for counts, badges and feeds.

`unchecked` is neither a pass nor a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from builders.core.enums import Verdict
from pipelines.audit.center_finding import MATCHES
from pipelines.consensus.consensus_result import Consensus
from pipelines.consensus.joined_result import Result


class Standing(StrEnum):
    """The four words, worst first."""

    SUSPECT = "suspect"
    """Enough operators built the same other bytes, or a center was served another file."""
    DIFFERENT = "different"
    """An operator built other bytes, or operators do not agree."""
    UNCHECKED = "unchecked"
    """Too few operators have a finding on it, or it cannot be built."""
    CONFIRMED = "confirmed"
    """As many operators as the policy asks for built the shipped bytes."""


_ORDER = tuple(Standing)
_FAILED = frozenset({Result.SPLIT, Result.NONDETERMINISTIC})


def worst_first(found: Iterable[Consensus]) -> list[Consensus]:
    """Return artefacts by their standing, the worst first; those of one standing stay as given."""
    return sorted(found, key=lambda one: _ORDER.index(standing_of(one)))


def standing_of(found: Consensus) -> Standing:
    """Return the standing of one artefact.

    A result that passes although some dissent, as a policy may allow, is confirmed.
    """
    if found.alarms or found.result is Result.SUSPECT:
        return Standing.SUSPECT
    if found.passed:
        return Standing.CONFIRMED
    if found.dissenting or found.result in _FAILED:
        return Standing.DIFFERENT
    return Standing.UNCHECKED


def in_words(standing: Standing) -> str:
    """Return what badges and feeds call a standing, as the pages do in English."""
    return "not checked" if standing is Standing.UNCHECKED else str(standing)


def standing_of_verdict(verdict: Verdict) -> Standing:
    """Return the standing that the verdict of one center would give by itself."""
    if verdict in MATCHES:
        return Standing.CONFIRMED
    if verdict is Verdict.NOT_CHECKED:
        return Standing.UNCHECKED
    return Standing.SUSPECT if verdict is Verdict.SHIPPED_MISMATCH else Standing.DIFFERENT


def worst_standing(found: Iterable[Standing]) -> Standing:
    """Return the worst of several; `unchecked` when there are none."""
    return min(found, key=_ORDER.index, default=Standing.UNCHECKED)
