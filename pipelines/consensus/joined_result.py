"""The results of a consensus."""

from __future__ import annotations

from enum import StrEnum


class Result(StrEnum):
    """What the centers together found for one artefact; the first that holds."""

    NOT_CHECKED = "NOT_CHECKED"
    UNBUILDABLE = "UNBUILDABLE"
    SUSPECT = "SUSPECT"
    SPLIT = "SPLIT"
    CONFIRMED = "CONFIRMED"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    PENDING = "PENDING"
