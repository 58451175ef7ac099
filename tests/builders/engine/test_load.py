"""A loaded image has a name, so that the engine's own clean-up spares it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builders.engine import Engine
from builders.images.definition import ImageDefinition
from builders.images.oci_archive import write_archive
from builders.images.provide import load_image
from tests.builders.engine.ownengine import own_engine

pytestmark = [pytest.mark.engine, pytest.mark.root]


def test_a_prune_of_images_without_names_spares_a_builder_image(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    definition = ImageDefinition.model_validate({"schema": "samebits/image/v1", "suite": "trixie"})
    built = write_archive(tmp_path / "root", definition, 0, tmp_path / "image.tar")
    with own_engine() as own:
        engine = Engine.connect(own.host)
        provided = load_image("rules-build", built, engine)
        subprocess.run(["docker", "--host", own.host, "image", "prune", "--force"], check=True)
        assert engine.has_image(provided.reference)
        assert engine.has_image(f"samebits/rules-build:{provided.config.hex[:12]}")
        engine.close()
