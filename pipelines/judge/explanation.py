"""Values that explain a finding: why bytes differ, and how far that is known."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel


class CauseName(StrEnum):
    """Why bytes differ, as far as it can be named."""

    NONDETERMINISTIC = "nondeterministic"
    MEMBER_ADDED = "member-added"
    MEMBER_REMOVED = "member-removed"
    MEMBER_CHANGED = "member-changed"
    METADATA_ONLY = "metadata-only"
    CONTAINER_ONLY = "container-only"
    CONTENT = "content"


class Cause(FrozenModel):
    """One named cause, and what it was seen in."""

    name: CauseName
    detail: str


class ExplanationStatus(StrEnum):
    """How far the explaining tool got."""

    NONE = "none"
    COMPLETE = "complete"
    TRUNCATED = "truncated"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"


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


MetadataField = Literal["mode", "mtime", "owner", "packing"]


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


class QuickDiff(FrozenModel):
    """What two files that differ show within a second or two."""

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
    truncated: bool = False
    """Whether time or length cut anything short."""


class Carried(FrozenModel):
    """A member of the rebuilt artefact that is, unchanged, in an input that is no source."""

    member: str
    sha256: Digest
    size: int
    input: str
    input_member: str


class Explanation(FrozenModel):
    """What is known of a difference. It stands beside a verdict and never changes one."""

    model_config = ConfigDict(
        serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

    status: ExplanationStatus = ExplanationStatus.NONE
    note: str | None = None
    tool: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    json_diff: Digest | None = Field(default=None, alias="json")
    html_diff: Digest | None = Field(default=None, alias="html")
    first_look: QuickDiff | None = None
    carried: tuple[Carried, ...] = ()
