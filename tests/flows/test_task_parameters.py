"""Prefect walks through what a task is given: it has to find its way."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.utilities.collections import visit_collection

from builders.core.runid import new_run_id
from builders.recipe.recipe import load_recipe
from pipelines.verify.session import Job
from tests.command import RELEASES


@pytest.mark.parametrize("recipe", sorted(RELEASES.glob("*/*/*.yaml")), ids=lambda p: p.parent.name)
def test_prefect_takes_the_recipes_that_there_are(recipe: Path, tmp_path: Path) -> None:
    job = Job(loaded=load_recipe(recipe), center="local", run=new_run_id(), folder=tmp_path)
    seen: list[object] = []
    visit_collection(job, visit_fn=seen.append, return_data=False)
    assert job.recipe.artefacts[0].name in seen
