"""The claim: everything that may change the outputs of a build.

Its digest is the SHA-256 of its canonical JSON (RFC 8785). Comments, limits, expectations, shipped
digests, locators and undeclared variation are not part of it, so centers that fetch from other
places or build on larger machines make the same claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from builders.core.digest import Digest, canonical_json
from builders.core.errors import RecipeError
from builders.core.smallfile import path_error, read_small_file
from builders.methods import METHODS
from builders.methods.base import Build
from builders.methods.method import launcher_bytes, zone_script
from builders.methods.script import ScriptBuild
from builders.preload.preload_lock import preload_lock, probe_bytes
from builders.recipe.recipe import LoadedRecipe, Recipe

MAX_SCRIPT = 256 << 10
"""Bytes of a script beside a recipe."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim and its digest."""

    digest: Digest
    content: dict[str, Any]


def claim_of(loaded: LoadedRecipe, image: Digest) -> Claim:
    """Return the claim of a recipe; `image` is the config digest that the image's lock pins."""
    recipe = loaded.recipe
    build = recipe.build
    method = METHODS[build.method]
    scripts = {
        "launcher": str(Digest.of(launcher_bytes())),
        "method": str(Digest.of(method.script_bytes())),
    }
    if build.clock is not None:
        scripts["clock"] = str(Digest.of(probe_bytes()))
        scripts["preload"] = str(preload_lock().library)
    if build.needs_zone_file:
        scripts["zone"] = str(Digest.of(zone_script()))
    if (own := recipe_script(loaded)) is not None:
        scripts["recipe"] = str(Digest.of(own))
    content = {
        "environment": build.declared_environment(),
        "image": str(image),
        "inputs": sorted([str(i.role), str(i.sha256)] for i in recipe.inputs),
        "kind": str(recipe.kind),
        "method": build.method,
        "parameters": _parameters(build),
        "platform": recipe.platform,
        "scripts": scripts,
    }
    if packed := claimed_packings(recipe):
        content["packing"] = packed
    return Claim(digest=Digest.of(canonical_json(content)), content=content)


def claimed_packings(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Return how outputs are packed again, by the names of artefacts."""
    return {
        artefact.name: artefact.packing.model_dump(mode="json", exclude_none=True)
        for artefact in recipe.artefacts
        if artefact.packing is not None
    }


def recipe_script(loaded: LoadedRecipe) -> bytes | None:
    """Return the script file of a recipe; None if it has none. Raises `RecipeError`."""
    build = loaded.recipe.build
    if not isinstance(build, ScriptBuild) or build.script is None:
        return None
    if loaded.script is not None:
        return loaded.script
    file, field = str(loaded.path), "build.script"
    path = loaded.folder / build.script
    try:
        inside = path.resolve(strict=True).is_relative_to(loaded.folder.resolve())
    except (OSError, RuntimeError) as error:
        raise RecipeError(
            "the script cannot be read",
            file=file,
            field=field,
            got=path_error(error),
            expected=f"a file {build.script} beside the recipe",
        ) from error
    if not inside:
        raise RecipeError(
            "the script lies outside the folder of the recipe",
            file=file,
            field=field,
            got=build.script,
            expected="a file beside the recipe",
        )
    return read_small_file(path, limit=MAX_SCRIPT, file=file, field=field)


def _parameters(build: Build) -> dict[str, Any]:
    """Return the fields that the method adds to those of every build."""
    shared = {*Build.model_fields, "method", "script"}
    return {k: v for k, v in build.model_dump(mode="json").items() if k not in shared}
