"""The recipe of a scene."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import yaml

from builders.core.digest import Digest
from builders.recipe.recipe import LoadedRecipe, load_recipe

if TYPE_CHECKING:
    from tests.signer.scene import Scene


def written_recipe(scene: Scene) -> LoadedRecipe:
    """Write the recipe of a scene, with its inputs in the vault, and read it."""
    folder = scene.folder / "recipe"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "build.sh").write_bytes(b"#!/bin/sh\n")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in scene.source.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    pin = scene.vault("rules.tar", scene.archive or tar.getvalue())
    tool = scene.vault("tool.bin", b"a tool\n")
    data = {
        "schema": "samebits/recipe/v1",
        "vendor": "acme",
        "product": "rules",
        "version": "1.10",
        "kind": "ruleset",
        "visibility": scene.visibility,
        "platform": "linux/amd64",
        "build": {
            "method": "script",
            "image": scene.image,
            "script": "build.sh",
            **scene.build,
        },
        "inputs": [
            {"role": "source", "locator": "file:my%20rules.tar", "sha256": str(pin)}
            | ({"opaque": scene.opaque} if scene.opaque else {}),
            {"role": "toolchain", "locator": "file:tool.bin", "sha256": str(tool)},
        ],
        "artefacts": [
            {"name": n, "shipped": {"locator": f"file:{n}", "sha256": str(Digest.of(b))}}
            | ({"normalizers": [*scene.normalizers]} if scene.normalizers and not i else {})
            | ({"signature": scene.signature} if scene.signature and not i else {})
            | ({"packing": {**scene.packing}} if scene.packing else {})
            for i, (n, b) in enumerate(scene.shipped.items())
        ],
        "by_products": ["*.debug"],
        "ignore": ["*.notes"],
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(data))
    return load_recipe(path)
