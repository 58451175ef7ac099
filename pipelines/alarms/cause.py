"""The causes of alarms, and the exit code that says that one is open."""

from __future__ import annotations

from enum import StrEnum

ALARM_EXIT = 3


class AlarmCause(StrEnum):
    """What is wrong; gravest first."""

    SUSPECT = "suspect"
    SHIPPED_MISMATCH = "shipped-mismatch"
    SPLIT = "split"
    WITHHELD = "withheld"
    ABANDONED = "abandoned"
    FORK = "fork"
    PEER_ROLLED_BACK = "peer-rolled-back"


ABOUT_CENTERS = frozenset(
    {
        AlarmCause.WITHHELD,
        AlarmCause.ABANDONED,
        AlarmCause.FORK,
        AlarmCause.PEER_ROLLED_BACK,
    }
)
"""Causes that a center answers for; it does not acknowledge them itself."""
