"""All that a verdict is made of, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.judge.look import FileFact

Coverage = Literal["declared", "by-product", "ignored", "unexpected"]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """An artefact of the recipe, with the digest its vendor published."""

    name: str
    published: Digest


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A file that the rebuild left, and which part of the recipe covers it."""

    name: str
    file: FileFact
    coverage: Coverage


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
    rebuilt: tuple[Rebuilt, ...]
    served: Mapping[str, FileFact | Unreachable] = field(hash=False)
    """By artefact name: the bytes really fetched. One that is absent was not fetched."""
    inputs: InputCheck

    def __post_init__(self) -> None:
        _unique("declared", (artefact.name for artefact in self.declared))
        _unique("rebuilt", (output.name for output in self.rebuilt))


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            message = f"{what}: {name!r} is there twice"
            raise ValueError(message)
        seen.add(name)
