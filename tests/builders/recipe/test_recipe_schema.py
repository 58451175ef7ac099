"""The schemas that editors read: current, explained, and of one mind with the parser."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from builders.images.definition import definition_schema as image_schema
from builders.recipe.recipe import recipe_schema
from tests.builders.recipe.bad_recipes import BAD, BEYOND_A_SCHEMA, EXPECTED

ROOT = Path(__file__).parents[3]
RELEASES = sorted((ROOT / "recipes" / "releases").rglob("*.yaml"))


SCHEMAS = {"recipe.json": recipe_schema, "image.json": image_schema}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_for_editors_are_current(name: str) -> None:
    kept, current = (ROOT / "recipes" / "schema" / name).read_text(), SCHEMAS[name]()
    assert kept == current, f"write recipes/schema/{name} anew: `samebits recipe schema`"
    jsonschema.Draft202012Validator.check_schema(json.loads(current))


def as_an_editor_reads(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """Return what checks documents against a schema, which is made and read once."""
    return jsonschema.Draft202012Validator(json.loads(SCHEMAS[name]()))


@pytest.mark.parametrize("path", RELEASES, ids=lambda p: p.parent.name)
def test_the_schema_accepts_every_release(path: Path) -> None:
    validator("recipe.json").validate(as_an_editor_reads(path))


@pytest.mark.parametrize("path", sorted((ROOT / "recipes" / "images").glob("*.yaml")))
def test_the_schema_accepts_every_image(path: Path) -> None:
    if not path.name.endswith(".lock.yaml"):
        validator("image.json").validate(as_an_editor_reads(path))


@pytest.mark.parametrize("name", [n for n in EXPECTED if n not in BEYOND_A_SCHEMA])
def test_the_schema_refuses_what_it_can_see(name: str) -> None:
    try:
        data = as_an_editor_reads(BAD / f"{name}.yaml")
    except (yaml.YAMLError, ValueError, TypeError, OverflowError):
        return  # an editor shows these without any schema
    with pytest.raises(jsonschema.ValidationError):
        validator("recipe.json").validate(data)


def test_the_schema_explains_its_fields() -> None:
    schema = json.loads(recipe_schema())
    assert set(schema["required"]) >= {"schema", "build", "inputs", "artefacts"}
    assert schema["properties"]["schema"]["const"] == "samebits/recipe/v1"
    memory = schema["$defs"]["RebuildLimits"]["properties"]["memory"]
    assert memory["type"] == "string"
    assert memory["default"] == "4GiB"
    assert "512MiB" in memory["examples"]
    models = [schema, *schema["$defs"].values()]
    plain = [
        f"{model['title']}.{name}"
        for model in models
        for name, field in model.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]
    assert plain == []
