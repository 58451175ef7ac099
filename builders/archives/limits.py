"""How much of a hostile archive is read before it is refused.

One `Budget` is shared by an archive and everything nested in it, so that no nesting can multiply
what a limit allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from builders.core.errors import SamebitsError

Clock = Callable[[], float]
"""Seconds, monotonic."""

CHUNK = 1 << 18
"""Bytes held of any one stream at a time."""


class ArchiveError(SamebitsError):
    """An archive that is broken, truncated, lying about itself, or of a form not read here."""


class ArchiveLimitError(ArchiveError):
    """An archive that holds more than the limits allow; none of it may be called read."""


class ArchiveTooDeepError(ArchiveError):
    """An archive below more archives than the limits allow; those around it were read."""


class UnsupportedArchiveError(ArchiveError):
    """An archive of a form, or packing, that is not read here, though others may read it."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What may be read of one archive, nested ones included."""

    members: int = 250_000
    unpacked: int = 8 << 30
    """Bytes, summed over every layer of unpacking."""
    depth: int = 4
    """Archives inside archives; a compressed archive counts once."""
    text: int = 64 << 20
    """Bytes of paths, owners and link targets, summed: what a listing must hold in memory."""
    set_aside: int = 1 << 30
    """Bytes of a zip inside another archive, which must be copied to be read."""
    seconds: float = 300


class Budget:
    """What is left of the limits."""

    def __init__(self, limits: Limits, clock: Clock = time.monotonic) -> None:
        """Start counting now."""
        self._limits = limits
        self._clock = clock
        self._deadline = clock() + limits.seconds
        self._members = 0
        self._text = 0
        self._unpacked = 0

    def text(self, count: int) -> None:
        """Count what a listing keeps of one member; raises `ArchiveLimitError`."""
        self._text += count
        if self._text > self._limits.text:
            raise ArchiveLimitError(
                "the names in an archive are too long to list",
                got=f"more than {self._limits.text} bytes",
                expected=f"at most {self._limits.text} bytes",
            )

    def member(self) -> None:
        """Count one member; raises `ArchiveLimitError`."""
        self._members += 1
        if self._members > self._limits.members:
            raise ArchiveLimitError(
                "too many members in an archive",
                got=f"more than {self._limits.members}",
                expected=f"at most {self._limits.members}",
            )
        if self._members % 256 == 0:
            self.time()

    def bytes(self, count: int) -> None:
        """Count unpacked bytes; raises `ArchiveLimitError`."""
        self._unpacked += count
        if self._unpacked > self._limits.unpacked:
            raise ArchiveLimitError(
                "an archive unpacks to too much",
                got=f"more than {self._limits.unpacked} bytes",
                expected=f"at most {self._limits.unpacked} bytes",
            )
        self.time()

    def depth(self, depth: int) -> None:
        """Check the depth of an archive that is about to be opened; 1 is the outermost.

        Raises `ArchiveTooDeepError`.
        """
        if depth > self._limits.depth:
            raise ArchiveTooDeepError(
                "archives nested too deep",
                got=f"depth {depth}",
                expected=f"at most {self._limits.depth}",
            )

    def time(self) -> None:
        """Raise `ArchiveLimitError` when the time is used up."""
        if self._clock() > self._deadline:
            raise ArchiveLimitError(
                "an archive takes too long to read",
                got=f"more than {self._limits.seconds:g} s",
                expected=f"at most {self._limits.seconds:g} s",
            )
