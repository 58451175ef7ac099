"""The recipes of this repository: what lies beside them is what they pin."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import digest_file
from builders.locators import FileLocator
from builders.recipe.recipe import load_recipe
from tests.command import RELEASES

RECIPES = sorted(RELEASES.glob("*/*/*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(RELEASES)))
def test_files_beside_a_recipe_have_the_digests_that_it_pins(path: Path) -> None:
    loaded = load_recipe(path)
    recipe = loaded.recipe
    assert path == RELEASES / recipe.vendor / recipe.product / f"{recipe.version}.yaml"
    for item in recipe.inputs:
        if isinstance(item.locator, FileLocator):
            assert digest_file(loaded.folder / item.locator.path) == item.sha256, item.locator
