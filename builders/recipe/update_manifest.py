"""A shipped manifest of an update, as a recipe declares it: its format and what it lists."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel, duplicate


class ManifestName(StrEnum):
    """Formats of manifests."""

    CLAMSIGN = "clamsign"
    """An external signature of ClamAV, which signs the digest of one other file."""
    RAUC = "rauc"
    """The manifest that the signature of a RAUC bundle holds."""
    TUF_SNAPSHOT = "tuf-snapshot"
    TUF_TARGETS = "tuf-targets"
    TUF_TIMESTAMP = "tuf-timestamp"


ListedPath = Annotated[
    str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""A path as a manifest writes it."""


def _one_file_each(files: dict[str, str]) -> dict[str, str]:
    if twice := duplicate(files.values()):
        raise ValueError(f"expected each file under one path; {twice!r} is under two")
    return files


class DeclaredManifest(FrozenModel):
    """A manifest, whose fields are computed anew from the rebuilt files that it lists."""

    format: Annotated[ManifestName, Field(description="How the manifest is written.")]
    files: Annotated[
        dict[ListedPath, Annotated[str, StringConstraints(min_length=1, max_length=255)]],
        Field(
            max_length=10_000,
            description="Artefacts by the paths under which it lists them, where the last part of "
            "a path, with or without a version in front, is not the name of the artefact.",
        ),
        AfterValidator(_one_file_each),
    ] = Field(default_factory=dict)
    others: Annotated[
        tuple[ListedPath, ...],
        Field(
            max_length=10_000,
            description="Paths of files of other releases that it may list; what it says of them "
            "is the vendor's claim.",
        ),
    ] = ()
    previous: Annotated[
        Digest | None,
        Field(
            description="SHA-256 of the manifest that it replaces, an input of role base: its "
            "version is lower, and what it lists may stay listed."
        ),
    ] = None

    def artefact_of(self, path: str, version: int | None, names: frozenset[str]) -> str | None:
        """Return the artefact, one of `names`, that a path with a version stands for."""
        if path in self.files:
            return self.files[path] if self.files[path] in names else None
        last = path.rpartition("/")[2]
        found = {last, *([] if version is None else [f"{version}.{last}"])} & names
        free = found - set(self.files.values())
        return free.pop() if len(free) == 1 else None
