"""What an export for named recipes carries: a center without a network wants for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputUnavailableError
from builders.inputs.collect import collect_inputs
from builders.inputs.fetching import fetch_missing
from builders.inputs.vault import Vault
from builders.inputs.vault_archive import export_vault, import_vault
from builders.locators import FetchRequest
from builders.preload.preload_lock import preload_lock
from builders.recipe.recipe import load_recipe
from pipelines.center.center import Center, load_center
from pipelines.verify.explaining import DIFFER_IMAGE
from pipelines.verify.judging import shipped_want
from pipelines.verify.session import Session
from pipelines.verify.supplies import Supplies, images_of, supplies_of
from tests.command import samebits
from tests.fakes.jail import OpenJail
from tests.fakes.store import MemoryStore
from tests.lab import SOURCE, write_recipe
from tests.madeimages import made_image

CLOCK = {"clock": {"time": "2021-05-05T14:18:17Z", "mode": "frozen"}}


class AirGap:
    """A fetcher where there is nothing to fetch from."""

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        del into
        raise InputUnavailableError(f"no network: {', '.join(want.name for want in wants)}")


class Ground:
    """A center with made images, the derived one in its home alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "center.yaml"
        self.file.write_text(
            "schema: samebits/center/v1\nid: local\nhome: home\nrecipes: recipes\n"
        )
        self.center: Center = load_center(self.file)
        self.session = Session(self.center)
        images, derived = folder / "recipes" / "images", folder / "home" / "images"
        self.packages = {
            name: made_image(place, name, packages, self.session.vault)
            for place, name, packages in (
                (images, "small", ["tzdata"]),
                (images, preload_lock().image, ["gcc"]),
                (images, DIFFER_IMAGE, ["diffoscope"]),
                (derived, "small-0a1b2c3d", ["cmake"]),
            )
        }

    def recipe(self, image: str, **build: Any) -> Path:
        return write_recipe(self.folder / "engine", [["true"]], build={"image": image, **build})

    def needed(self, image: str, **build: Any) -> Supplies:
        return supplies_of(load_recipe(self.recipe(image, **build)), self.session)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


OWN = {Digest.of(SOURCE), Digest.of(b"shipped")}


def test_a_recipe_needs_inputs_what_was_shipped_and_packages(ground: Ground) -> None:
    needed = ground.needed("small")
    assert needed.digests == OWN | ground.packages["small"] | ground.packages[DIFFER_IMAGE]
    assert needed.files == ()


def test_a_declared_clock_is_compiled_somewhere(ground: Ground) -> None:
    plain, clock = ground.needed("small"), ground.needed("small", **CLOCK)
    assert clock.digests - plain.digests == ground.packages[preload_lock().image]


def test_each_image_is_named_once(ground: Ground) -> None:
    compiler = preload_lock().image
    build = load_recipe(ground.recipe(compiler, **CLOCK)).recipe.build
    assert images_of(build) == (compiler, DIFFER_IMAGE)


def test_a_derived_image_travels_as_two_files_and_its_packages(ground: Ground) -> None:
    needed = ground.needed("small-0a1b2c3d")
    assert needed.digests >= ground.packages["small-0a1b2c3d"]
    home = ground.center.home / "images"
    assert needed.files == (home / "small-0a1b2c3d.yaml", home / "small-0a1b2c3d.lock.yaml")
    assert all(path.is_file() for path in needed.files)


def test_an_image_by_its_digest_has_no_packages(ground: Ground) -> None:
    needed = ground.needed(f"example.org/image@sha256:{'1' * 64}")
    assert needed.digests == OWN | ground.packages[DIFFER_IMAGE]


def test_a_fresh_vault_wants_for_nothing(ground: Ground) -> None:
    path = ground.recipe("small-0a1b2c3d", **CLOCK)
    loaded = load_recipe(path)
    archive = ground.folder / "inputs.tar"
    export_vault(ground.session.vault, supplies_of(loaded, ground.session).digests, archive)
    vault, work = Vault(MemoryStore()), ground.folder / "work"
    import_vault(vault, archive)
    (path.parent / "source.c").unlink()
    collect_inputs(loaded, vault, AirGap(), work, OpenJail())
    fetch_missing(
        vault, AirGap(), [shipped_want(a, path.parent) for a in loaded.recipe.artefacts], work
    )
    for name in images_of(loaded.recipe.build):
        fetch_missing(vault, AirGap(), ground.session.images.lock(name).fetch_requests(), work)
    with pytest.raises(InputUnavailableError):
        fetch_missing(vault, AirGap(), ground.session.images.lock("small").fetch_requests(), work)


def test_the_command_says_what_must_travel_beside_the_archive(ground: Ground) -> None:
    recipe, archive = ground.recipe("small-0a1b2c3d", **CLOCK), ground.folder / "inputs.tar"
    words = ("vault", "export", archive, recipe, "--center", ground.file)
    ended = samebits(*words, home=ground.folder / "home")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("exported 8 inputs, ")
    for end in (".yaml", ".lock.yaml"):
        path = ground.center.home / "images" / f"small-0a1b2c3d{end}"
        assert f"copy too, to recipes/images there: {path}\n" in ended.err


def test_what_several_recipes_need_travels_once(ground: Ground) -> None:
    recipes = [
        write_recipe(ground.folder / name, [["true"]], build={"image": image})
        for name, image in (
            ("one", "small"),
            ("two", "small-0a1b2c3d"),
            ("three", "small-0a1b2c3d"),
        )
    ]
    archive, options = ground.folder / "inputs.tar", ("--json", "--center", ground.file)
    ended = samebits("vault", "export", archive, *recipes, *options, home=ground.folder / "home")
    home, needed = (
        ground.center.home / "images",
        [ground.needed(i) for i in ("small", "small-0a1b2c3d")],
    )
    assert ended.code == 0, ended.err
    assert ended.document()["inputs"] == len(needed[0].digests | needed[1].digests)
    assert ended.document()["carry_too"] == [
        str(home / f"small-0a1b2c3d{end}") for end in (".yaml", ".lock.yaml")
    ]
