"""`samebits cancel` from another terminal: what runs here ends, and leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders.images.provide import ProvidedImage
from pipelines.verify.session import Session
from tests.command import finish, samebits, started, wait_until
from tests.lab import write_recipe
from tests.verify.test_faults import SLEEP, assert_nothing_left, running, slow_night


def begun(home: Path, release: str | None = None, *, center: str = "local") -> list[str]:
    """Return the ids of the runs of a release, or of the nights, that have begun."""
    notes = (home / "store/private/begun" / center).glob("*.json")
    return [p.stem for p in notes if json.loads(p.read_text())["release"] == release]


@pytest.mark.parametrize("flow", [[], ["--flow"]], ids=["in-process", "flow"])
def test_one_of_two_runs_is_cancelled_and_then_the_other(
    session: Session,
    tmp_path: Path,
    home_with_prefect: Path,
    build_image: ProvidedImage,
    flow: list[str],
) -> None:
    home, engine = home_with_prefect, session.engine
    limits = {"time": "5min", "memory": "128MiB"}
    recipes = [write_recipe(tmp_path / n, SLEEP, limits=limits) for n in ("one", "two")]
    with started("verify", "--json", *flow, *recipes, home=home) as process:
        wait_until(lambda: len(running(engine, home)) == 2)
        (one,), (two,) = begun(home, "lab/one@1"), begun(home, "lab/two@1")
        ended = samebits("cancel", one, home=home)
        assert (ended.code, ended.out) == (0, f"run {one} of lab/one@1 is cancelled\n")
        assert running(engine, home) == [two], "the other goes on"
        again = samebits("cancel", one, home=home)
        assert (again.code, again.out) == (0, ended.out)
        assert samebits("cancel", two, "--json", home=home).document()["state"] == "cancelled"
        whole = finish(process)
    assert whole.code == 2, whole.err
    assert f"begins as run {one}" in whole.err
    reports = whole.document()["reports"]
    assert [(r["run"], r["outcome"], r["verdict"]) for r in reports] == [
        (one, "CANCELLED", "NOT_CHECKED"),
        (two, "CANCELLED", "NOT_CHECKED"),
    ]
    assert_nothing_left(engine, home)
    shown = samebits("evidence", "show", "lab/one@1", "--json", home=home)
    assert shown.document()["outcome"] == "CANCELLED"


def test_a_run_that_was_killed_loses_its_container(
    session: Session, tmp_path: Path, build_image: ProvidedImage
) -> None:
    home, engine = tmp_path / "home", session.engine
    recipe = write_recipe(tmp_path / "one", SLEEP, limits={"time": "5min"})
    with started("verify", recipe, home=home) as process:
        wait_until(lambda: bool(running(engine, home)))
        process.kill()
        finish(process)
        (run,) = begun(home, "lab/one@1")
        assert running(engine, home) == [run]
        ended = samebits("cancel", run, home=home)
        assert (ended.code, running(engine, home)) == (0, [])
        assert "runs no more, and has no result" in ended.out


def test_a_night_at_a_prompt_is_cancelled_from_another(
    session: Session, home_with_prefect: Path, build_image: ProvidedImage
) -> None:
    home, center = home_with_prefect, slow_night(home_with_prefect)
    with started("nightly", "--center", center, home=home) as process:
        wait_until(lambda: bool(running(session.engine, home)))
        (night,) = begun(home, center="lab")
        ended = samebits("cancel", night, "--center", center, home=home)
        assert (ended.code, ended.out) == (0, f"night {night} is cancelled\n"), ended.err
        assert running(session.engine, home) == []
        whole = finish(process)
    assert whole.code == 130
    assert "cancelled" in whole.err
    assert "Traceback" not in whole.err
    assert_nothing_left(session.engine, home)
    assert not list(home.rglob("report.json"))
    kept = [path for path in home.rglob("nights/**/*.json") if ".plan." not in path.name]
    assert not kept, "no release counts as done"
