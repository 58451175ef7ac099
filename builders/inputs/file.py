"""One file that a rebuild reads, pinned by digest."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from builders.core.digest import Digest
from builders.core.enums import Role
from builders.methods import StagedInput


class InputFile(BaseModel):
    """One file that the container will see, pinned; a .dsc brings its companions along."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    role: Role
    name: str
    sha256: Digest
    of: Digest | None = None
    """The digest of the .dsc that names this file."""

    def staged(self) -> StagedInput:
        """Return the file as the container sees it."""
        return StagedInput(role=self.role, name=self.name)
