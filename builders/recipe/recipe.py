"""The recipe: how one release is rebuilt, from which pinned inputs.

Parsed once, at the edge; after that everything is a frozen, typed value. Paths in a recipe are
relative to the file it stands in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from builders.core.digest import Digest
from builders.core.enums import Kind, Role, Verdict
from builders.core.units import Duration, Size, between, parse_duration, parse_size
from builders.core.yamlfile import Document, load_document, parse_model
from builders.locators.locator import Locator, LocatorField, VaultLocator
from builders.methods import BuildField
from builders.methods.base import FrozenModel

ProductName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
ProductVersion = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~:!-]{0,127}$")
]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+~:!@=,%-]{0,254}$")]


def _glob(text: str) -> str:
    if "/" in text or "\0" in text or ".." in text or text in {"", "*"}:
        message = "expected a file name pattern such as *.buildinfo, without a folder"
        raise ValueError(message)
    return text


Glob = Annotated[
    str,
    StringConstraints(max_length=255),
    AfterValidator(_glob),
    WithJsonSchema({"type": "string", "pattern": r"^(?!\*$)(?!.*\.\.)[^/]{1,255}$"}),
]


class Input(FrozenModel):
    """Anything a rebuild reads."""

    role: Annotated[Role, Field(description="What the input is to the rebuild.")]
    locator: LocatorField
    sha256: Digest


def _fetched(locator: Locator) -> Locator:
    if isinstance(locator, VaultLocator):
        message = (
            "a shipped file is fetched from where customers get it; expected another locator than "
            "vault:..."
        )
        raise ValueError(message)  # noqa: TRY004  # pydantic wants it
    return locator


class PublishedFile(FrozenModel):
    """Where the vendor's file is, and its published digest."""

    locator: Annotated[LocatorField, AfterValidator(_fetched)]
    sha256: Digest


class Artefact(FrozenModel):
    """One shipped file."""

    name: Annotated[FileName, Field(description="The file's name in the output folder.")]
    shipped: PublishedFile


class RebuildLimits(FrozenModel):
    """What a rebuild may use; not part of the claim."""

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
    """What is expected of the release; an alarm and a demonstration, never a verdict."""

    verdict: Verdict


class ReviewRequirement(FrozenModel):
    """How many reviews the release needs; can add to the center's policy, never take away."""

    minimum: Annotated[
        int, Field(ge=0, le=100, description="Reviewers of exactly this source and claim.")
    ]


def _with_source(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    if not any(i.role is Role.SOURCE for i in inputs):
        message = "expected at least one with role source"
        raise ValueError(message)
    return inputs


def _distinct(artefacts: tuple[Artefact, ...]) -> tuple[Artefact, ...]:
    seen: set[str] = set()
    for artefact in artefacts:
        if artefact.name in seen:
            message = f"expected each name once; {artefact.name!r} is declared twice"
            raise ValueError(message)
        seen.add(artefact.name)
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
        Literal["samebits/recipe/v1"], Field(alias="schema", description="The form of this file.")
    ]
    vendor: Annotated[ProductName, Field(description="Who ships the release.")]
    product: Annotated[ProductName, Field(description="What is shipped.")]
    version: Annotated[
        ProductVersion, Field(description="The version as the vendor writes it; always text.")
    ]
    kind: Annotated[Kind, Field(description="What the release is.")]
    platform: Annotated[Literal["linux/amd64"], Field(description="Where the build runs.")]
    build: Annotated[BuildField, Field(description="How the release is built.")]
    inputs: Inputs
    artefacts: Artefacts
    by_products: Annotated[
        tuple[Glob, ...], Field(description="Outputs that are built and not shipped.")
    ] = ()
    ignore: Annotated[
        tuple[Glob, ...], Field(description="Outputs with no meaning of their own.")
    ] = ()
    limits: RebuildLimits = RebuildLimits()
    visibility: Annotated[
        Literal["public", "private"],
        Field(description="Private: nothing of the source may be told to the public."),
    ] = "public"
    reviews: Annotated[
        ReviewRequirement | None,
        Field(description="Reviews that must be there; only more than the policy asks for counts."),
    ] = None
    expect: Annotated[
        Expectation | None, Field(description="What is expected; an alarm, never a verdict.")
    ] = None

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"


class LoadedRecipe(FrozenModel):
    """A recipe and the folder that its `file:` locators start from."""

    recipe: Recipe
    path: Path

    @property
    def folder(self) -> Path:
        """Return the folder of the recipe's file."""
        return self.path.parent


def load_recipe(path: Path) -> LoadedRecipe:
    """Read and validate one recipe; raises `RecipeError` with file, line and field."""
    return parse_recipe(load_document(path), path)


def parse_recipe(document: Document, path: Path) -> LoadedRecipe:
    """Validate a document that is already read."""
    recipe = parse_model(
        document, Recipe, todo="`samebits recipe schema` prints what each field takes"
    )
    return LoadedRecipe(recipe=recipe, path=path)


def recipe_schema() -> str:
    """Return the JSON Schema of a recipe, as `recipes/schema/recipe.json` holds it."""
    schema: dict[str, Any] = Recipe.model_json_schema(by_alias=True, mode="validation")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
