"""What the benchmark of a night measures with: builds of so much CPU, and who uses what else."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import InfrastructureError
from builders.methods.script import ScriptBuild
from builders.recipe.recipe import load_recipe
from infra.bench import night
from infra.bench.nightcenter import make_center, write_recipes
from infra.bench.usage import Sample, Usage
from pipelines.center.keys import policy_file
from pipelines.services import supervisor
from pipelines.services.database import choose
from tests.command import wait_until

HUNGRY = "import sys; kept = b'x' * (96 << 20); print(len(kept), flush=True); sys.stdin.read()"
NIGHT = "0a1b2c3d-0000-0000-0000-000000000000"


def test_a_build_takes_its_cpu_whatever_the_clock_says(tmp_path: Path) -> None:
    write_recipes(tmp_path / "recipes", count=2, real=False, seconds=1)
    first, _ = sorted((tmp_path / "recipes/releases").rglob("1.yaml"))
    build = load_recipe(first).recipe.build
    assert isinstance(build, ScriptBuild)
    (step,) = build.steps
    words = [word.replace("/out/", f"{tmp_path}/") for word in step]
    before = os.times()
    subprocess.run(words, check=True)
    after = os.times()
    busy = after.children_user + after.children_system
    busy -= before.children_user + before.children_system
    assert 0.95 < busy < 1.2
    assert (tmp_path / "out.bin").read_bytes() == (first.parent / "out.bin").read_bytes()


def test_its_center_has_what_a_center_needs_to_start(tmp_path: Path) -> None:
    center = make_center(tmp_path, workers=1, shard=None, database="sqlite")
    assert policy_file(center).is_file()
    assert choose(center).kind == "sqlite"


def test_processes_are_told_apart_by_what_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    center = make_center(tmp_path, workers=1, shard=None)
    usage = Usage(center)
    usage.night = NIGHT
    monkeypatch.setattr(supervisor, "pids", lambda _: {"worker-1": os.getpid()})
    runs = [_flow_run(NIGHT), _flow_run(NIGHT.replace("a", "f"))]
    try:
        with usage.watching(every=0.02):
            wait_until(lambda: len(usage.samples) > 3)
    finally:
        for run in runs:
            run.communicate(timeout=300)
    peaks = usage.mebibytes()
    assert set(peaks) == {"night", "shard", "together", "worker"}
    assert 96 <= peaks["night"] <= 160
    assert 96 <= peaks["shard"] <= 160
    assert peaks["together"] >= peaks["night"] + peaks["shard"]
    first, last = usage.samples[0], usage.samples[-1]
    used = usage.between(first.at, last.at)
    assert used.at == pytest.approx(last.at - first.at)
    assert 0 <= used.idle <= used.machine


def test_the_shares_of_a_span_are_all_that_the_cores_had_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    usage = Usage(make_center(tmp_path, workers=1, shard=None))
    usage.samples = [
        Sample(at=100.0 + s, center=10.0 + 0.1 * s, idle=50.0 + 0.2 * s, machine=900.0 + 2.0 * s)
        for s in range(11)
    ]
    assert night._span(usage, 102.0, 107.0, work=8) == {
        "wall_seconds": 5.0,
        "builds_share": 0.8,
        "samebits_and_prefect_share": 0.05,
        "idle_share": 0.1,
        "engine_and_others_share": 0.05,
    }
    unknown = night._span(usage, 102.0, 107.0, work=0)
    assert (unknown["builds_share"], unknown["engine_and_others_share"]) == (None, None)


class Told:
    """An API that has one more rebuild with an end each time it is asked."""

    def __init__(self) -> None:
        self.looks = 0

    def post(self, path: str, *, offset: int = 0, **_: Any) -> list[dict[str, Any]]:
        if offset:
            return []
        starts = [None, "2026-01-02T03:00:05Z", "2026-01-02T03:00:04Z"]
        if "flow_runs" in path:
            return [{"start_time": text} for text in starts]
        self.looks += 1
        ends = ["2026-01-02T03:00:30Z", "2026-01-02T03:00:20+00:00"]
        return [{"end_time": text} for text in (*ends[: self.looks], None)]


def test_cores_can_build_from_the_first_shard_to_the_end_of_the_last_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(night, "_LOOK", 0.001)
    begin = datetime(2026, 1, 2, 3, tzinfo=UTC).timestamp()
    asked: Any = Told()
    assert night._building(asked, 2) == (begin + 4, begin + 30)
    assert asked.looks == 2
    monkeypatch.setattr(night, "_LATE", 0.0)
    with pytest.raises(InfrastructureError, match="how all rebuilds ended"):
        night._building(asked, 3)


def _flow_run(name: str) -> subprocess.Popen[bytes]:
    run = subprocess.Popen(
        [sys.executable, "-c", HUNGRY],
        env={**os.environ, "PREFECT__FLOW_RUN_ID": name},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == b"%d\n" % (96 << 20)
    return run
