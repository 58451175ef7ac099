"""What a first look at two files that differ can say."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from builders.core.digest import Digest
from pipelines.judge.value import Value


class FileFact(Value):
    """Size in bytes and digest of a file."""

    sha256: Digest
    size: int


class MemberFact(Value):
    """A member that only one side has; `size` and `sha256` only for files."""

    path: str
    kind: str
    size: int | None
    sha256: Digest | None


class ChangedMember(Value):
    """A member whose content, kind or link target differs."""

    path: str
    shipped: MemberFact
    rebuilt: MemberFact


MetadataField = Literal["mode", "mtime", "owner", "packing"]


class ChangedMetadata(Value):
    """A member with the same content and other metadata, written as text."""

    path: str
    field: MetadataField
    shipped: str
    rebuilt: str


class MemberLook(Value):
    """Two archives compared by their members; lists are capped, counts are not.

    Containers are not listed as changed when something inside them is. When `complete` is false,
    one of the archives was not read to its end, and nothing is said to be added or removed.
    """

    complete: bool
    note: str | None = None
    added: tuple[MemberFact, ...] = ()
    removed: tuple[MemberFact, ...] = ()
    changed: tuple[ChangedMember, ...] = ()
    metadata: tuple[ChangedMetadata, ...] = ()
    repacked: tuple[str, ...] = ()
    """Containers that differ though nothing inside them does: other compression or padding."""
    reordered: bool = False
    counts: dict[str, int] = Field(default_factory=dict)
    """How many there are of each list; more than are shown where a list was capped."""

    @property
    def capped(self) -> bool:
        """Whether some list shows less than was counted."""
        return any(count > len(getattr(self, name)) for name, count in self.counts.items())


class FirstLook(Value):
    """What two files that differ show within a second or two."""

    shipped_size: int
    rebuilt_size: int
    first_offset: int | None
    """The first offset at which they differ; None when the time ran out before it was found."""
    last_offset: int | None
    """In the longer file, the last byte before the tail that both have in common."""
    differing_bytes: int | None
    """Offsets that hold different bytes; what only the longer file has counts too."""
    members: MemberLook | None = None
    """None when one of them is not an archive."""
    truncated: bool = False
    """Whether time or length cut anything short."""
