"""Bounded, forward-only listing of the members of untrusted archives: ar, tar, zip, compressed.

Imports `builders.core` only.
"""

from builders.archives.limits import (
    ArchiveError,
    ArchiveLimitError,
    ArchiveLimits,
    ArchiveTooDeepError,
    MonotonicClock,
    UnsupportedArchiveError,
)
from builders.archives.member import Member, MemberKind
from builders.archives.walk import Copier, Scratch, members

__all__ = [
    "ArchiveError",
    "ArchiveLimitError",
    "ArchiveLimits",
    "ArchiveTooDeepError",
    "Copier",
    "Member",
    "MemberKind",
    "MonotonicClock",
    "Scratch",
    "UnsupportedArchiveError",
    "members",
]
