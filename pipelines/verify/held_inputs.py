"""What the vault holds, named by the recipes and the locked images that use it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import SamebitsError
from builders.core.frozen_model import FrozenModel
from builders.inputs.input_file import input_name
from builders.locators.dsc import companions
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.verify.session import Session

_Use = tuple[Digest, str, str]
"""A digest, a file name, and what uses the file."""


class HeldInput(FrozenModel):
    """One file of the vault; no name where no recipe and no lock of this center has its digest."""

    sha256: Digest
    name: str | None
    used_by: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return self.model_dump(mode="json")


def held_inputs(session: Session) -> list[HeldInput]:
    """Return every file of the vault, those that something uses first; no file is read in full."""
    uses: dict[Digest, dict[str, str]] = defaultdict(dict)
    for digest, name, user in (*_of_recipes(session), *_of_images(session)):
        uses[digest].setdefault(user, name)
    held = [
        HeldInput(sha256=d, name=next(iter(uses[d].values()), None), used_by=tuple(uses[d]))
        for d in session.vault.digests()
    ]
    return sorted(held, key=lambda one: (not one.used_by, one.used_by, one.name or "", one.sha256))


def _of_recipes(session: Session) -> Iterator[_Use]:
    for path in sorted((session.center.recipes / "releases").rglob("*.yaml")):
        try:
            yield from _of_recipe(load_recipe(path), session)
        except SamebitsError:
            continue  # `recipe lint` says what is wrong with it


def _of_recipe(loaded: LoadedRecipe, session: Session) -> Iterator[_Use]:
    release = str(loaded.recipe.release)
    for item in loaded.recipe.inputs:
        name = input_name(item)
        yield item.sha256, name, f"{release} ({item.role})"
        if name.endswith(".dsc") and session.vault.has(item.sha256):
            with session.vault.open(item.sha256) as stream:
                found = companions(stream, session.jail, what=name)
            yield from ((c.sha256, c.name, f"{release} ({item.role})") for c in found)
    for artefact in loaded.recipe.artefacts:
        if artefact.shipped is not None:
            yield artefact.shipped.sha256, artefact.name, f"{release} (shipped)"


def _of_images(session: Session) -> Iterator[_Use]:
    for name in session.images.names():
        if session.images.has_lock(name):
            for package in session.images.lock(name).every():
                yield package.sha256, package.path.name, f"image {name}"
