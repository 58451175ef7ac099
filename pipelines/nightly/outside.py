"""What a night hears from elsewhere: the consensus, the peers, and what runs out soon.

Typed values that others fill in; the alarms are a pure function of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipelines.evidence.statements.refusal import Complaint


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What the centers together found for one artefact, in the words of the design.

    That is the consensus, or the name of an alarm that came with it (SERVED_DIFFERENTLY).
    """

    release: str
    artefact: str
    consensus: str


@dataclass(frozen=True, kw_only=True)
class PeerState:
    """What was seen of another center's log this night, and what the last time."""

    id: str
    heard: datetime | None
    """When it last spoke (its newest heartbeat), UTC; None for never."""
    size: int | None
    """The size of its log, which our witness found to hold all that it held before; else None."""
    complaint: Complaint | None = None
    """What our witness has signed against its log."""
    fault: str | None = None
    """Why nothing could be read."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Something that a whole log has, and that of a center has not."""

    center: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """Something that ends soon, or has ended."""

    what: Literal["key", "policy"]
    name: str
    """Of the center whose key or policy it is."""
    text: str
    """One sentence; it is told to the public, and so names no place of this machine."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """All of that for one night."""

    consensus: tuple[Joined, ...] = ()
    peers: tuple[PeerState, ...] = ()
    gaps: tuple[Gap, ...] = ()
    expiries: tuple[Expiry, ...] = ()
