"""What differs between two rule sets: the values that leave the jail, all bounded and typed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel
from pipelines.rules.languages.rule_language import RuleFault
from pipelines.rules.rule import Language


class ChangeKind(StrEnum):
    """What became of a rule."""

    REMOVED = "removed"
    CHANGED = "changed"
    """Its logic differs."""
    DEPENDS = "depends"
    """It says the same, and refers to a rule that does not."""
    MOVED = "moved"
    """It says the same, elsewhere among rules whose order matters, or in another kind of file."""
    ADDED = "added"
    RENAMED = "renamed"
    """The same logic under another identity."""
    METADATA_ONLY = "metadata-only"
    LAYOUT_ONLY = "layout-only"
    """Comments and blanks alone."""


class Effect(StrEnum):
    """What a change does to what is detected, worst first."""

    DISABLED = "disabled"
    """The rule finds nothing any more."""
    WEAKENED = "weakened"
    """It finds less, or does less about it."""
    UNKNOWN = "effect-unknown"
    """Not decided; it may be any of these."""
    STRENGTHENED = "strengthened"
    NONE = "none"


class Weakness(StrEnum):
    """Why a change weakens detection."""

    ACTION_LOWERED = "action-lowered"
    BOUND_MOVED = "bound-moved"
    CONDITION_NARROWER = "condition-narrower"
    DISABLES_OTHERS = "disables-others"
    EXCLUSION_ADDED = "exclusion-added"
    MADE_PRIVATE = "made-private"
    MODIFIER_DROPPED = "modifier-dropped"
    NEVER_TRUE = "never-true"
    PATTERN_DROPPED = "pattern-dropped"
    SCOPE_NARROWER = "scope-narrower"
    SEVERITY_LOWERED = "severity-lowered"
    THRESHOLD_RAISED = "threshold-raised"
    TRANSFORMATION_DROPPED = "transformation-dropped"


class Judgement(FrozenModel):
    """The effect of one change, and why."""

    effect: Effect
    weaknesses: tuple[Weakness, ...] = ()
    details: tuple[str, ...] = ()
    """What shows it, for people; text of rules among it."""


class RulePlace(FrozenModel):
    """Where a rule is, and the digests of its text and of its normalized form."""

    file: str
    line: int
    text: Digest
    normalized: Digest


class FieldChange(FrozenModel):
    """A field of a rule that differs, as text; None where one has nothing there."""

    field: str
    old: str | None
    new: str | None


class RuleChange(FrozenModel):
    """One rule that differs."""

    kind: ChangeKind
    language: Language
    identity: str
    """Of the new rule; of a removed one, its own."""
    old_identity: str | None = None
    """Of a renamed rule."""
    old: RulePlace | None = None
    new: RulePlace | None = None
    judgement: Judgement
    fields: tuple[FieldChange, ...] = ()
    revision_not_raised: bool = False
    """Whether its logic differs, and its revision is not higher."""


class Duplicate(FrozenModel):
    """An identity that several rules of the new set have."""

    language: Language
    identity: str
    places: tuple[RulePlace, ...]
    count: int
    new: bool
    """Whether the old set has fewer of them."""


class SideFacts(FrozenModel):
    """What was read of one rule set."""

    files: int
    rules: int
    by_language: dict[str, int]
    faults: tuple[RuleFault, ...] = ()
    """Rules and files that were not read, at most so many as are listed."""
    fault_count: int = 0


class RuleChanges(FrozenModel):
    """What differs between two rule sets, the worst first."""

    old: SideFacts
    new: SideFacts
    changes: tuple[RuleChange, ...] = ()
    left_out: int = 0
    """Changes that are counted and not listed."""
    duplicates: tuple[Duplicate, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)
    """Changes by their kind."""
    effects: dict[str, int] = Field(default_factory=dict)
    """Changes by their effect."""
    unchanged: int = 0

    @property
    def differs(self) -> bool:
        """Whether some rule does, or may do, something else."""
        return any(effect != Effect.NONE for effect in self.effects)

    @property
    def is_complete(self) -> bool:
        """Whether every rule of both sets was read."""
        return not (self.old.fault_count or self.new.fault_count)

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {**self.model_dump(mode="json"), "complete": self.is_complete}
