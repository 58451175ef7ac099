"""A night of many small releases on a standing center: CPU of samebits and Prefect, and memory.

What the containers and their engine use is left out: their processes are nobody's children here.
Everything is made in a temporary folder, and the center is taken down at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builders.digest import Digest
from builders.errors import InfrastructureError
from pipelines.center import Center, load_center
from pipelines.evidence.signing import KEY_NAMES, create_key
from pipelines.night.record import NightRecord, read_night
from pipelines.standing import services, updown
from pipelines.standing.asking import ask_for_night, follow, night_of
from pipelines.standing.process import marked
from pipelines.workshop import recipes_folder, workshop

_SOURCE, _SHIPPED = b"int main(void) { return 0; }\n", b"one\n"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_POLL = 0.5
_PATIENCE = 4 * 3600


def measure(
    *, count: int, real: bool, seconds: float, workers: int, shard: int | None = None
) -> dict[str, Any]:
    """Run one night over `count` fixtures whose builds take `seconds`, and the `real` recipes."""
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        center = _center(Path(name), workers=workers, shard=shard)
        _recipes(Path(name) / "recipes", count=count, real=real, seconds=seconds)
        with _up(center):
            return _figures(center, seconds=seconds)


def _figures(center: Center, *, seconds: float) -> dict[str, Any]:
    begin, cpu = time.monotonic(), _cpu(center)
    api, flow_run = ask_for_night(center)
    peak = 0
    for run in follow(api, flow_run, pause=_POLL):
        peak = max(peak, _largest(center))
        if time.monotonic() - begin > _PATIENCE:
            raise InfrastructureError(
                "the night of the benchmark does not end", got=run["state_name"]
            )
    wall, used = time.monotonic() - begin, _cpu(center) - cpu
    if run["state_type"] != "COMPLETED":
        raise InfrastructureError("the night of the benchmark failed", got=run["state_name"])
    record: NightRecord = read_night(workshop(center).store, center.id, night_of(run))
    count = len(record.releases)
    places = services.concurrency(center)
    return {
        "releases": count,
        "verdicts": sorted({str(entry.verdict) for entry in record.releases}),
        "shard": center.night.shard,
        "workers": center.workers,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(used, 1),
        "cpu_seconds_per_release": round(used / count, 2),
        "cpu_limit_per_release": 3.0,
        "largest_process_mib": peak >> 20,
        "build_share_of_cores": round(count * seconds / (wall * places), 3) if seconds else None,
    }


@contextmanager
def _up(center: Center) -> Iterator[None]:
    try:
        updown.up(center)
        yield
    finally:
        updown.down(center)


def _recipes(recipes: Path, *, count: int, real: bool, seconds: float) -> None:
    """Write the recipes of the night."""
    shutil.copytree(recipes_folder() / "images", recipes / "images")
    if real:
        shutil.copytree(recipes_folder() / "releases", recipes / "releases")
    for number in range(count):
        _recipe(recipes / f"releases/bench/r{number:04}", seconds)


def _center(folder: Path, *, workers: int, shard: int | None) -> Center:
    """Write a center and its keys."""
    path = folder / "center.yaml"
    described = {
        "schema": "samebits/center/v1",
        "id": "bench",
        "home": "home",
        "recipes": "recipes",
        "workers": workers,
        "prefect": {"port": _free_port()},
        "night": {"robustness_share": 0, **({} if shard is None else {"shard": shard})},
    }
    path.write_text(json.dumps(described))  # every JSON document is a YAML document
    center = load_center(path)
    for use in KEY_NAMES:
        create_key(center.key_folder, use)
    return center


def _recipe(folder: Path, seconds: float) -> None:
    folder.mkdir(parents=True)
    (folder / "source.c").write_bytes(_SOURCE)
    (folder / "out.bin").write_bytes(_SHIPPED)
    script = f"timeout {seconds:g} sh -c 'while :; do :; done'; " if seconds else ""
    recipe = {
        "schema": "samebits/recipe/v1",
        "vendor": "bench",
        "product": folder.name,
        "version": "1",
        "kind": "binary",
        "platform": "linux/amd64",
        "build": {
            "method": "script",
            "image": "debian-trixie-build",
            "steps": [["sh", "-c", f"{script}echo one > /out/out.bin"]],
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


def _cpu(center: Center) -> float:
    """Return the seconds of CPU of the center's processes and of their children that have ended."""
    ticks = 0
    for pid in updown.pids(center).values():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS


def _largest(center: Center) -> int:
    """Return the resident bytes of the largest process of the center, flow runs included."""
    found = [0]
    for one in (services.server(center), *services.workers(center)):
        if (known := one.known()) is None:
            continue
        for pid in marked(known.mark):
            with contextlib.suppress(OSError):
                found.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE)
    return max(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
