"""The published records of a run make a recipe with the claim of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.recipe.claim import claim_of
from builders.recipe.recipe import LoadedRecipe, load_recipe
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.recorded_recipe import NotRecordedError, recorded_recipe
from pipelines.evidence.privatekey import PrivateKey
from tests.bundle.bundles import Altered, Maker, made


def opened(bundle: Altered) -> OpenedBundle:
    return OpenedBundle(data=bundle.to_bytes(), trust=bundle.trust())


def recipe_of(records: OpenedBundle, folder: Path) -> LoadedRecipe:
    path = folder / "recorded.yaml"
    path.write_text(json.dumps(recorded_recipe(records)))
    return load_recipe(path, unshipped=True)


def image_of(records: OpenedBundle) -> Digest:
    assert records.provenance is not None
    inputs = records.provenance.predicate.build_definition.resolved_dependencies
    (image,) = (item.digest.sha256 for item in inputs if item.annotation("role") == "image")
    assert image is not None
    return image


BUILD = {"script": None, "steps": [["sh", "-c", "true"]]}
DECLARED = {
    "clock": {"time": "2021-05-05T14:18:17Z", "mode": "advancing"},
    "umask": "027",
    "folder_order": "created",
    "environment": {"DEB_BUILD_OPTIONS": "nocheck", "PATH": "/bin"},
}


@pytest.mark.parametrize("scene", ["identical", "packed", "different", "unexpected"])
@pytest.mark.parametrize("declared", [{}, DECLARED], ids=["plain", "declared"])
def test_it_has_the_claim_of_the_run(
    key: PrivateKey, scene: str, declared: dict[str, Any], tmp_path: Path
) -> None:
    records = opened(made(tmp_path, key, scene=scene, build={**BUILD, **declared}))
    loaded = recipe_of(records, tmp_path)
    assert records.about.claim is not None
    assert claim_of(loaded, image_of(records)).digest == records.about.claim.sha256
    named = {b.name for b in records.comparisons if b.predicate.shipped}
    assert {artefact.name for artefact in loaded.recipe.artefacts} == named
    built = {item.name for item in records.provenance.by_products} if records.provenance else set()
    assert {*loaded.recipe.by_products} == built


def test_names_that_look_like_patterns_are_names(key: PrivateKey, tmp_path: Path) -> None:
    altered = made(tmp_path, key, build=BUILD)
    altered.report(
        lambda report: report["attempts"][0]["rebuild"]["outputs"].append(
            {"name": "[a]*.log", "size": 1, "sha256": "0" * 64, "part": "ignored"}
        )
    )
    assert recipe_of(opened(altered), tmp_path).recipe.ignore == ("rules.notes", "[[]a][*].log")


def test_records_that_do_not_say_how_it_was_built_make_none(
    bundle: Maker, key: PrivateKey, tmp_path: Path
) -> None:
    closed = made(tmp_path, key, build=BUILD)
    closed.statement("provenance-1", _leave_out_the_environment)
    for altered, why in (
        (bundle("failed"), "left nothing"),
        (bundle("identical"), "with a script file"),
        (closed, "source is closed"),
    ):
        with pytest.raises(NotRecordedError, match=why):
            recorded_recipe(opened(altered))


def _leave_out_the_environment(document: dict[str, Any]) -> None:
    del document["predicate"]["buildDefinition"]["externalParameters"]["environment"]
