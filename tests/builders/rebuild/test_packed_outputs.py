"""Outputs that are packed again as the recipe declares."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import BuildFailedError
from builders.jail.errors import JailEnd, JailFailedError
from builders.rebuild.outputs import take_outputs
from builders.rebuild.packed_outputs import pack_outputs
from builders.rebuild.rebuild_result import Output
from builders.recipe.claim import claim_of
from builders.recipe.recipe import LoadedRecipe, load_recipe
from builders.recipe.scope import scope_lines, scope_of
from tests.fakes.jail import OpenJail
from tests.lab import write_recipe

LEVEL_9 = {"format": "gzip", "encoder": {"level": 9}, "os": 19, "mtime": 1}


def recipe(folder: Path, packing: dict[str, Any] | None = LEVEL_9, **more: Any) -> LoadedRecipe:
    shipped = {"locator": "file:out.bin", "sha256": "a" * 64}
    artefact = {"name": "a.gz", "shipped": shipped, **({"packing": packing} if packing else {})}
    return load_recipe(write_recipe(folder, [["true"]], artefacts=[artefact], **more))


def built(folder: Path, loaded: LoadedRecipe, data: bytes, jail: OpenJail) -> tuple[Output, ...]:
    for name in ("out", "kept"):
        (folder / name).mkdir()
    (folder / "out" / "a.gz").write_bytes(data)
    (folder / "out" / "other.gz").write_bytes(data)
    outputs = take_outputs(folder / "out", folder / "kept", loaded.recipe)
    return pack_outputs(outputs, folder / "kept", loaded.recipe, jail)


def test_an_output_is_packed_as_declared_and_others_are_not(tmp_path: Path) -> None:
    content = b"content" * 1000
    ours = gzip.compress(content, 1, mtime=0)
    packed, other = built(tmp_path, recipe(tmp_path / "r"), ours, OpenJail())
    kept = (tmp_path / "kept/a.gz").read_bytes()
    expected = bytearray(gzip.compress(content, 9, mtime=1))
    expected[9] = 19
    assert kept == bytes(expected)
    assert (packed.sha256, packed.size) == (Digest.of(kept), len(kept))
    assert other.sha256 == Digest.of(ours)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["a.gz", "other.gz"]


@pytest.mark.parametrize(
    ("data", "size", "fault"),
    [
        (b"\x1f\x8b\x08 no gzip", "8GiB", "cannot be packed as the recipe declares"),
        (gzip.compress(bytes(20 << 20), 9, mtime=0), "16MiB", "too large when it is packed"),
    ],
)
def test_what_cannot_be_packed_is_a_failed_build(
    tmp_path: Path, data: bytes, size: str, fault: str
) -> None:
    packing = {**LEVEL_9, "encoder": {"level": 0}}
    loaded = recipe(tmp_path / "r", packing, limits={"scratch": size})
    with pytest.raises(BuildFailedError, match=fault):
        built(tmp_path, loaded, data, OpenJail())
    assert not list((tmp_path / "kept").glob(".*"))


def test_all_files_that_are_packed_share_the_scratch_space(tmp_path: Path) -> None:
    """Each of them alone would fit."""
    data = gzip.compress(bytes(6 << 20), 9, mtime=0)
    names = ("a.gz", "b.gz", "c.gz")
    shipped = {"locator": "file:out.bin", "sha256": "a" * 64}
    packing = {**LEVEL_9, "encoder": {"level": 0}}
    artefacts = [{"name": name, "shipped": shipped, "packing": packing} for name in names]
    script = write_recipe(
        tmp_path / "r", [["true"]], artefacts=artefacts, limits={"scratch": "16MiB"}
    )
    loaded = load_recipe(script)
    (tmp_path / "out").mkdir()
    (tmp_path / "kept").mkdir()
    for name in names:
        (tmp_path / "out" / name).write_bytes(data)
    outputs = take_outputs(tmp_path / "out", tmp_path / "kept", loaded.recipe)
    assert pack_outputs(outputs[:2], tmp_path / "kept", loaded.recipe, OpenJail())
    for name in names:
        (tmp_path / "kept" / name).write_bytes(data)
    with pytest.raises(BuildFailedError, match=r"c\.gz.*too large when it is packed"):
        pack_outputs(outputs, tmp_path / "kept", loaded.recipe, OpenJail())


def test_a_jail_that_fails_is_a_failed_build(tmp_path: Path) -> None:
    failing = OpenJail(JailFailedError(JailEnd.TIMED_OUT, "too long", got="no end"))
    with pytest.raises(BuildFailedError, match="too long"):
        built(tmp_path, recipe(tmp_path / "r"), b"", failing)


def test_a_packing_is_part_of_claim_and_scope(tmp_path: Path) -> None:
    image = Digest("b" * 64)
    plain, packed = recipe(tmp_path / "a", None), recipe(tmp_path / "b")
    assert "packing" not in claim_of(plain, image).content
    assert claim_of(packed, image).content["packing"]["a.gz"]["encoder"]["level"] == 9
    assert scope_of(plain.recipe).digest != scope_of(packed.recipe).digest
    assert "judged, packed again as gzip level 9 OS 19 mtime 1: a.gz" in scope_lines(packed.recipe)


def test_a_packing_carries_no_data(tmp_path: Path) -> None:
    names = [f"{'x' * 1000}{n}" for n in range(64)]
    packing = {"format": "tar", "order": {"first": names}}
    with pytest.raises(Exception, match="at most"):
        recipe(tmp_path, packing)
