"""The rebuild in a moved environment: what is moved, what is not, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.images.provide import ProvidedImage
from builders.recipe import load_recipe
from builders.words import Verdict
from pipelines import steps
from pipelines.center import Center
from pipelines.judge.finding import Finding
from pipelines.night.moved import move, rebuild_moved
from pipelines.night.record import Robustness
from pipelines.report import Environment, Report
from pipelines.verify import job_for
from tests.lab import write_recipe


def test_what_is_declared_stays(tmp_path: Path) -> None:
    build = {"hostname": "declared", "timezone": "UTC"}
    path = write_recipe(tmp_path / "one", [["true"]], build=build)
    moved = move(load_recipe(path)).recipe.build
    assert (moved.hostname, moved.timezone, moved.locale) == ("declared", "UTC", "C")


@pytest.mark.parametrize(
    ("script", "build", "shown"),
    [
        ("echo one > /out/out.bin", {}, Robustness.SAME),
        ("hostname > /out/out.bin || uname -n > /out/out.bin", {}, Robustness.DIFFERS),
        ("uname -n > /out/out.bin", {"hostname": "declared"}, Robustness.SAME),
        ("date +%Z > /out/out.bin", {}, Robustness.DIFFERS),
        ('[ "$TZ" = UTC ] && echo one > /out/out.bin', {}, Robustness.FAILED),
    ],
    ids=["firm", "host-name", "declared-host-name", "time-zone", "fails-elsewhere"],
)
def test_what_it_shows(
    center: Center,
    tmp_path: Path,
    build_image: ProvidedImage,
    script: str,
    build: dict[str, Any],
    shown: Robustness,
) -> None:
    path = write_recipe(tmp_path / "one", [["sh", "-c", script]], build=build)
    with job_for(path, center) as job:
        inputs, image = steps.fetch_inputs(job), steps.provide_image(job)
        attempt = steps.run_rebuild(job, inputs, image)
        findings: tuple[Finding, ...] = ()
        report = Report(
            vendor="lab", product="one", version="1", center="local", run=job.run,
            outcome=attempt.rebuild.outcome, verdict=Verdict.IDENTICAL, artefacts=findings,
            environment=Environment(declared={}, method="script"), timings={},
            attempts=(attempt,),
        )  # fmt: skip
        assert rebuild_moved(job, report) is shown
