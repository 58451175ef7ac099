"""The result of a rebuild: how it ended, and the files that it left.

A module of its own, so that code which only reads reports does not import the engine.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from builders.container.idmap import IdMap
from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.frozen_model import FrozenModel


class OutputKind(StrEnum):
    """What an output is to its release."""

    ARTEFACT = "artefact"
    BY_PRODUCT = "by-product"
    PUBLISHED = "published-by-product"
    """A by-product that the vendor publishes too, so that it proves no work."""
    IGNORED = "ignored"
    UNEXPECTED = "unexpected"

    @property
    def is_by_product(self) -> bool:
        """Whether it is built and sealed, and not judged."""
        return self in {OutputKind.BY_PRODUCT, OutputKind.PUBLISHED}


class Output(FrozenModel):
    """One file that a build left."""

    name: str
    size: int
    sha256: Digest
    part: OutputKind


class RebuildResult(FrozenModel):
    """The result of one attempt. Sizes are bytes, times are seconds."""

    outcome: Outcome
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom_killed: bool = False
    peak_memory: int | None = None
    wall_seconds: float | None = None
    log: Digest | None = None
    log_truncated: bool = False
    uid_map: Annotated[IdMap, Field(exclude_if=lambda ids: not ids)] = ()
    """What the user ids of the container were on its machine; left out where no build began."""
    outputs: tuple[Output, ...] = ()

    @property
    def artefacts(self) -> dict[str, Digest]:
        """The digests of the artefacts that were left, by name."""
        return {o.name: o.sha256 for o in self.outputs if o.part is OutputKind.ARTEFACT}
