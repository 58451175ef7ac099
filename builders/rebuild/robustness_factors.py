"""The factors in which machines differ, and which a robustness rebuild varies.

A robustness rebuild shows whether the outputs depend on them. What a recipe declares is part of its
claim and never varied.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from builders.core.frozen_model import FrozenModel


class Factor(StrEnum):
    """One thing in which machines differ."""

    HOSTNAME = "hostname"
    USER = "user"
    CORES = "cores"
    """The number of cores that the build sees, and of its parallel jobs."""
    FOLDER_ORDER = "folder-order"
    TIMEZONE = "timezone"
    LOCALE = "locale"


class KeptReason(StrEnum):
    """Why a factor was not varied."""

    DECLARED = "declared"
    ALONE = "alone"
    """The machine has only one core, so the number of cores cannot be varied."""


class VariedFactor(FrozenModel):
    """A factor that was varied: its value in the judged rebuild, and in the robustness rebuild."""

    factor: Factor
    before: str
    after: str


class KeptFactor(FrozenModel):
    """A factor that was not varied, and why."""

    factor: Factor
    why: KeptReason

    @model_validator(mode="after")
    def _cores_alone(self) -> Self:
        if self.why is KeptReason.ALONE and self.factor is not Factor.CORES:
            raise ValueError(f"{self.factor} has somewhere to go: only cores can be alone")
        return self
