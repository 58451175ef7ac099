"""Artefacts inside of other outputs."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.errors import BuildFailedError, RecipeError
from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.rebuild.member_outputs import take_members
from builders.rebuild.outputs import take_outputs
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.recipe import Input, Recipe, load_recipe
from tests.conftest import Maker
from tests.fakes.jail import OpenJail
from tests.lab import write_recipe


def recipe(folder: Path, output: str = "all.tar#bin/tool", **more: Any) -> Recipe:
    shipped = {"locator": "file:out.bin", "sha256": "a" * 64}
    artefacts = [{"name": "tool", "shipped": shipped, "output": output}]
    fields = {"by_products": ["all.tar"], "artefacts": artefacts, **more}
    return load_recipe(write_recipe(folder / "member", [["true"]], **fields)).recipe


def built(folder: Path, loaded: Recipe, jail: OpenJail, **files: bytes) -> tuple[Output, ...]:
    (folder / "out").mkdir()
    (folder / "kept").mkdir()
    for name, data in files.items():
        (folder / "out" / name.replace("_", ".")).write_bytes(data)
    outputs = take_outputs(folder / "out", folder / "kept", loaded)
    return take_members(outputs, folder / "kept", loaded, jail)


def test_a_file_inside_of_an_output_is_an_output_of_its_own(
    tmp_path: Path, make_tar: Maker
) -> None:
    archive = make_tar({"bin/tool": b"tool", "bin/other": b"x"})
    outer, member = built(tmp_path, recipe(tmp_path), OpenJail(), all_tar=archive)
    assert (outer.name, outer.part) == ("all.tar", OutputKind.BY_PRODUCT)
    assert member == Output(
        name="tool", size=4, sha256=Digest.of(b"tool"), part=OutputKind.ARTEFACT
    )
    assert (tmp_path / "kept/tool").read_bytes() == b"tool"


@pytest.mark.parametrize(("size", "outputs"), [(1 << 20, 2), (20 << 20, 1)])
def test_a_member_that_fills_the_scratch_space_is_no_output(
    tmp_path: Path, make_tar: Maker, size: int, outputs: int
) -> None:
    archive = gzip.compress(make_tar({"bin/tool": bytes(size)}))
    loaded = recipe(tmp_path, limits={"scratch": "16MiB"})
    assert len(built(tmp_path, loaded, OpenJail(), all_tar=archive)) == outputs
    assert (tmp_path / "kept/tool").exists() is (outputs == 2)


@pytest.mark.parametrize("data", [b"no archive", b""])
def test_what_is_not_there_is_no_output(tmp_path: Path, make_tar: Maker, data: bytes) -> None:
    archive = data or make_tar({"bin/other": b"x"})
    (outer,) = built(tmp_path, recipe(tmp_path), OpenJail(), all_tar=archive)
    assert outer.name == "all.tar"
    assert not (tmp_path / "kept/tool").exists()


def test_a_jail_that_fails_leaves_no_half_output(tmp_path: Path, make_tar: Maker) -> None:
    failing = OpenJail(JailFailedError(JailEnd.TIMED_OUT, "too long", got="no end"))
    archive = make_tar({"bin/tool": b"tool"})
    assert len(built(tmp_path, recipe(tmp_path), failing, all_tar=archive)) == 1
    assert not (tmp_path / "kept/tool").exists()


def test_without_a_jail_nothing_is_judged(tmp_path: Path, make_tar: Maker) -> None:
    none = OpenJail(JailUnavailableError("there is none"))
    with pytest.raises(JailUnavailableError):
        built(tmp_path, recipe(tmp_path), none, all_tar=make_tar({"bin/tool": b"tool"}))


def test_a_build_cannot_leave_the_file_itself(tmp_path: Path) -> None:
    with pytest.raises(BuildFailedError, match="left an output tool"):
        built(tmp_path, recipe(tmp_path), OpenJail(), tool=b"from elsewhere")


@pytest.mark.parametrize("output", ["all.tar", "#x", "all.tar#", "all.tar#/x", "a/b#x", "a#b#c"])
def test_an_output_of_another_form_is_refused(tmp_path: Path, output: str) -> None:
    with pytest.raises(RecipeError, match="output"):
        recipe(tmp_path, output)


def test_an_artefact_is_not_inside_of_one_that_is_inside(tmp_path: Path) -> None:
    shipped = {"locator": "file:out.bin", "sha256": "a" * 64}
    chain = [
        {"name": name, "shipped": shipped, "output": output}
        for name, output in (("tool", "all.tar#x"), ("part", "tool#y"))
    ]
    with pytest.raises(RecipeError, match="no output itself"):
        recipe(tmp_path, artefacts=chain)


def test_an_input_is_a_whole_file() -> None:
    with pytest.raises(ValidationError, match="an input is a whole file"):
        Input.model_validate(
            {
                "role": "source",
                "locator": "pkg:deb/debian/tool@1?arch=amd64#usr/bin/tool",
                "sha256": "a" * 64,
            }
        )
