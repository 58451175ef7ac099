"""What two files that differ show: their members, the fields that differ, and named causes.

An explanation holds these values. They are on their own, since who asks for them needs no verdict.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel

MetadataField = Literal["mode", "mtime", "owner", "packing"]


class CauseName(StrEnum):
    """Why bytes differ, as far as it can be named."""

    NONDETERMINISTIC = "nondeterministic"
    MEMBER_ADDED = "member-added"
    MEMBER_REMOVED = "member-removed"
    MEMBER_CHANGED = "member-changed"
    METADATA_ONLY = "metadata-only"
    CONTAINER_ONLY = "container-only"
    CONTENT = "content"
    RULE_DISABLED = "rule-disabled"
    RULE_WEAKENED = "rule-weakened"
    RULE_CHANGED = "rule-changed"


class Cause(FrozenModel):
    """One named cause, and what it was seen in."""

    name: CauseName
    detail: str


class MemberFact(FrozenModel):
    """A member that only one side has; `size` and `sha256` only for files."""

    path: str
    kind: str
    size: int | None
    sha256: Digest | None


class ChangedMember(FrozenModel):
    """A member whose content, kind or link target differs."""

    path: str
    shipped: MemberFact
    rebuilt: MemberFact


class ChangedMetadata(FrozenModel):
    """A member with the same content and other metadata, written as text."""

    path: str
    field: MetadataField
    shipped: str
    rebuilt: str


class MemberDiff(FrozenModel):
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


class FieldKind(StrEnum):
    """What a field of a file tells, most telling first."""

    PRODUCER = "producer"
    """Who or what made the file: a compiler, a tool and its version, a signer."""
    SETTING = "setting"
    """What its maker was given or found: a time, a path, a level, an order."""
    CONTENT = "content"
    DERIVED = "derived"
    """What follows from other bytes: a checksum, a size, an offset, a build id."""


class FieldDifference(FrozenModel):
    """A named field of a file, or of a member of an archive, that differs."""

    path: str
    """The member; empty for the file itself."""
    format: str
    """The format that has the field: `gzip`, `ELF`."""
    field: str
    kind: FieldKind
    shipped: str | None = None
    """What it says, as text; None where it is absent, or its bytes say nothing by themselves."""
    rebuilt: str | None = None
    places: int = 1
    """Members in which the field of this format differs; the values are those of the first."""
    differing_bytes: int = 0


class QuickDiff(FrozenModel):
    """What two files that differ show within seconds."""

    shipped_size: int
    rebuilt_size: int
    first_offset: int | None
    """The first offset at which they differ; None when the time ran out before it was found."""
    last_offset: int | None
    """In the longer file, the last byte before the tail that both have in common."""
    differing_bytes: int | None
    """Offsets that hold different bytes; what only the longer file has counts too."""
    members: MemberDiff | None = None
    """None when one of them is not an archive."""
    fields: tuple[FieldDifference, ...] = ()
    """The named fields that differ, the most telling first."""
    fields_left_out: int = 0
    """Fields that are not listed."""
    truncated: bool = False
    """Whether time or length cut anything short."""
