"""What the portal costs: many releases from nothing, and a night in which few have changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import psutil

from infra.bench.commits import CHECKOUT, UNDER_SHELL
from infra.bench.three_centers import CENTERS, FIRST, SECOND, ThreeCenters
from pipelines.center.center import load_center
from pipelines.portal.build import build_portal
from pipelines.portal.site_folder import SiteFolder
from pipelines.verify.session import Session

_LOOK = 0.1


def measure(
    releases: int, changed: int, *, told: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Build `releases` releases of three centers from nothing; then, when `changed` have new runs.

    Each build is a process of its own, as a whole; its memory is that of all its processes together
    at one moment. Between the two, a generation is built in which nothing has changed.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        centers = ThreeCenters(Path(name))
        centers.write_recipes(releases)
        _run(centers, FIRST, releases)
        told(f"made up {releases} releases of {len(CENTERS)} centers")
        out = Path(name) / "portal"
        words = (str(centers.file(CENTERS[0])), str(out))
        builds = {"from_nothing": _built(*words), "unchanged": _built(*words)}
        told(f"built {releases} releases")
        _run(centers, SECOND, changed)
        builds["few_changed"] = _built(*words)
        return {"releases": releases, "changed": changed, **builds, **_sizes(out)}


def _run(centers: ThreeCenters, run: str, releases: int) -> None:
    """Let all centers run the first releases, check each other's work, and cosign their logs."""
    with patch("os.fsync", lambda _: None):  # what is made up need not survive a crash
        for center in CENTERS:
            centers.log(center, run, range(releases), range(0))
        for center in CENTERS:
            centers.crosscheck(center, run, range(releases))
        centers.witness()


def _built(center: str, out: str) -> dict[str, Any]:
    """Build in a process of its own, and return what it took."""
    command = [*UNDER_SHELL, sys.executable, "-m", "infra.bench.portal", center, out]
    start = time.perf_counter()
    with (
        subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process,
        _watched(process.pid) as peak,
    ):
        printed, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        **json.loads(printed),
        "seconds": round(time.perf_counter() - start, 1),
        "peak_mib": round(peak[0] / (1 << 20), 1),
    }


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Yield the most bytes that a process and all below it had together, as of the end."""
    over, peak = threading.Event(), [0]

    def watch() -> None:
        while not over.wait(_LOOK):
            try:
                root = psutil.Process(pid)
                every = [root, *root.children(recursive=True)]
                peak[0] = max(peak[0], sum(one.memory_info().rss for one in every))
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _sizes(out: Path) -> dict[str, Any]:
    """Return how many files the site has, and what the first page weighs with all that it loads."""
    state = SiteFolder(out).state()
    files = state.all_files() if state else {}
    current = out / "current"
    page = (current / "index.html").read_text()
    loaded = [path for path in files if path.startswith("assets/") and path in page]
    first = [current / "index.html", *(current / path for path in loaded)]
    return {
        "files": len(files),
        "bytes": sum((current / path).stat().st_size for path in files),
        "first_page_bytes": sum(path.stat().st_size for path in first),
    }


def main(center: str, out: str) -> None:
    """Build in this process, and print what came of it."""
    busy = os.times()
    with Session(load_center(Path(center))) as session:
        built = build_portal(session, Path(out))
    now = os.times()
    spent = sum(now[:4]) - sum(busy[:4])
    click.echo(json.dumps({"made": built.made, "cpu_seconds": round(spent, 1)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
