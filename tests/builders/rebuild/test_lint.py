"""What `recipe lint` notes of text that may be data."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.methods.base import MAX_TEXT
from builders.rebuild.lint import recipe_warnings
from builders.recipe.recipe import load_recipe
from tests.lab import write_recipe

NOISE = random.Random(1).randbytes(150)  # noqa: S311  # the same bytes in every run
BASE64, HEX = base64.b64encode(NOISE).decode(), NOISE.hex()
UNSEARCHED = "declared text is not searched for copies"
RECIPES = sorted((Path(__file__).parents[3] / "recipes" / "releases").rglob("*.yaml"))


def encoded(path: Path) -> list[str]:
    return [note for note in recipe_warnings(load_recipe(path)) if "encoded" in note]


def test_encoded_data_in_declared_text_is_noted(tmp_path: Path) -> None:
    path = write_recipe(
        tmp_path / "x",
        [["sh", "-c", f"echo {HEX} | xxd -r -p"], ["sh", "-c", "true"]],
        build={"environment": {"DATA": f"x={BASE64}", "SHORT": BASE64[:100]}},
    )
    assert encoded(path) == [
        "build.environment.DATA looks like encoded data (200 characters of base64): " + UNSEARCHED,
        "build.steps.0 looks like encoded data (300 characters of hex): " + UNSEARCHED,
    ]


def test_encoded_data_in_a_script_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    path = write_recipe(folder, [], build={"steps": [], "script": "build.sh"})
    lines = base64.encodebytes(NOISE * 2).decode()
    (folder / "build.sh").write_text(f"#!/bin/sh\nbase64 -d <<. >/out/x\n{lines}.\n")
    (note,) = encoded(path)
    assert note.startswith("build.script looks like encoded data (4")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_no_recipe_of_ours_is_noted(path: Path) -> None:
    assert encoded(path) == []


def test_long_commands_are_no_data(tmp_path: Path) -> None:
    step = ["cp", "-r", *[f"/inputs/source/folder-{n}/and/many/words/of/it" for n in range(20)]]
    words = ["echo", "the quick brown fox jumps over the lazy dog and does so again " * 9]
    assert encoded(write_recipe(tmp_path / "x", [step, words])) == []


def test_an_opaque_input_is_noted_with_its_reason(tmp_path: Path) -> None:
    source = {"role": "source", "locator": "file:s.tar", "sha256": "a" * 64, "opaque": "encrypted"}
    notes = recipe_warnings(load_recipe(write_recipe(tmp_path / "x", [["true"]], inputs=[source])))
    assert "s.tar is not searched whole for copies: encrypted" in notes


def test_declared_text_is_bounded_as_a_whole(tmp_path: Path) -> None:
    steps = [["echo", "x" * 30_000]] * (MAX_TEXT // 30_000)
    load_recipe(write_recipe(tmp_path / "x", steps))
    with pytest.raises(RecipeError, match=f"expected at most {MAX_TEXT}"):
        load_recipe(write_recipe(tmp_path / "y", [*steps, steps[0]]))


def test_a_normalizer_is_said_to_be_no_match(tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "x", [["true"]])
    recipe = json.loads(path.read_text())
    recipe["artefacts"][0]["normalizers"] = [{"name": "ar-times", "reason": "its clock"}]
    path.write_text(json.dumps(recipe))
    (note,) = [note for note in recipe_warnings(load_recipe(path)) if "masked" in note]
    assert note.startswith("out.bin is masked by ar-times: at best it is EQUIVALENT, which no")


def test_a_signature_that_is_required_and_not_declared_is_noted(tmp_path: Path) -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    pins = {"signers": [str(Digest.of(bytes(3)))], "public_keys": [pem]}
    path = write_recipe(tmp_path / "x", [["true"]], kind="update")
    recipe = json.loads(path.read_text())
    (artefact,) = recipe["artefacts"]
    artefact["signature"] = {"format": "cdiff", **pins, "external": "required"}
    sign = {
        **artefact,
        "name": "out.bin.sign",
        "signature": {"format": "clamsign", "signers": pins["signers"]},
        "manifest": {"format": "clamsign", "files": {"signed-file": "out.bin"}},
    }
    for artefacts, noted in (([artefact], True), ([artefact, sign], False)):
        path.write_text(json.dumps({**recipe, "artefacts": artefacts}))
        notes = "".join(recipe_warnings(load_recipe(path)))
        assert ("out.bin needs an external signature, and no" in notes) is noted
