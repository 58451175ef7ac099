"""What goes wrong around a run: one clear message, the right exit code, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import InfrastructureError
from builders.engine import Engine
from builders.images.provide import ProvidedImage
from builders.rebuild.rebuild import rebuild as real_rebuild
from pipelines.center.center import Center
from pipelines.verify import steps
from pipelines.verify.judging import Shipped
from pipelines.verify.session import Job, Session
from tests.command import (
    COMMAND,
    RELEASES,
    children_of,
    finish,
    interrupt,
    samebits,
    started,
    wait_until,
)
from tests.fakes.disk import small_disk_at
from tests.lab import explained, verified, write_recipe

NETBASE = RELEASES / "debian/netbase/6.5.yaml"
SLEEP = [["sh", "-c", "echo started; sleep 280"]]


@pytest.fixture
def own_home(tmp_path: Path) -> Path:
    """A home of its own, so that whatever is left can only be this test's."""
    return tmp_path / "home"


@pytest.fixture
def sleeper(tmp_path: Path, build_image: ProvidedImage) -> Path:
    """A recipe whose build sleeps for minutes."""
    return write_recipe(tmp_path / "sleeper", SLEEP, limits={"time": "5min"})


def mounts_below(folder: Path) -> bool:
    return str(folder) in Path("/proc/self/mountinfo").read_text()


def running(engine: Engine, home: Path) -> list[str]:
    """Return the runs of `home` whose container is there."""
    runs = home / "runs"
    names = {p.name for p in runs.iterdir()} if runs.is_dir() else set()
    return [c.run for c in engine.containers() if c.run in names]


def assert_nothing_left(engine: Engine, home: Path) -> None:
    assert running(engine, home) == []
    assert not mounts_below(home)
    assert not (home / "runs").exists() or list((home / "runs").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["rebuild", "verify", "verify --flow"])
def test_an_interrupted_command_leaves_nothing(
    session: Session,
    home_with_prefect: Path,
    sleeper: Path,
    tmp_path: Path,
    command: str,
    number: signal.Signals,
) -> None:
    home = home_with_prefect
    words = ["--out", str(tmp_path / "out")] if command == "rebuild" else []
    with started(*command.split(), sleeper, *words, home=home) as process:
        wait_until(lambda: bool(running(session.engine, home)))
        children = children_of(process.pid)
        interrupt(process, number)
        ended = finish(process)
        assert ended.code == 130
        ended.assert_clear()
        if command != "rebuild":
            assert "samebits: cancelling, and removing what was begun" in ended.err
        assert_nothing_left(session.engine, home)
        assert not list(home.rglob("report.json")), "nothing was found"
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


def slow_night(home: Path) -> Path:
    """Set up a center with three slow releases, one a shard; return its file."""
    recipes, center = home.parent / "recipes", home.parent / "center.yaml"
    shutil.copytree(RELEASES.parent / "images", recipes / "images")
    for name in ("one", "two", "three"):
        write_recipe(recipes / "releases/lab" / name, SLEEP, limits={"time": "5min"})
    center.write_text(
        f"schema: samebits/center/v1\nid: lab\nhome: {home}\nrecipes: {recipes}\n"
        "night: {shard: 1}\nlimits: {concurrency: 1}\n"
    )
    samebits("center", "init", "--center", center, home=home)
    return center


def test_an_interrupted_night_begins_no_other_shard(
    session: Session, home_with_prefect: Path, build_image: ProvidedImage
) -> None:
    home, center = home_with_prefect, slow_night(home_with_prefect)
    with started("nightly", "--center", center, home=home) as process:
        wait_until(lambda: bool(running(session.engine, home)))
        interrupt(process, signal.SIGINT)
        ended = finish(process)
    assert ended.code == 130
    assert "samebits: cancelling, and removing what was begun" in ended.err
    assert_nothing_left(session.engine, home)
    assert not list(home.rglob("report.json"))
    kept = [path for path in home.rglob("nights/**/*.json") if ".plan." not in path.name]
    assert not kept, "no release counts as done"


def test_a_killed_command_is_cleared_away_by_reap(
    session: Session, home_with_prefect: Path, sleeper: Path
) -> None:
    home = home_with_prefect
    with started("verify", "--flow", sleeper, home=home) as process:
        wait_until(lambda: bool(running(session.engine, home)))
        living = running(session.engine, home)
        servers = children_of(process.pid)
        assert servers, "Prefect's server runs beside the command"
        first = samebits("reap", "--json", home=home).document()
        assert first["folders"] == []
        assert running(session.engine, home) == living, "a living run is not touched"
        process.kill()
        finish(process)
        assert mounts_below(home), "a killed run leaves its scratch mounted"
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in servers))
        reaped = samebits("reap", "--json", home=home).document()
        assert (len(reaped["containers"]), len(reaped["folders"])) == (1, 1)
        assert_nothing_left(session.engine, home)
    odd = home / "runs" / "odd" / "lock"
    odd.parent.mkdir()
    odd.symlink_to(odd)
    again = samebits("reap", home=home)
    assert again.code == 2
    assert again.out.startswith("not removed: odd: [Errno 40] Too many levels of symbolic links")
    assert "removed 0 containers, 0 folders of runs" in again.out
    assert samebits("reap", "--json", home=home).document()["failed"][0]["name"] == "odd"


def test_no_engine_is_one_message(own_home: Path) -> None:
    ended = samebits(
        "verify", NETBASE, home=own_home, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    )
    assert ended.code == 2
    ended.assert_clear()
    assert "no container engine answers" in ended.err
    assert "infra/bootstrap.sh" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_no_engine_as_json_is_one_document(own_home: Path) -> None:
    ended = samebits(
        "verify", "--json", NETBASE, home=own_home, env={"DOCKER_HOST": "unix:///nowhere/x.sock"}
    )
    assert ended.document()["error"]["error"] == "EngineError"


@pytest.mark.parametrize("place", ["home", "store"])
def test_a_store_that_cannot_be_written_is_found_out_before_anything_is_built(
    tmp_path: Path, place: str, sleeper: Path
) -> None:
    home = tmp_path / "home"
    if place == "home":
        home.write_text("a file in the way")
    else:
        home.mkdir()
        (home / "store").write_text("a file in the way")
    start = time.monotonic()
    ended = samebits("verify", sleeper, home=home, fresh=True)
    assert ended.code == 2
    ended.assert_clear()
    assert time.monotonic() - start < 200  # the build would take longer


def test_a_full_disk_is_told_and_leaves_no_half_evidence(
    tmp_path: Path, build_image: ProvidedImage
) -> None:
    recipe = write_recipe(
        tmp_path / "large", [["sh", "-c", "head -c 3000000 /dev/urandom > /out/out.bin"]]
    )
    with small_disk_at(tmp_path / "disk") as disk:
        center = tmp_path / "center.yaml"
        center.write_text(
            f"schema: samebits/center/v1\nid: full\nhome: {tmp_path}/home\nstore: {disk}/store\n"
        )
        samebits("center", "init", "--center", center, home=tmp_path / "home")
        ended = samebits("verify", "--center", center, recipe, home=tmp_path / "home", fresh=True)
        assert ended.code == 2
        ended.assert_clear()
        assert "No space left on device" in ended.err
        assert not list(disk.rglob("report.json"))
        assert not list((disk / "store" / "tmp").iterdir())


def test_a_lock_that_names_a_package_nobody_serves_is_an_unavailable_input(
    tmp_path: Path, own_home: Path, build_image: ProvidedImage
) -> None:
    recipes = tmp_path / "recipes"
    (recipes / "images").mkdir(parents=True)
    source = RELEASES.parent / "images"
    for name in ("debian-trixie-build.yaml", "debian-trixie-build.lock.yaml"):
        text = (source / name).read_text()
        config = build_image.config.hex
        text = text.replace(config, "0" * 64).replace(
            "pool/main/b/bash/bash_", "pool/main/b/bash/gone_"
        )
        (recipes / "images" / name).write_text(text)
    ended = samebits(
        *("verify", "--json", NETBASE),
        home=own_home,
        env={"SAMEBITS_RECIPES": str(recipes)},
        fresh=True,
    )
    (report,) = ended.document()["reports"]
    assert ended.code == 2
    assert report["outcome"] == "INPUT_UNAVAILABLE"
    assert [a["verdict"] for a in report["artefacts"]] == ["NOT_CHECKED"]
    assert report["seal"] is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["verify"], "Missing argument"),
        (["verify", "/nowhere/recipe.yaml"], "cannot be read"),
        (["nonsense"], "No such command"),
        (["verify", "--nonsense", "x"], "No such option"),
        (["rebuild", str(NETBASE)], "--out or --shell"),
        (["rebuild", str(NETBASE), "--out", "o", "--after-failure"], "--shell --after-failure"),
        (["rebuild", str(NETBASE), "--shell", "--json"], "--shell alone"),
        (["evidence", "show", "nonsense"], "vendor/product@version"),
        (["compare", "/nowhere/a", "/nowhere/b"], "cannot be read"),
        (["image", "build", "nonsense"], "no such builder image"),
        (["vault", "import", "/nowhere/vault.tar"], "/nowhere/vault.tar"),
        (["verify", "--center", "/nowhere/center.yaml", str(NETBASE)], "cannot be read"),
    ],
)
def test_wrong_words_are_usage_errors(own_home: Path, words: list[str], expected: str) -> None:
    ended = samebits(*words, home=own_home)
    assert ended.code == 64
    assert expected in ended.err
    assert "Traceback" not in ended.err


def test_without_root_it_says_so_before_anything_starts(tmp_path: Path) -> None:
    # A copy of the recipe in a folder that everybody can read, and a home that nobody can write.
    folder = Path(tempfile.mkdtemp(prefix="sb-", dir="/tmp"))
    folder.chmod(0o755)
    recipe = write_recipe(folder / "plain", SLEEP)
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", *COMMAND, "verify", str(recipe)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SAMEBITS_HOME": str(folder / "home")},
    )
    shutil.rmtree(folder)
    assert done.returncode == 2
    assert "Run samebits as root or with sudo" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scheduler_that_does_not_answer_is_one_message(own_home: Path) -> None:
    ended = samebits(
        *("verify", NETBASE),
        home=own_home,
        env={"PREFECT_API_URL": "http://127.0.0.1:9/api"},
        fresh=True,
    )
    assert ended.code == 2
    ended.assert_clear()
    assert "with Prefect, also PREFECT_API_URL" in ended.err


def test_a_shipped_file_out_of_reach_does_not_cost_the_rebuild(
    session: Session, center: Center, tmp_path: Path, build_image: ProvidedImage
) -> None:
    """The network goes away after the build: NOT_CHECKED, signed and stored like any other run."""
    recipe = write_recipe(tmp_path / "alone", [["sh", "-c", "echo one > /out/out.bin"]])

    def fetch_shipped(job: Job, *, fresh: bool) -> Shipped:
        raise InfrastructureError("the index does not answer")

    report = verified(session, recipe, fetch_shipped=fetch_shipped)
    (finding,) = report.artefacts
    assert (report.outcome, finding.verdict) == ("BUILT", "NOT_CHECKED")
    assert "the index does not answer" in finding.reason
    assert isinstance(center.store, Path)
    folder = center.store / "public/releases/lab/alone/1/local" / report.run
    assert {"report.json", "attempt-1.dsse.json"} <= {p.name for p in folder.iterdir()}


def test_a_confirming_rebuild_that_breaks_is_recorded_once_and_costs_nothing(
    session: Session,
    center: Center,
    tmp_path: Path,
    build_image: ProvidedImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = write_recipe(tmp_path / "broken", [["sh", "-c", "echo one > /out/out.bin"]])
    calls: list[Path] = []

    def rebuild(*words: Any, **named: Any) -> Any:
        calls.append(named["folder"])
        if len(calls) > 1:
            raise InfrastructureError("the engine went away")
        return real_rebuild(*words, **named)

    monkeypatch.setattr(steps, "rebuild", rebuild)
    report = verified(session, recipe)
    (finding,) = report.artefacts
    assert finding.verdict == "DIFFERENT"
    assert [(a.purpose, a.rebuild.outcome) for a in report.attempts] == [("judged", "BUILT")]
    again = explained(session, report).confirming
    assert again is not None
    assert (again.purpose, again.rebuild.outcome) == ("confirming", "INFRASTRUCTURE_ERROR")
    assert isinstance(center.store, Path)
    folder = center.store / "public/releases/lab/broken/1/local" / report.run
    assert {"report.json", "comparison-1.dsse.json"} <= {p.name for p in folder.iterdir()}


def test_what_broke_in_the_center_is_not_told_to_the_public(
    session: Session,
    center: Center,
    tmp_path: Path,
    build_image: ProvidedImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = write_recipe(tmp_path / "told", [["true"]])

    def rebuild(*words: Any, **named: Any) -> Any:
        raise InfrastructureError("no room", got="engine.internal:2376 in /srv/secret")

    monkeypatch.setattr(steps, "rebuild", rebuild)
    report = verified(session, recipe)
    assert "engine.internal" in (report.reason or "")
    assert isinstance(center.store, Path)
    name = f"releases/lab/told/1/local/{report.run}"
    public = [p.read_text() for p in (center.store / "public" / name).iterdir()]
    assert public
    assert not [text for text in public if "engine.internal" in text or "/srv/secret" in text]
    assert "engine.internal" in (center.store / "private" / name / "report.json").read_text()
    bundle = tmp_path / "told.tar"
    exported = samebits("evidence", "export", "lab/told@1", "--out", bundle, home=center.home)
    assert exported.code == 0, exported.err
    checked = samebits(
        "evidence", "check", bundle, "--key", center.home / "keys/statements.pub", home=center.home
    )
    assert checked.code == 2, checked.out
    assert "wrong" not in checked.out
