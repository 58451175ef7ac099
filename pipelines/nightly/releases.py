"""The releases of a recipes folder, and what tells whether one has changed since last night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Verdict
from builders.core.errors import UsageError
from builders.images import ImageCatalogue
from builders.images.provide import claimed_digest
from builders.recipe.claim import claim_of
from builders.recipe.recipe import Artefact, load_recipe
from pipelines.nightly.record import UnusableRecipe


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release, by its recipe; `recipe` is relative to the folder of recipes."""

    recipe: str
    release: str
    claim: Digest
    published: Digest
    expected: Verdict | None


def releases(folder: Path, images: ImageCatalogue) -> Iterator[Release | UnusableRecipe]:
    """Yield every release below `<folder>/releases`, in order of its file's name.

    A recipe that cannot be used is yielded as such and stops nobody; so is the second of two
    recipes for one release.
    """
    seen: dict[str, str] = {}
    for path in sorted((folder / "releases").rglob("*.yaml")):
        name = path.relative_to(folder).as_posix()
        try:
            one = _release(path, name, images)
        except UsageError as error:
            yield UnusableRecipe(recipe=name, error=str(error))
            continue
        if one.release in seen:
            yield UnusableRecipe(recipe=name, error=f"{one.release} is also in {seen[one.release]}")
            continue
        seen[one.release] = name
        yield one


def published_digest(artefacts: tuple[Artefact, ...]) -> Digest:
    """Return one digest over the names and published digests of artefacts."""
    return Digest.of(canonical_json(sorted([a.name, str(a.shipped.sha256)] for a in artefacts)))


def _release(path: Path, name: str, images: ImageCatalogue) -> Release:
    loaded = load_recipe(path)
    recipe = loaded.recipe
    return Release(
        recipe=name,
        release=recipe.release,
        claim=claim_of(loaded, claimed_digest(recipe.build.image, images)).digest,
        published=published_digest(recipe.artefacts),
        expected=recipe.expect.verdict if recipe.expect else None,
    )
