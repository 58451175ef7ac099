"""What a manifest says, as its reader returns it; nothing of it is believed."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from builders.core.frozen_model import FrozenModel
from pipelines.judge.updates.manifest_format import MAX_LISTED, VendorClaim

ListedPath = Annotated[
    str, StringConstraints(min_length=1, max_length=900, pattern=r"^[^\x00-\x1f\x7f]+$")
]
HexDigest = Annotated[str, Field(pattern="^[0-9a-f]{64,128}$")]


MAX_CLAIMED = 256 << 10
"""Characters of all claims of a manifest: each is in a statement."""


class ListedFile(FrozenModel):
    """A file that a manifest lists, and what it says of it."""

    path: ListedPath
    size: Annotated[int, Field(ge=0)] | None = None
    digests: dict[Annotated[str, Field(max_length=32)], HexDigest] = Field(default_factory=dict)
    """By the names of the algorithms in `hashlib`."""
    version: Annotated[int, Field(ge=0)] | None = None
    """Of a manifest that it lists."""


class ManifestContent(FrozenModel):
    """All that a manifest says."""

    version: Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    """None where it says none."""
    number: int | None = None
    """The version, where it counts up; of other manifests, that of the release is compared."""
    expires: AwareDatetime | None = None
    files: Annotated[tuple[ListedFile, ...], Field(max_length=MAX_LISTED)]
    claims: Annotated[tuple[VendorClaim, ...], Field(max_length=MAX_LISTED)] = ()

    @model_validator(mode="after")
    def _within_a_statement(self) -> Self:
        if sum(len(one.path) + len(one.says) for one in self.claims) > MAX_CLAIMED:
            raise ValueError(f"claims of more than {MAX_CLAIMED} characters")
        return self
