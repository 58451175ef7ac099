"""Bounded, forward-only listing of the members of untrusted archives: ar, tar, zip, compressed.

And the search for known files inside other bytes, however packed or encoded.

Imports `builders.core` only.
"""

from builders.archives.embedded import SoughtFile, embedded_files
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
    "SoughtFile",
    "UnsupportedArchiveError",
    "embedded_files",
    "members",
]
