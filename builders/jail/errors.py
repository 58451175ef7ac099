"""How reading a file in the jail can end without a value."""

from __future__ import annotations

from enum import StrEnum

from builders.core.errors import InfrastructureError, SamebitsError


class JailEnd(StrEnum):
    """Why a reader that was started gave no value."""

    TIMED_OUT = "timed-out"
    OUT_OF_MEMORY = "out-of-memory"
    FLOODED = "flooded"
    """Its answer was larger than allowed."""
    CRASHED = "crashed"
    UNREADABLE = "unreadable"
    """Its answer is not of the declared type."""


class JailFailedError(SamebitsError):
    """A reader was started, and gave no value: that is a fact about the file."""

    def __init__(self, end: JailEnd, what: str, *, got: object, expected: object = None) -> None:
        """Keep how it ended."""
        self.end = end
        super().__init__(what, got=got, expected=expected)


class JailUnavailableError(InfrastructureError):
    """No jail could be started: nothing of the file was read."""
