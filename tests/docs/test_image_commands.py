"""`samebits image`, as it is typed: a lock made, and an image built from it and checked again."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.command import samebits

pytestmark = [pytest.mark.network, pytest.mark.root]


def test_an_image_is_locked_built_and_checked(home: Path, tmp_path: Path) -> None:
    images = tmp_path / "recipes" / "images"
    images.mkdir(parents=True)
    (images / "small.yaml").write_text("schema: samebits/image/v1\nsuite: trixie\n")
    env = {"SAMEBITS_RECIPES": str(tmp_path / "recipes")}
    locked = samebits("image", "lock", "small", "--json", home=home, env=env)
    assert locked.code == 0, locked.err
    config = locked.document()["config"]
    tar = tmp_path / "image.tar"
    built = samebits("image", "build", "small", "--out", tar, "--json", home=home, env=env)
    assert (built.code, built.document()["config"]) == (0, config), built.err
    with tarfile.open(tar) as image:
        assert {"oci-layout", "manifest.json"} <= set(image.getnames())
    checked = samebits("image", "check", home=home, env=env)
    assert checked.code == 0, checked.err
    assert checked.out == f"small: config digest {config}, as locked\n"
    again = samebits("image", "lock", "small", home=home, env=env)
    assert again.code == 64
    assert "--refresh" in again.err
