"""What may differ between two machines that rebuild one recipe, and is moved to see if it matters.

Whatever a recipe declares is part of its claim and never moved.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Factor(StrEnum):
    """One thing that differs between machines."""

    HOSTNAME = "hostname"
    USER = "user"
    CORES = "cores"
    """That the build sees, and for which it is told to divide its work."""
    FOLDER_ORDER = "folder-order"
    TIMEZONE = "timezone"
    LOCALE = "locale"


class KeptReason(StrEnum):
    """Why a factor was not moved."""

    DECLARED = "declared"
    ALONE = "alone"
    """There is nothing that it could be moved to: the machine has one core."""


class VariedFactor(BaseModel):
    """A factor that was moved: what the judged rebuild saw, and what the moved one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: Factor
    before: str
    after: str


class KeptFactor(BaseModel):
    """A factor that was not moved, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: Factor
    why: KeptReason
