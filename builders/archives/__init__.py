"""Bounded, forward-only listing of the members of hostile archives."""

from builders.archives.limits import (
    ArchiveError,
    ArchiveLimitError,
    ArchiveTooDeepError,
    Clock,
    Limits,
    UnsupportedArchiveError,
)
from builders.archives.member import Member, MemberKind
from builders.archives.walk import members

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
