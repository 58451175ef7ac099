"""What is checked of a recipe before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from builders.build.plan import make_plan
from builders.core.errors import RecipeError
from builders.images import ImageCatalogue
from builders.images.provide import claimed_digest
from builders.inputs.collect import input_name
from builders.inputs.input_file import InputFile
from builders.recipe.claim import claim_of, recipe_script
from builders.recipe.recipe import LoadedRecipe, load_recipe


def check_recipes(paths: Iterable[Path], images: ImageCatalogue) -> list[LoadedRecipe]:
    """Load every recipe and plan its rebuild; raises for the first that cannot be used."""
    return [check_recipe(path, images) for path in paths]


def check_recipe(path: Path, images: ImageCatalogue) -> LoadedRecipe:
    """Load a recipe, find its image, plan its rebuild; raises `UsageError` for the first fault."""
    loaded = load_recipe(path)
    claim_of(loaded, claimed_digest(loaded.recipe.build.image, images))
    _require_zones(loaded, images)
    inputs = tuple(
        InputFile(role=i.role, name=input_name(i), sha256=i.sha256) for i in loaded.recipe.inputs
    )
    make_plan(loaded, inputs, script=recipe_script(loaded), cores=1)
    return loaded


def _require_zones(loaded: LoadedRecipe, images: ImageCatalogue) -> None:
    """Refuse a time zone that the lock of the image shows it cannot know."""
    build = loaded.recipe.build
    if not build.needs_zone_file or "@sha256:" in build.image:
        return
    if not any(package.name == "tzdata" for package in images.lock(build.image).every()):
        raise RecipeError(
            "the builder image knows no time zones: the build would read UTC",
            file=str(loaded.path),
            field="build.timezone",
            got=f"{build.timezone} in image {build.image}",
            expected="an image with the package tzdata",
            todo="Choose one that has it, or add tzdata to the definition and lock it anew",
        )


def draft_notes(text: str) -> list[str]:
    """Return what a draft says of itself as a whole, one line each; empty for other recipes."""
    notes: list[str] = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        if line.startswith("#   ") and notes:
            notes[-1] += " " + line.removeprefix("#   ")
        else:
            notes.append(line.removeprefix("# "))
    return notes if notes and notes[0].startswith("draft: ") else []


def warnings(loaded: LoadedRecipe) -> list[str]:
    """Return what is allowed and yet looks like a slip."""
    recipe = loaded.recipe
    found = []
    if not loaded.path.match(f"{recipe.vendor}/{recipe.product}/{recipe.version}.yaml"):
        found.append(f"the file is not at {recipe.vendor}/{recipe.product}/{recipe.version}.yaml")
    if recipe.expect is None:
        found.append("no expect.verdict: a change for the worse raises no alarm")
    return found
