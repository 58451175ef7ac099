"""What the portal costs: many releases from nothing, and nights in which few have changed."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from builders.core.errors import InfrastructureError
from infra.bench.commits import CHECKOUT, UNDER_SHELL
from infra.bench.three_centers import CENTERS, ThreeCenters
from pipelines.portal.site_folder import SiteFolder

_LOOK = 0.1


def measure(
    releases: int, changed: int, nights: int, *, told: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Build `releases` releases of three centers from nothing; then, in nights, what has changed.

    In each night all centers run the same `changed` releases again, of as many products as there
    are; then comes one in which nothing has changed. Another version of samebits makes all pages
    again at last, and a night's. Each build is the whole command `portal build`; its memory is that
    of all its processes together at one moment.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        centers = ThreeCenters(Path(name))
        centers.write_recipes(releases)
        _run(centers, 1, range(releases))
        told(f"made up {releases} releases of {len(CENTERS)} centers")
        out = Path(name) / "portal"
        builds = {"from_nothing": _built(centers, out)}
        told(f"built {releases} releases")
        again = range(0, releases, max(releases // max(changed, 1), 1))[:changed]
        for night in range(2, nights + 2):
            _run(centers, night, again)
            builds[f"run_{night}_of_changed"] = _built(centers, out)
        builds["unchanged"] = _built(centers, out)
        another = _another_version(Path(name) / "another")
        builds["by_another_version"] = _built(centers, out, another)
        _run(centers, nights + 2, again)
        builds["run_after_that"] = _built(centers, out, another)
        return {"releases": releases, "changed": len(again), **builds, **_sizes(out)}


def _run(centers: ThreeCenters, night: int, releases: Sequence[int]) -> None:
    """Let all centers run releases, check each other's work, and cosign their logs."""
    run = f"202601{night:02d}T030405Z"
    with patch("os.fsync", lambda _: None):  # what is made up need not survive a crash
        for center in CENTERS:
            centers.log(center, run, releases, range(0))
        for center in CENTERS:
            centers.crosscheck(center, run, releases)
        centers.witness()
    os.sync()  # or the build would pay for that: it has its own files written to the disk


def _another_version(folder: Path) -> Path:
    """Return this checkout with another style sheet, which every page names by its digest."""
    for package in ("builders", "pipelines"):
        shutil.copytree(CHECKOUT / package, folder / package)
    with (folder / "pipelines/portal/assets/portal.css").open("a") as sheet:
        sheet.write("/* another version */\n")
    return folder


def _built(centers: ThreeCenters, out: Path, code: Path = CHECKOUT) -> dict[str, Any]:
    """Build in a process of its own, with the files in `code`, and return what it took."""
    words = ("portal", "build", "--json", "--center", str(centers.file(CENTERS[0])), "--out")
    command = [*UNDER_SHELL, sys.executable, "-m", "pipelines.cli", *words, str(out)]
    start, spent = time.perf_counter(), _spent()
    with (
        subprocess.Popen(
            command, cwd=code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        _watched(process.pid) as peak,
    ):
        printed, errors = process.communicate()
    if process.returncode:
        raise InfrastructureError(
            "the portal was not built whole", got=(printed or errors)[-2000:], expected="no faults"
        )
    return {
        "made": json.loads(printed)["made"],
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(_spent() - spent, 1),
        "peak_mib": round(peak[0] / (1 << 20), 1),
    }


def _spent() -> float:
    """Return the CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
