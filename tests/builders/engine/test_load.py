"""A loaded image has a name, so that `docker image prune` spares it, though not with `--all`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.engine import Engine
from builders.images.definition import ImageDefinition
from builders.images.oci_archive import BuiltImage, write_archive
from builders.images.provide import load_image
from tests.builders.engine.ownengine import OwnEngine, own_engine

pytestmark = [pytest.mark.engine, pytest.mark.root]


@pytest.fixture(scope="module")
def running() -> Iterator[OwnEngine]:
    with own_engine() as own:
        yield own


@pytest.fixture
def engine(running: OwnEngine) -> Iterator[Engine]:
    engine = Engine.connect(running.host)
    yield engine
    engine.close()


@pytest.fixture
def built(tmp_path: Path) -> BuiltImage:
    (tmp_path / "root").mkdir()
    definition = ImageDefinition.model_validate({"schema": "samebits/image/v1", "suite": "trixie"})
    return write_archive(tmp_path / "root", definition, 0, 0, tmp_path / "image.tar")


def docker(running: OwnEngine, *words: str) -> str:
    command = ["docker", "--host", running.host, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_prune_of_images_without_names_spares_a_builder_image(
    running: OwnEngine, engine: Engine, built: BuiltImage
) -> None:
    provided = load_image("rules-build", built, engine)
    docker(running, "image", "prune", "--force")
    assert engine.has_image(provided.reference)
    assert engine.has_image(f"samebits/rules-build:{provided.config.hex[:12]}")


def test_a_prune_of_all_images_takes_it_unless_a_container_has_it(
    running: OwnEngine, engine: Engine, built: BuiltImage
) -> None:
    """A label would be part of the config, whose digest is claimed, so an image has none."""
    provided = load_image("rules-build", built, engine)
    container = docker(running, "create", provided.reference, "true")
    docker(running, "image", "prune", "--all", "--force")
    assert engine.has_image(provided.reference)
    docker(running, "rm", container)
    docker(running, "image", "prune", "--all", "--force")
    assert not engine.has_image(provided.reference)
    assert load_image("rules-build", built, engine) == provided


def test_images_are_listed_by_our_names_and_removed_by_them(
    running: OwnEngine, engine: Engine, built: BuiltImage
) -> None:
    provided = load_image("rules-build", built, engine)
    name = f"samebits/rules-build:{provided.config.hex[:12]}"
    docker(running, "tag", provided.reference, "samebits/rules-build:0123456789ab")
    docker(running, "tag", provided.reference, "somebody/else:1")
    found = engine.named_images()
    assert [image.name for image in found] == sorted([name, "samebits/rules-build:0123456789ab"])
    for image in found:
        engine.remove_image(image.name)
    assert engine.named_images() == []
    assert engine.has_image(provided.reference), "somebody else has a name for it"
    docker(running, "rmi", "somebody/else:1")
