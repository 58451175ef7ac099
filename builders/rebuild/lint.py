"""What is checked of a recipe before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from builders.archives.encoded_text import encoded_runs
from builders.core.errors import RecipeError
from builders.images import ImageCatalogue
from builders.images.provide import claimed_digest
from builders.inputs.input_file import InputFile, input_name
from builders.rebuild.plan import make_plan
from builders.recipe.claim import claim_of, recipe_script
from builders.recipe.recipe import LoadedRecipe, load_recipe
from builders.recipe.update_manifest import ManifestName


def check_recipes(
    paths: Iterable[Path], images: ImageCatalogue, *, unshipped: bool = False
) -> list[LoadedRecipe]:
    """Load every recipe and plan its rebuild; raises `UsageError` for the first bad recipe."""
    return [check_recipe(path, images, unshipped=unshipped) for path in paths]


def check_recipe(path: Path, images: ImageCatalogue, *, unshipped: bool = False) -> LoadedRecipe:
    """Load a recipe, find its image, plan its rebuild; raises `UsageError` for the first fault.

    `unshipped` takes artefacts without `shipped` too.
    """
    loaded = load_recipe(path, unshipped=unshipped)
    claim_of(loaded, claimed_digest(loaded.recipe.build.image, images))
    _require_zones(loaded, images)
    inputs = tuple(
        InputFile(role=i.role, name=input_name(i), sha256=i.sha256) for i in loaded.recipe.inputs
    )
    make_plan(loaded, inputs, script=recipe_script(loaded), cores=1)
    return loaded


def _require_zones(loaded: LoadedRecipe, images: ImageCatalogue) -> None:
    """Refuse a time zone that an image without time zone data cannot have."""
    build = loaded.recipe.build
    if not build.needs_zone_file or "@sha256:" in build.image:
        return
    if not any(package.name == "tzdata" for package in images.lock(build.image).every()):
        raise RecipeError(
            "the builder image has no time zone data: the build would use UTC",
            file=str(loaded.path),
            field="build.timezone",
            got=f"{build.timezone} in image {build.image}",
            expected="an image with the package tzdata",
            todo="Choose another image, or add tzdata to its definition and lock it again",
        )


def recipe_warnings(loaded: LoadedRecipe) -> list[str]:
    """Return what a recipe may have, but is probably a mistake."""
    recipe = loaded.recipe
    found = []
    if not loaded.path.match(f"{recipe.vendor}/{recipe.product}/{recipe.version}.yaml"):
        found.append(f"the file is not at {recipe.vendor}/{recipe.product}/{recipe.version}.yaml")
    if unshipped := [a.name for a in recipe.artefacts if a.shipped is None]:
        found.append(
            f"no `shipped` for {', '.join(unshipped[:3])}: before the release ships, the recipe "
            "can be rebuilt and judge candidates (`samebits verify --candidate DIR`), no more"
        )
    if recipe.expect is None:
        found.append("no expect.verdict: a worse verdict raises no alarm")
    found += [
        f"{name} is masked by {one.name}: at best it is EQUIVALENT, which no consensus counts as "
        "reproduced; a declared parameter that gives these bytes makes it IDENTICAL"
        for name, ones in recipe.normalizers.items()
        for one in ones
    ]
    found += [
        f"{artefact.name} is judged by what it gives: at best it is EQUIVALENT, which no consensus "
        "counts as reproduced; its target is what counts"
        for artefact in recipe.artefacts
        if artefact.delta and artefact.stands_in
    ]
    external = {
        name
        for one in recipe.manifests.values()
        if one.format is ManifestName.CLAMSIGN
        for name in one.files.values()
    }
    found += [
        f"{name} needs an external signature, and no manifest of format clamsign is one: it is "
        "DIFFERENT, whatever its bytes"
        for name, one in recipe.signatures.items()
        if one.external and name not in external
    ]
    found += [
        f"{input_name(item)} is not searched whole for copies: {item.opaque}"
        for item in recipe.inputs
        if item.opaque
    ]
    found += [
        f"{where} looks like encoded data ({run}): declared text is not searched for copies"
        for where, text in _declared_text(loaded)
        for run in encoded_runs(text)
    ]
    return found


def _declared_text(loaded: LoadedRecipe) -> Iterator[tuple[str, str]]:
    """Yield each piece of text that a build is given, and the field that declares it."""
    yield from _texts("build", loaded.recipe.build.model_dump(mode="json"))
    if (script := recipe_script(loaded)) is not None:
        yield "build.script", script.decode("latin-1")


def _texts(where: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield where, value
        case dict():
            for name, inner in value.items():
                yield from _texts(f"{where}.{name}", inner)
        case list():
            if value and all(isinstance(word, str) for word in value):
                yield where, " ".join(value)
            else:
                for number, inner in enumerate(value):
                    yield from _texts(f"{where}.{number}", inner)
