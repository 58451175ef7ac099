"""How much of an untrusted archive is read before it is refused.

An archive and all archives nested in it share one `Budget`, so nesting cannot multiply a limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from builders.core.errors import SamebitsError

MonotonicClock = Callable[[], float]
"""Returns seconds that never go backwards, such as `time.monotonic`."""

CHUNK = 1 << 18
"""The most bytes held in memory of any one stream."""


class ArchiveError(SamebitsError):
    """An archive that is broken, truncated, inconsistent or not supported."""


class ArchiveLimitError(ArchiveError):
    """An archive that exceeds a limit: none of it counts as read."""


class ArchiveTooDeepError(ArchiveError):
    """An archive nested more deeply than the limits allow; the outer archives were read."""


class UnsupportedArchiveError(ArchiveError):
    """An archive whose format or compression is not supported here; other tools may read it."""


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """What may be read of one archive, nested archives included."""

    members: int = 250_000
    unpacked: int = 8 << 30
    """Bytes, summed over every layer of decompression."""
    depth: int = 4
    """Archives inside archives; a compressed archive counts once."""
    text: int = 64 << 20
    """Bytes of paths, owners and link targets, summed: a listing keeps these in memory."""
    set_aside: int = 1 << 30
    """Bytes of a zip inside another archive, which is copied before it is read."""
    seconds: float = 300


class Budget:
    """Counts what is read against the limits. Each method raises `ArchiveLimitError`."""

    def __init__(self, limits: ArchiveLimits, clock: MonotonicClock = time.monotonic) -> None:
        """Start counting now."""
        self._limits = limits
        self._clock = clock
        self._deadline = clock() + limits.seconds
        self._members = self._text = self._unpacked = 0

    def text(self, count: int) -> None:
        """Count bytes of text that a listing keeps of one member."""
        self._text += count
        require_at_most(
            "the names in an archive are too long", self._text, self._limits.text, "bytes"
        )

    def member(self) -> None:
        """Count one member."""
        self._members += 1
        limit = self._limits.members
        require_at_most("too many members in an archive", self._members, limit, "members")
        if self._members % 256 == 0:
            self.time()

    def bytes(self, count: int) -> None:
        """Count unpacked bytes."""
        self._unpacked += count
        limit = self._limits.unpacked
        require_at_most("an archive unpacks to too much", self._unpacked, limit, "bytes")
        self.time()

    def depth(self, depth: int) -> None:
        """Check the depth of an archive before it is opened; 1 is the outermost.

        Raises `ArchiveTooDeepError`.
        """
        if depth > self._limits.depth:
            raise ArchiveTooDeepError(
                "archives nested too deep",
                got=f"depth {depth}",
                expected=f"at most {self._limits.depth}",
            )

    def time(self) -> None:
        """Check the time used so far."""
        if self._clock() > self._deadline:
            limit = f"{self._limits.seconds:g} s"
            raise ArchiveLimitError(
                "an archive takes too long to read",
                got=f"more than {limit}",
                expected=f"at most {limit}",
            )


def require_at_most(what: str, count: int, limit: int, unit: str) -> None:
    """Raise `ArchiveLimitError`, saying `what`, if `count` is above `limit`."""
    if count > limit:
        raise ArchiveLimitError(
            what, got=f"more than {limit} {unit}", expected=f"at most {limit} {unit}"
        )
