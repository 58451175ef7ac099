"""A run of one release, as tasks pass it around: small, frozen, without clients."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from builders.container.container import RunLabels
from builders.core.runid import RunId
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.center.center import Center
from pipelines.evidence.report import Record
from pipelines.verify.session import Workshop, workshop


class Job(Record):
    """Which recipe, for which center, under which run id, in which folder."""

    recipe: Path
    center: Center
    run: RunId
    folder: Path
    flow_run: str = ""

    def loaded(self) -> LoadedRecipe:
        """Return the recipe; it was validated when the job was made."""
        return _load(self.recipe)

    @property
    def release(self) -> str:
        """Return `vendor/product@version`."""
        return self.loaded().recipe.release

    def shop(self) -> Workshop:
        """Return the clients of this process."""
        return workshop(self.center)

    def labels(self) -> RunLabels:
        """Return the labels of everything that is created for this run."""
        return RunLabels(run=self.run, center=self.center.id, flow_run=self.flow_run)


@cache
def _load(path: Path) -> LoadedRecipe:
    return load_recipe(path)
