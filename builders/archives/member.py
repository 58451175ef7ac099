"""What is known of one member of an archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from builders.archives.streams import Readable
from builders.core.digest import Digest

MemberKind = Literal["file", "directory", "symlink", "hardlink", "device", "fifo"]


@dataclass(frozen=True, kw_only=True)
class MemberHeader:
    """What an archive declares about a member; the declaration itself is not trusted."""

    path: str
    """As in the archive; never opened as a path. Bytes that are not UTF-8 are backslash-escaped."""
    kind: MemberKind
    mode: int | None = None
    mtime: int | None = None
    """Seconds since 1970. A zip has no time zone: its time is read as UTC."""
    owner: str | None = None
    target: str | None = None
    """The target of a link."""
    packing: str | None = None
    """The compression of this member, in formats that compress each member on its own."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A member while its archive is read; `body` must be used before the next entry is read."""

    header: MemberHeader
    body: Readable | None = field(repr=False)
    """None for a member without content of its own."""


@dataclass(frozen=True, kw_only=True)
class Member(MemberHeader):
    """One member of an archive, or of an archive nested in it."""

    size: int | None = None
    """Bytes of a file, as counted here, not as declared."""
    sha256: Digest | None = None
    """Digest of a file's content."""
    inside: str = ""
    """Path of the member that holds this one; empty for the outermost archive."""
    container: bool = False
    """Whether this member is an archive whose members are listed too, before it."""
    unread: str | None = None
    """Why the members of this archive are not listed."""
    missed: bool = False
    """Whether it was left unread because of our limits or formats, and not because it is broken."""
