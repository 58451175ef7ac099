"""Whatever the text: a recipe or one `RecipeError`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.errors import RecipeError
from builders.core.yamlfile import load_document, parse_document, parse_model
from builders.recipe.recipe import Recipe

EVERY_FIELD = Path(__file__).parents[2] / "data" / "recipes" / "good" / "every-field.yaml"


def recipe_or_error(text: str) -> None:
    try:
        parse_model(parse_document(text, file="recipe.yaml"), Recipe)
    except RecipeError as error:
        assert str(error).startswith("recipe.yaml:")  # noqa: PT017  # the other case is fine too
        json.dumps(error.to_dict()).encode()


@settings(max_examples=250, deadline=2000)
@given(st.text())
def test_any_text_is_a_recipe_or_an_error(text: str) -> None:
    recipe_or_error(text)


@settings(max_examples=250, deadline=2000)
@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@`# \n\t\\ab0~.<=ux", max_size=80))
def test_any_marks_are_a_recipe_or_an_error(text: str) -> None:
    recipe_or_error(text)


@settings(max_examples=250, deadline=2000)
@given(data=st.data())
def test_a_mutated_recipe_is_a_recipe_or_an_error(data: st.DataObject) -> None:
    text = EVERY_FIELD.read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 30))
        text = text[:at] + data.draw(st.text(max_size=5)) + text[at + cut :]
    recipe_or_error(text)


@settings(max_examples=150, deadline=2000)
@given(data=st.data())
def test_swapped_values_are_a_recipe_or_an_error(data: st.DataObject) -> None:
    tree = load_document(EVERY_FIELD).data
    node: Any = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(
            st.recursive(
                st.none() | st.text(max_size=9),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
                max_leaves=5,
            )
        )
        break
    recipe_or_error(yaml.safe_dump(tree, allow_unicode=True))
