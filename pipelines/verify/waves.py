"""The order in which releases are verified: the bases of an update before it."""

from __future__ import annotations

from collections.abc import Sequence

from builders.recipe.recipe import LoadedRecipe


def waves(recipes: Sequence[LoadedRecipe]) -> list[list[int]]:
    """Return the positions of recipes in groups, each of which needs those before it alone.

    A base that is not among them is waited for by nobody.
    """
    releases = {loaded.recipe.release for loaded in recipes}
    waiting = {
        number: releases.intersection(loaded.recipe.bases.values())
        for number, loaded in enumerate(recipes)
    }
    found: list[list[int]] = []
    while waiting:
        left = {recipes[number].recipe.release for number in waiting}
        ready = [number for number, bases in waiting.items() if not bases & left]
        found.append(ready or list(waiting))  # releases that are based on each other
        for number in found[-1]:
            del waiting[number]
    return found
