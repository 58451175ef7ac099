"""The SBOM: valid, complete, and the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from builders.core.digest import canonical_json
from builders.images.lock import load_lock
from builders.recipe.recipe import Recipe, load_recipe
from pipelines.evidence import sbom as sbom_module
from pipelines.evidence.sbom import sbom

ROOT = Path(__file__).parents[2] / "recipes"
LOCK = load_lock(ROOT / "images" / "debian-trixie-build.lock.yaml")


def _recipe() -> Recipe:
    return load_recipe(ROOT / "releases" / "debian" / "netbase" / "6.5.yaml").recipe


def test_it_is_what_cyclonedx_asks_for() -> None:
    data = sbom(_recipe(), image=LOCK.image.config, lock=LOCK)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None


def test_the_same_recipe_and_lock_give_the_same_bytes() -> None:
    first = sbom(_recipe(), image=LOCK.image.config, lock=LOCK)
    sbom_module._sbom.cache_clear()
    second = sbom(_recipe(), image=LOCK.image.config, lock=LOCK)
    assert first is not second
    assert first == second
    document = json.loads(first)
    assert canonical_json(document) == first
    assert "timestamp" not in document["metadata"]


def test_every_package_and_input_is_in_it() -> None:
    document = json.loads(sbom(_recipe(), image=LOCK.image.config, lock=LOCK))
    digests = {c["hashes"][0]["content"] for c in document["components"]}
    assert digests == {str(p.sha256) for p in LOCK.every()} | {
        str(i.sha256) for i in _recipe().inputs
    }
    purls = {c.get("purl", "") for c in document["components"]}
    assert all(p.startswith("pkg:deb/debian/") for p in purls)
    assert document["metadata"]["component"]["hashes"][0]["content"] == str(LOCK.image.config)


def test_another_input_gives_another_serial_number() -> None:
    recipe = _recipe()
    other = recipe.inputs[0].model_copy(update={"sha256": recipe.artefacts[0].published.sha256})
    changed = recipe.model_copy(update={"inputs": (other,)})
    serials = [
        json.loads(sbom(r, image=LOCK.image.config, lock=LOCK))["serialNumber"]
        for r in (recipe, changed)
    ]
    assert serials[0] != serials[1]


def test_an_image_pulled_by_digest_is_one_component() -> None:
    recipe = _recipe()
    name = "registry.internal:5000/base/builder@sha256:" + "a" * 64
    build = recipe.build.model_copy(update={"image": name})
    data = sbom(
        recipe.model_copy(update={"build": build}),
        image=recipe.inputs[0].sha256,
        lock=None,
    )
    document = json.loads(data)
    assert document["metadata"]["component"]["name"] == "builder"
    assert b"registry.internal" not in data
