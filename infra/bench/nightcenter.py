"""A center for a night that is measured: its file, its keys, and recipes whose builds take long."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

from builders.core.digest import Digest
from pipelines.center.center import Center, load_center
from pipelines.center.file import AUTO, recipes_folder
from pipelines.center.keys import make_local_policy
from pipelines.evidence.privatekey import KEY_USES, create_key

FIXTURES = "bench/"
"""How the names of all releases that are made here begin."""
_SOURCE, _SHIPPED = b"int main(void) { return 0; }\n", b"one\n"


def make_center(folder: Path, *, workers: int, shard: int | None, database: str = AUTO) -> Center:
    """Write a center with a Prefect of its own, its keys and policy; its recipes come after."""
    path = folder / "center.yaml"
    described = {
        "schema": "samebits/center/v1",
        "id": "bench",
        "home": "home",
        "recipes": "recipes",
        "workers": workers,
        "prefect": {"port": _free_port(), "database": database},
        "night": {"robustness_share": 0, **({} if shard is None else {"shard": shard})},
    }
    path.write_text(json.dumps(described))  # every JSON document is a YAML document
    center = load_center(path)
    for use in KEY_USES:
        create_key(center.key_folder, use)
    make_local_policy(center)
    return center


def write_recipes(recipes: Path, *, count: int, real: bool, seconds: int) -> None:
    """Write `count` recipes whose builds each take `seconds` of CPU, and copy the `real` ones."""
    shutil.copytree(recipes_folder() / "images", recipes / "images")
    if real:
        shutil.copytree(recipes_folder() / "releases", recipes / "releases")
    for number in range(count):
        _write_recipe(recipes / f"releases/{FIXTURES}r{number:04}", seconds)


def _write_recipe(folder: Path, seconds: int) -> None:
    folder.mkdir(parents=True)
    (folder / "source.c").write_bytes(_SOURCE)
    (folder / "out.bin").write_bytes(_SHIPPED)
    # By its own CPU and not by the clock: so it is as much work when others keep it waiting.
    loop = f"while ((times)[0] + (times)[1] < {seconds}) {{ 1 for 1 .. 100000 }}"
    work = f"perl -e '{loop}' && " if seconds else ""
    recipe = {
        "schema": "samebits/recipe/v1",
        "vendor": FIXTURES.rstrip("/"),
        "product": folder.name,
        "version": "1",
        "kind": "binary",
        "platform": "linux/amd64",
        "build": {
            "method": "script",
            "image": "debian-trixie-build",
            "steps": [["sh", "-c", f"{work}echo one > /out/out.bin"]],
        },
        "inputs": [_pinned("source", "source.c", _SOURCE)],
        "artefacts": [
            {
                "name": "out.bin",
                "shipped": {"locator": "file:out.bin", "sha256": str(Digest.of(_SHIPPED))},
            }
        ],
        "limits": {"cpus": 1, "memory": "256MiB", "scratch": "64MiB", "time": "10min"},
    }
    (folder / "1.yaml").write_text(json.dumps(recipe))


def _pinned(role: str, name: str, data: bytes) -> dict[str, str]:
    return {"role": role, "locator": f"file:{name}", "sha256": str(Digest.of(data))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
