"""The recipe: how one release is rebuilt, and from which pinned inputs.

A recipe is parsed once, into immutable typed values. Paths in a recipe are relative to its file.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from builders.core.digest import Digest
from builders.core.enums import Kind, Role, Verdict
from builders.core.errors import RecipeError, UsageError
from builders.core.frozen_model import FrozenModel, duplicate, schema_text
from builders.core.units import Duration, Size, between, parse_duration, parse_size
from builders.core.yamlfile import Document, load_document, parse_model
from builders.locators.locator import Locator, LocatorField
from builders.methods import BuildField
from builders.recipe.artefact import UNSHIPPED, Artefact, PublishedFile
from builders.recipe.normalizers import DeclaredNormalizer
from builders.recipe.signature import PinnedSignature
from builders.recipe.update import DeclaredDelta, check_updates
from builders.recipe.update_manifest import DeclaredManifest
from builders.recipe.version_order import VersionOrder

_NAME, _VERSION = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", r"[A-Za-z0-9][A-Za-z0-9._+~:!-]{0,127}"
ProductName = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
ProductVersion = Annotated[str, StringConstraints(pattern=f"^{_VERSION}$")]


_GLOB = r"^(?!.*\.\.)(?=(\[[^\]]+\]|[^A-Za-z0-9\[])*[A-Za-z0-9])[^/]{1,255}$"
"""A letter or digit has to stand for itself: `*`, `*.*` and `[a-z]*` cover everything."""


def _glob(text: str, info: ValidationInfo) -> str:
    if "\0" in text or not re.search(_GLOB, text):
        raise ValueError(
            "expected a file name pattern such as *.buildinfo, without a folder, that does not "
            "cover everything"
        )
    for artefact in info.data.get("artefacts", ()):
        if fnmatchcase(artefact.name, text):
            raise ValueError(f"the pattern covers the artefact {artefact.name}; expected another")
    return text


Glob = Annotated[
    str,
    StringConstraints(max_length=255),
    AfterValidator(_glob),
    WithJsonSchema({"type": "string", "pattern": _GLOB}),
]


def _whole(locator: Locator) -> Locator:
    if getattr(locator, "subpath", None):
        raise ValueError("an input is a whole file; expected a locator without #path")
    return locator


class Input(FrozenModel):
    """Anything that a rebuild reads."""

    role: Annotated[Role, Field(description="The role of the input in the rebuild.")]
    locator: Annotated[LocatorField, AfterValidator(_whole)]
    sha256: Digest
    opaque: Annotated[
        str | None,
        StringConstraints(
            min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
        ),
        Field(
            description="Why the input cannot be searched for copies of the shipped files. It is "
            "then used all the same; the reason is part of the scope."
        ),
    ] = None
    release: Annotated[
        str | None,
        StringConstraints(pattern=rf"^{_NAME}/{_NAME}@{_VERSION}$"),
        Field(description="Of a base: the release `vendor/product@version` that has this file."),
    ] = None

    @model_validator(mode="after")
    def _base_of_a_release(self) -> Self:
        if (self.role is Role.BASE) is not (self.release is not None):
            raise ValueError("expected `release` for an input of role base, and only there")
        return self


class RebuildLimits(FrozenModel):
    """The resources that a rebuild may use; not part of the claim."""

    cpus: Annotated[float, Field(ge=0.1, le=256, description="Cores.")] = 2
    memory: Annotated[
        Size, between("32MiB", "4TiB", parse_size), Field(json_schema_extra={"default": "4GiB"})
    ] = 4 << 30
    scratch: Annotated[
        Size, between("16MiB", "4TiB", parse_size), Field(json_schema_extra={"default": "8GiB"})
    ] = 8 << 30
    time: Annotated[
        Duration,
        between("1s", "168h", parse_duration),
        Field(json_schema_extra={"default": "30min"}),
    ] = 30 * 60
    pids: Annotated[int, Field(ge=16, le=65536, description="Processes.")] = 4096
    outputs: Annotated[int, Field(ge=1, le=100_000, description="Files in the output folder.")] = (
        1000
    )


class Expectation(FrozenModel):
    """The expected result, for alarms and demonstrations; it never changes a verdict."""

    verdict: Verdict


class ReviewRequirement(FrozenModel):
    """The number of reviews that the release needs; it can only add to the center's policy."""

    minimum: Annotated[
        int, Field(ge=0, le=100, description="Reviewers of exactly this source and claim.")
    ]


def _with_source(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    if not any(i.role is Role.SOURCE for i in inputs):
        raise ValueError("expected at least one with role source")
    return inputs


def _distinct(artefacts: tuple[Artefact, ...]) -> tuple[Artefact, ...]:
    if twice := duplicate(artefact.name for artefact in artefacts):
        raise ValueError(f"expected each name once; {twice!r} is declared twice")
    members = {artefact.name for artefact in artefacts if artefact.member}
    for artefact in artefacts:
        if artefact.member and artefact.member[0] in members:
            raise ValueError(
                f"{artefact.name!r} is inside {artefact.member[0]!r}, no output itself"
            )
    return artefacts


Inputs = Annotated[
    tuple[Input, ...],
    Field(min_length=1, max_length=10_000, description="What the rebuild reads, all pinned."),
    AfterValidator(_with_source),
]
Artefacts = Annotated[
    tuple[Artefact, ...],
    Field(min_length=1, max_length=10_000, description="The shipped files of the release."),
    AfterValidator(_distinct),
]


class Recipe(FrozenModel):
    """How one release is rebuilt, from which pinned inputs."""

    schema_: Annotated[
        Literal["samebits/recipe/v1"], Field(alias="schema", description="The format of this file.")
    ]
    vendor: Annotated[ProductName, Field(description="Who ships the release.")]
    product: Annotated[ProductName, Field(description="What is shipped.")]
    version: Annotated[
        ProductVersion, Field(description="The version as the vendor writes it; always text.")
    ]
    version_order: Annotated[
        VersionOrder,
        Field(description="How versions of an update and its base are compared."),
    ] = VersionOrder.DEBIAN
    kind: Annotated[Kind, Field(description="The kind of the release.")]
    platform: Annotated[Literal["linux/amd64"], Field(description="Where the build runs.")]
    build: Annotated[BuildField, Field(description="How the release is built.")]
    inputs: Inputs
    artefacts: Artefacts
    by_products: Annotated[
        tuple[Glob, ...], Field(description="Outputs that are built and not shipped.")
    ] = ()
    published_by_products: Annotated[
        tuple[Glob, ...],
        Field(description="By-products that the vendor publishes elsewhere; they prove no work."),
    ] = ()
    ignore: Annotated[
        tuple[Glob, ...], Field(description="Outputs with no meaning of their own.")
    ] = ()
    limits: RebuildLimits = RebuildLimits()
    visibility: Annotated[
        Literal["public", "private"],
        Field(description="Private: nothing about the source may be published."),
    ] = "public"
    reviews: Annotated[
        ReviewRequirement | None,
        Field(description="Required reviews; counts only if it is more than the policy requires."),
    ] = None
    explain: Annotated[
        Literal["readers", "diffoscope"],
        Field(
            description="What looks into files that differ: the readers of formats, in seconds, or "
            "diffoscope too, in a container of its own."
        ),
    ] = "readers"
    samples: Annotated[
        PublishedFile | None,
        Field(
            description="Of rules: an archive of files over which `samebits rules test` runs the "
            "engines; it decides no verdict."
        ),
    ] = None
    expect: Annotated[
        Expectation | None, Field(description="The expected result; an alarm, never a verdict.")
    ] = None

    @model_validator(mode="after")
    def _samples_of_rules(self) -> Self:
        if self.samples and self.kind is not Kind.RULESET:
            raise ValueError("expected `samples` for kind ruleset alone")
        return self

    @model_validator(mode="after")
    def _has_its_bases(self) -> Self:
        if twice := duplicate(i.sha256 for i in self.inputs if i.release):
            raise ValueError(f"expected each base once; sha256 {twice} is there twice")
        check_updates(
            self.kind,
            vendor=self.vendor,
            version=self.version,
            order=self.version_order,
            bases=self.bases,
            deltas=self.deltas,
            manifests=self.manifests,
            targets=frozenset(artefact.name for artefact in self.artefacts),
        )
        return self

    @property
    def bases(self) -> dict[Digest, str]:
        """Return the releases of the inputs of role base, by digest."""
        return {i.sha256: i.release for i in self.inputs if i.release}

    @property
    def deltas(self) -> dict[str, DeclaredDelta]:
        """Return the declared deltas by artefact name."""
        return {a.name: a.delta for a in self.artefacts if a.delta}

    @property
    def manifests(self) -> dict[str, DeclaredManifest]:
        """Return the declared manifests by artefact name."""
        return {a.name: a.manifest for a in self.artefacts if a.manifest}

    @property
    def signatures(self) -> dict[str, PinnedSignature]:
        """Return the pinned signatures by artefact name."""
        return {a.name: a.signature for a in self.artefacts if a.signature}

    @property
    def normalizers(self) -> dict[str, tuple[DeclaredNormalizer, ...]]:
        """Return the declared normalizers by artefact name."""
        return {a.name: a.normalizers for a in self.artefacts if a.normalizers}

    @property
    def altered(self) -> frozenset[str]:
        """Return the names of artefacts that may count though other bytes were rebuilt."""
        return frozenset(self.signatures) | frozenset(self.normalizers)

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"


class LoadedRecipe(FrozenModel):
    """A recipe and the folder that its `file:` locators start from."""

    recipe: Recipe
    path: Path
    script: bytes | None = None
    """Its script, where that did not come as a file beside the recipe."""

    @property
    def folder(self) -> Path:
        """Return the folder of the recipe's file."""
        return self.path.parent


def load_recipe(path: Path, *, unshipped: bool = False) -> LoadedRecipe:
    """Read and validate one recipe; raises `RecipeError` with file, line and field.

    `unshipped` takes artefacts without `shipped` too.
    """
    return parse_recipe(load_document(path), path, unshipped=unshipped)


def find_recipe(folder: Path, vendor: str, product: str, version: str) -> LoadedRecipe | None:
    """Return the recipe of a release, which the file of that name in `folder` must be of.

    None where there is no such file. Raises `UsageError` for one that cannot be used.
    """
    path = folder / vendor / product / f"{version}.yaml"
    if not path.is_file():
        return None
    loaded, release = load_recipe(path), f"{vendor}/{product}@{version}"
    if loaded.recipe.release != release:
        raise UsageError(
            f"{path} is the recipe of another release", got=loaded.recipe.release, expected=release
        )
    return loaded


def parse_recipe(document: Document, path: Path, *, unshipped: bool = False) -> LoadedRecipe:
    """Validate a document that was already read; see `load_recipe`."""
    recipe = parse_model(
        document, Recipe, todo="`samebits recipe schema` prints what each field takes"
    )
    for number, artefact in enumerate(recipe.artefacts):
        if artefact.shipped is None and not unshipped:
            raise RecipeError(
                f"artefact {artefact.name} has no `shipped`",
                file=document.file,
                line=document.line_of(("artefacts", number)),
                field=f"artefacts.{number}.shipped",
                expected="the locator and sha256 of the published file",
                todo=UNSHIPPED,
            )
    return LoadedRecipe(recipe=recipe, path=path)


def recipe_schema() -> str:
    """Return the JSON Schema of a recipe, as `recipes/schema/recipe.json` contains it."""
    return schema_text(Recipe)
