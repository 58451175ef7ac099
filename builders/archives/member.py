"""What is known of one member of an archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from builders.archives.streams import Readable
from builders.core.digest import Digest

MemberKind = Literal["file", "directory", "symlink", "hardlink", "device", "fifo"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an archive says of a member; only as true as the archive."""

    path: str
    """As written in the archive; never a path to be opened. Odd bytes are backslash-escaped."""
    kind: MemberKind
    mode: int | None = None
    mtime: int | None = None
    """Seconds since 1970, or for a zip its zoneless time read as UTC."""
    owner: str | None = None
    target: str | None = None
    """Of a link."""
    packing: str | None = None
    """How the member alone is compressed, where the format says so a member."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A member while its archive is being read; `body` is used up before the next one comes."""

    facts: Facts
    body: Readable | None = field(repr=False)
    """None for what has no bytes of its own."""


@dataclass(frozen=True, kw_only=True)
class Member(Facts):
    """One member of an archive, or of one inside it."""

    size: int | None = None
    """Bytes of a file, counted, not claimed."""
    sha256: Digest | None = None
    """Of a file."""
    inside: str = ""
    """The path of the member that this one was unpacked from; empty for the outermost archive."""
    container: bool = False
    """Whether members of this one are listed too, before it."""
    unread: str | None = None
    """Why not, though it looks like an archive."""
    missed: bool = False
    """Whether it was left unread for our own reasons (depth, a form not read here), not for its."""
