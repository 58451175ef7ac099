"""Bounded, forward-only listing of the members of hostile archives."""

from pipelines.judge.archives.limits import (
    ArchiveError,
    ArchiveLimitError,
    ArchiveTooDeepError,
    Clock,
    Limits,
    UnsupportedArchiveError,
)
from pipelines.judge.archives.member import Member, MemberKind
from pipelines.judge.archives.walk import members

__all__ = [
    "ArchiveError",
    "ArchiveLimitError",
    "ArchiveTooDeepError",
    "Clock",
    "Limits",
    "Member",
    "MemberKind",
    "UnsupportedArchiveError",
    "members",
]
