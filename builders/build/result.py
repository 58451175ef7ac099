"""What a rebuild leaves, as values: how it ended, and the files that it left.

Apart from the code that runs builds, so that who only reads reports needs no engine.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from builders.core.digest import Digest
from builders.core.enums import Outcome


class OutputKind(StrEnum):
    """What an output is to its release."""

    ARTEFACT = "artefact"
    BY_PRODUCT = "by-product"
    IGNORED = "ignored"
    UNEXPECTED = "unexpected"


class Output(BaseModel):
    """One file that a build left."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str
    size: int
    sha256: Digest
    part: OutputKind


class RebuildResult(BaseModel):
    """How one attempt went. Sizes are bytes, times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    outcome: Outcome
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom_killed: bool = False
    peak_memory: int | None = None
    wall_seconds: float | None = None
    log: Digest | None = None
    log_truncated: bool = False
    outputs: tuple[Output, ...] = ()
