"""The recipe: how one release is rebuilt, from which pinned inputs.

Parsed once, at the edge; after that everything is a frozen, typed value. Paths in a recipe are
relative to the file it stands in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from builders.build import Model
from builders.digest import Digest
from builders.locators.locator import FileLocator, LocatorField
from builders.methods import BuildField
from builders.units import Duration, Size
from builders.words import Kind, Role, Verdict
from builders.yamlfile import Document, load_document, parse_model

SCHEMA = "samebits/recipe/v1"
_MIB, _GIB, _TIB = 1 << 20, 1 << 30, 1 << 40

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~:!-]{0,127}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+~:!@=,%-]{0,254}$")]


def _glob(text: str) -> str:
    if "/" in text or "\0" in text or ".." in text or text in {"", "*"}:
        message = "expected a file name pattern such as *.buildinfo, without a folder"
        raise ValueError(message)
    return text


Glob = Annotated[str, StringConstraints(max_length=255), AfterValidator(_glob)]


class Input(Model):
    """Anything a rebuild reads."""

    role: Role
    locator: LocatorField
    sha256: Digest


class Shipped(Model):
    """Where the vendor's file is, and its published digest."""

    locator: LocatorField
    sha256: Digest


class Artefact(Model):
    """One shipped file."""

    name: FileName
    shipped: Shipped


class Limits(Model):
    """What a rebuild may use; not part of the claim."""

    cpus: Annotated[float, Field(ge=0.1, le=256)] = 2
    memory: Annotated[Size, Field(ge=32 * _MIB, le=4 * _TIB)] = 4 * _GIB
    scratch: Annotated[Size, Field(ge=16 * _MIB, le=4 * _TIB)] = 8 * _GIB
    time: Annotated[Duration, Field(ge=1, le=7 * 24 * 3600)] = 30 * 60
    pids: Annotated[int, Field(ge=16, le=65536)] = 4096
    outputs: Annotated[int, Field(ge=1, le=100_000)] = 1000


class Expect(Model):
    """What is expected of the release; an alarm and a demonstration, never a verdict."""

    verdict: Verdict


class Recipe(Model):
    """One release and its rebuild."""

    schema_: Annotated[Literal["samebits/recipe/v1"], Field(alias="schema")]
    vendor: Name
    product: Name
    version: Version
    kind: Kind
    platform: Literal["linux/amd64"]
    build: BuildField
    inputs: Annotated[tuple[Input, ...], Field(min_length=1, max_length=10_000)]
    artefacts: Annotated[tuple[Artefact, ...], Field(min_length=1, max_length=10_000)]
    by_products: tuple[Glob, ...] = ()
    ignore: tuple[Glob, ...] = ()
    limits: Limits = Limits()
    expect: Expect | None = None

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [artefact.name for artefact in self.artefacts]
        if twice := {name for name in names if names.count(name) > 1}:
            message = f"artefacts: {min(twice)!r} is declared twice"
            raise ValueError(message)
        if not any(i.role is Role.SOURCE for i in self.inputs):
            message = "inputs: expected at least one with role source"
            raise ValueError(message)
        return self


class LoadedRecipe(Model):
    """A recipe and the folder that its `file:` locators start from."""

    recipe: Recipe
    path: Path

    @property
    def folder(self) -> Path:
        """Return the folder of the recipe's file."""
        return self.path.parent


def load_recipe(path: Path) -> LoadedRecipe:
    """Read and validate one recipe; raises `RecipeError` with file, line and field."""
    return recipe_from(load_document(path), path)


def recipe_from(document: Document, path: Path) -> LoadedRecipe:
    """Validate a document that is already read."""
    return LoadedRecipe(recipe=parse_model(document, Recipe), path=path)


def file_locators(recipe: Recipe) -> list[FileLocator]:
    """Return every `file:` locator of `recipe`."""
    every = [i.locator for i in recipe.inputs] + [a.shipped.locator for a in recipe.artefacts]
    return [locator for locator in every if isinstance(locator, FileLocator)]


def json_schema() -> str:
    """Return the JSON Schema of a recipe, as `recipes/schema/recipe.json` holds it."""
    schema: dict[str, Any] = Recipe.model_json_schema(by_alias=True, mode="validation")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
