"""Releases of a chain are verified in its order, all others side by side."""

from __future__ import annotations

from pathlib import Path

from builders.core.digest import Digest
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.verify.waves import waves
from tests.lab import SOURCE, write_recipe

SOURCE_INPUT = {"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))}


def release(folder: Path, version: str, *bases: str) -> LoadedRecipe:
    inputs = [
        {"role": "base", "locator": "file:b", "sha256": str(Digest.of(b.encode())), "release": b}
        for b in bases
    ]
    return load_recipe(
        write_recipe(
            folder / version / "agent",
            [["true"]],
            version=version,
            kind="update" if bases else "binary",
            inputs=[SOURCE_INPUT, *inputs],
        )
    )


def test_the_bases_of_an_update_come_first(tmp_path: Path) -> None:
    chain = [
        release(tmp_path, "3", "lab/agent@2", "lab/agent@1"),
        release(tmp_path, "2", "lab/agent@1"),
        release(tmp_path, "1"),
        release(tmp_path, "9", "lab/agent@8"),
    ]
    assert waves(chain) == [[2, 3], [1], [0]]
    assert waves([chain[0], chain[0]]) == [[0, 1]]
    assert waves([]) == []


def test_releases_that_are_based_on_each_other_are_verified_all_the_same(tmp_path: Path) -> None:
    one, other = release(tmp_path, "2", "lab/agent@1"), release(tmp_path, "3", "lab/agent@2")
    base = one.recipe.inputs[1].model_copy(update={"release": "lab/agent@3"})
    recipe = one.recipe.model_copy(update={"inputs": (one.recipe.inputs[0], base)})
    assert waves([one.model_copy(update={"recipe": recipe}), other]) == [[0, 1]]
