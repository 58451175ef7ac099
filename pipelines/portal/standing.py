"""Where a release stands, in one of four words."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pipelines.consensus.consensus_result import Consensus
from pipelines.consensus.joined_result import Result
from pipelines.portal.translation import translatable


class Standing(StrEnum):
    """Where a release stands, the worst first."""

    SUSPECT = translatable("suspect")
    DIFFERENT = translatable("different")
    UNCHECKED = translatable("unchecked")
    CONFIRMED = translatable("confirmed")


_DIFFERENT = {Result.SPLIT, Result.NONDETERMINISTIC}


def standing_of(artefacts: Iterable[Consensus]) -> Standing:
    """Return where a release stands: where its worst artefact does."""
    found = [_of(one) for one in artefacts] or [Standing.UNCHECKED]
    return min(found, key=list(Standing).index)


def _of(one: Consensus) -> Standing:
    if one.result is Result.SUSPECT or one.alarms:
        return Standing.SUSPECT
    if one.result in _DIFFERENT or one.dissenting:
        return Standing.DIFFERENT
    return Standing.CONFIRMED if one.result is Result.CONFIRMED else Standing.UNCHECKED
