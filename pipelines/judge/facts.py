"""Everything that a verdict depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.frozen_model import FrozenModel, duplicate
from builders.rebuild.rebuild_result import Output


class FileFact(FrozenModel):
    """Size in bytes and digest of a file."""

    sha256: Digest
    size: int


@dataclass(frozen=True, kw_only=True)
class Declared:
    """An artefact of the recipe, with the digest its vendor published."""

    name: str
    published: Digest


@dataclass(frozen=True, kw_only=True)
class Unreachable:
    """A shipped file that could not be fetched."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class InputCheck:
    """Whether an input holds an artefact under test; `fault` is None when surely none does."""

    fault: str | None
    """`copied-input: ...` or `input-not-scanned: ...`."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One rebuild, what it left, and what was served as shipped; names are unique."""

    outcome: Outcome
    outcome_reason: str
    """Why there is nothing to compare; only read when the outcome is not BUILT."""
    declared: tuple[Declared, ...]
    rebuilt: tuple[Output, ...]
    served: Mapping[str, FileFact | Unreachable] = field(hash=False)
    """By artefact name: the bytes really fetched. One that is absent was not fetched."""
    inputs: InputCheck

    def __post_init__(self) -> None:
        for what, names in (
            ("declared", [artefact.name for artefact in self.declared]),
            ("rebuilt", [output.name for output in self.rebuilt]),
        ):
            if (name := duplicate(names)) is not None:
                raise ValueError(f"{what}: {name!r} is there twice")
