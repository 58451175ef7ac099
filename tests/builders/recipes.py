"""Recipes for tests of what comes after the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.recipe.recipe import LoadedRecipe, Recipe

IMAGE = Digest("1" * 64)
SOURCE = "a" * 64
TOOL = "b" * 64

DEBIAN: dict[str, Any] = {"method": "debian", "image": "debian-trixie-build"}
WHEEL: dict[str, Any] = {"method": "wheel", "image": "python-wheel"}
SCRIPT: dict[str, Any] = {
    "method": "script",
    "image": "debian-trixie-build",
    "steps": [["cp", "/inputs/source/rules.tar", "/out/two words"], ["true"]],
}


def recipe(build: dict[str, Any] = DEBIAN, **changes: Any) -> LoadedRecipe:
    """Return a small recipe; `changes` replace its top fields."""
    folder = changes.pop("folder", Path("/recipes"))
    data = {
        "schema": "samebits/recipe/v1",
        "vendor": "acme",
        "product": "rules",
        "version": "1.10",
        "kind": "binary",
        "platform": "linux/amd64",
        "build": build,
        "inputs": [
            {"role": "source", "locator": "file:rules.dsc", "sha256": SOURCE},
            {"role": "toolchain", "locator": "file:tool.whl", "sha256": TOOL},
        ],
        "artefacts": [
            {"name": "rules.deb", "shipped": {"locator": "file:rules.deb", "sha256": "c" * 64}}
        ],
        **changes,
    }
    return LoadedRecipe(recipe=Recipe.model_validate(data), path=folder / "1.10.yaml")
