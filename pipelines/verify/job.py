"""A run of one release, as steps pass it around: small, frozen, without services."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builders.container.spec import RunLabels
from builders.core.runid import RunId
from builders.recipe.recipe import LoadedRecipe, Recipe


@dataclass(frozen=True, kw_only=True)
class Job:
    """Which recipe, for which center, under which run id, in which folder."""

    loaded: LoadedRecipe
    center: str
    run: RunId
    folder: Path
    flow_run: str = ""

    @property
    def recipe(self) -> Recipe:
        """The parsed recipe."""
        return self.loaded.recipe

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return self.recipe.release

    @property
    def labels(self) -> RunLabels:
        """The labels of everything that is created for this run."""
        return RunLabels(run=self.run, center=self.center, flow_run=self.flow_run)

    def attempt(self, number: int) -> Path:
        """Return the folder of one attempt, from 1."""
        return self.folder / f"attempt-{number}"
