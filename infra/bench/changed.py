"""What a night's joining costs where most releases are as they were in the night before."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from infra.bench.commits import CHECKOUT, UNDER_SHELL
from infra.bench.three_centers import CENTERS, FIRST, SECOND, ThreeCenters
from pipelines.center.center import load_center
from pipelines.nightly.periodic import join_everything
from pipelines.nightly.settled import AGAIN
from pipelines.verify.session import Session


def measure(
    releases: int, changed: int, *, told: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Join `releases` releases of three centers, of which `changed` have new runs of each.

    The others were joined before. Their logs and recipes are whole; records have only those that a
    night reads: the changed ones, and the settled ones that it joins again.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        world = ThreeCenters(Path(name))
        real = min(changed + AGAIN, releases)
        for center in CENTERS:
            world.log(center, FIRST, range(real), range(real, releases))
            told(f"{center} has logged {4 * releases} leaves")
        world.witness()
        world.join_before(releases, real)
        told("joined what was before")
        for center in CENTERS:
            world.log(center, SECOND, range(real - changed, real), range(0))
        world.witness()
        command = [*UNDER_SHELL, sys.executable, "-m", "infra.bench.changed"]
        words = [*command, str(world.file(CENTERS[0]))]
        done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        return {"releases": releases, "changed": changed, **json.loads(done.stdout)}


def main(center: str) -> None:
    """Join in this process, and print what it took."""
    before = _peak()
    start, busy = time.perf_counter(), time.process_time()
    with Session(load_center(Path(center))) as session:
        found = join_everything(session)
    figures = {
        "summary": str(found),
        "confirmed": sum(one.exit_code == 0 for one in found.joined),
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - busy, 1),
        "imported_mib": before,
        "peak_mib": _peak(),
    }
    click.echo(json.dumps(figures))


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main(sys.argv[1])
