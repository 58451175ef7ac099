"""One shipped file, as a recipe declares it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from builders.core.digest import Digest
from builders.core.errors import UsageError
from builders.core.frozen_model import FrozenModel
from builders.locators.locator import Locator, LocatorField, VaultLocator
from builders.packing import Packing
from builders.recipe.normalizers import Normalizers
from builders.recipe.signature import PinnedSignature, SignedFormat
from builders.recipe.update import DeclaredDelta, DeltaJudged
from builders.recipe.update_manifest import DeclaredManifest

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+~:!@=,%-]{0,254}$")]


def _not_in_vault(locator: Locator) -> Locator:
    if isinstance(locator, VaultLocator):
        raise ValueError(  # noqa: TRY004  # pydantic expects it
            "a shipped file is fetched from where customers get it; expected another locator than "
            "vault:..."
        )
    return locator


class PublishedFile(FrozenModel):
    """Where the vendor publishes a file, and its published digest."""

    locator: Annotated[LocatorField, AfterValidator(_not_in_vault)]
    sha256: Digest


UNSHIPPED = (
    "Add where customers get the file, and its digest. Before that, only `samebits rebuild`, "
    "`samebits recipe lint` and `samebits verify --candidate DIR` take the recipe"
)


MAX_PACKING = 4096
"""Bytes of a packing as JSON: it says how to pack, and carries no data."""


def _short(packing: Packing) -> Packing:
    if (size := len(packing.model_dump_json().encode())) > MAX_PACKING:
        raise ValueError(f"{size} bytes of declared text; expected at most {MAX_PACKING}")
    return packing


class Artefact(FrozenModel):
    """One shipped file."""

    name: Annotated[FileName, Field(description="The file's name in the output folder.")]
    shipped: Annotated[
        PublishedFile | None, Field(description="The shipped file; absent only before it ships.")
    ] = None
    output: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+~:!@=,%-]{0,254}#[^\x00-\x1f#/][^\x00-\x1f#]{0,1022}$",
            description="FILE#path: the artefact is a file inside another output.",
        ),
    ] = None
    signature: Annotated[
        PinnedSignature | None,
        Field(description="The vendor's signature on the shipped file, which no rebuild has."),
    ] = None
    normalizers: Annotated[
        Normalizers | None,
        Field(description="What may be masked; the verdict is EQUIVALENT then, which is no match."),
    ] = None
    packing: Annotated[
        Annotated[Packing, AfterValidator(_short)] | None,
        Field(description="How the file is packed again after the build, by declared parameters."),
    ] = None
    delta: Annotated[
        DeclaredDelta | None,
        Field(description="Of an update: what the file is applied to, and what that gives."),
    ] = None
    manifest: Annotated[
        DeclaredManifest | None,
        Field(description="Of an update: the file says what the others are."),
    ] = None

    @model_validator(mode="after")
    def _masked_beside_its_signature(self) -> Self:
        """Refuse what would be masked in bytes that come from the shipped file with a signature."""
        if self.normalizers and self.signature and self.signature.format is not SignedFormat.PE:
            raise ValueError("expected `normalizers` without `signature`, or with one of format pe")
        return self

    @model_validator(mode="after")
    def _of_an_update(self) -> Self:
        if self.is_update and (self.normalizers or (self.delta and self.manifest)):
            raise ValueError("expected one of `delta`, `manifest` and `normalizers`")
        if self.manifest and not self.signature:
            raise ValueError("expected the `signature` of a manifest")
        if self.stands_in and self.delta and self.signature:
            raise ValueError("expected `signature` without `delta`, or with one that is rebuilt")
        return self

    @property
    def is_update(self) -> bool:
        """Whether it is a delta or a manifest."""
        return self.delta is not None or self.manifest is not None

    @property
    def stands_in(self) -> bool:
        """Whether it is judged by what it gives or says, if the build leaves no such file."""
        applied = self.delta is not None and self.delta.judged is DeltaJudged.APPLIED
        return applied or self.manifest is not None

    @property
    def member(self) -> tuple[str, str] | None:
        """Return the output that it is inside of, and its path there."""
        file, _, path = (self.output or "").partition("#")
        return (file, path) if path else None

    @property
    def published(self) -> PublishedFile:
        """Return the shipped file; raises `UsageError` before the release ships."""
        if self.shipped is None:
            raise UsageError(f"artefact {self.name} has no `shipped`", todo=UNSHIPPED)
        return self.shipped
