"""One file that a rebuild reads, pinned by digest."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Role
from builders.core.frozen_model import FrozenModel
from builders.methods import StagedInput


class InputFile(FrozenModel):
    """One pinned file that the container will see; a .dsc is listed with the files it names."""

    role: Role
    name: str
    sha256: Digest
    of: Digest | None = None
    """The digest of the .dsc that names this file."""

    def staged(self) -> StagedInput:
        """Return the file as the container sees it."""
        return StagedInput(role=self.role, name=self.name)
