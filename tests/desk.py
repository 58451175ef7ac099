"""A reviewer's desk: recipes of some versions of one product, a key and a home."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from pipelines.evidence.privatekey import create_key
from tests.command import Ended, samebits
from tests.lab import write_recipe
from tests.policy.world import signed_file

ONE = {
    "src/main.c": b"int main(void)\n{\n    return 0;\n}\n",
    "src/gone.c": b"int gone;\n",
    "run.sh": b"#!/bin/sh\n",
    "logo.bin": b"\0\1\2",
}
TWO = {
    "src/main.c": b"int main(void)\n{\n    return 1;\n}\n",
    "src/new.c": b"int fresh;\n",
    "run.sh": b"#!/bin/sh\n",
    "logo.bin": b"\0\1\3",
}


def packed(files: dict[str, bytes], *, runs: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"tool/{name}")
            info.size, info.mode = len(data), 0o755 if name == runs else 0o644
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Desk:
    """A reviewer's desk: recipes of some versions of one product, a key and a home."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.center = folder / "center.yaml"
        self.center.write_text(
            "schema: samebits/center/v1\nid: local\nhome: home\nrecipes: recipes\n"
        )
        (folder / "recipes").mkdir()
        (folder / "recipes/images").symlink_to(Path.cwd() / "recipes/images")
        self.recipes = folder / "recipes/releases/lab/tool"

    def require(self, *names: str) -> None:
        """Sign a policy whose reviewers have those names, with keys in the folder."""
        listed = ", ".join(f"{{name: {name}, key: {name}.pub}}" for name in names)
        for name in names:
            create_key(self.folder, name)
        signed_file(self.folder, f"reviewers: [{listed}]\nreviews: {{minimum: 1}}\n")
        with self.center.open("a") as stream:
            stream.write("policy: policy.dsse.json\n")

    def release(self, version: str, *sources: bytes, **fields: Any) -> Path:
        """Write the recipe of a version, with its sources beside it."""
        recipe = json.loads(write_recipe(self.folder / "tool", [["true"]]).read_text())
        self.recipes.mkdir(parents=True, exist_ok=True)
        recipe |= {"version": version, "inputs": [], **fields}
        for number, data in enumerate(sources):
            name = f"tool-{version}-{number}.tar"
            (self.recipes / name).write_bytes(data)
            recipe["inputs"].append(
                {"role": "source", "locator": f"file:{name}", "sha256": str(Digest.of(data))}
            )
        path = self.recipes / f"{version}.yaml"
        path.write_text(json.dumps(recipe))
        return path

    def run(self, *words: str | Path) -> Ended:
        os.environ.pop("SAMEBITS_STORE", None)
        return samebits(*words, "--center", self.center, home=self.home)

    def approve(self, recipe: Path, name: str = "ada", *more: str) -> Ended:
        if not (self.folder / f"{name}.key").exists():
            create_key(self.folder, name)
        key = self.folder / f"{name}.key"
        words = ["--reviewer", name, "--yes", *more]
        return self.run("review", "approve", recipe, "--key", key, *words)
