"""An engine that is stopped in mid-build, really: no release is blamed, and nothing is left."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.engine import Engine
from builders.images.provide import ensure_image
from pipelines.services import supervisor
from pipelines.verify.session import Session
from tests.builders.engine.ownengine import OwnEngine, own_engine
from tests.command import finish, started, wait_until
from tests.lab import write_recipe
from tests.services.stand import Stand

IMAGE = "python-wheel"
PATIENT = "touch /tmp/begun; until [ -e /tmp/go ]; do sleep 0.1; done; echo one > /out/out.bin"


@pytest.fixture(scope="module")
def own(session: Session) -> Iterator[OwnEngine]:
    image = ensure_image(IMAGE, session.images, session.engine, session.workdir)
    with own_engine() as engine:
        engine.hold(image.reference)
        yield engine


@pytest.fixture
def engine(own: OwnEngine) -> Iterator[Engine]:
    engine = Engine.connect(own.host)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def stand(standing_center: Stand, own: OwnEngine) -> Iterator[Stand]:
    """The standing center, with that engine."""
    before = standing_center.described
    standing_center.described = {**before, "engine": own.host}
    standing_center.only(robustness_share=0)
    parts = (supervisor.server(standing_center.center), *supervisor.workers(standing_center.center))
    if not all(part.pid() for part in parts):
        standing_center.up()
    yield standing_center
    standing_center.run("center", "down")  # its workers may have that engine in their environment
    standing_center.described = before
    standing_center.only()


def patient(folder: Path) -> Path:
    """A recipe whose build begins, and goes on when it is told to."""
    build = {"image": IMAGE}
    return write_recipe(folder, [["sh", "-c", PATIENT]], shipped=b"one\n", build=build)


def begun(runs: Path, attempt: int = 1) -> list[Path]:
    """Return the /tmp of the builds that have begun, as this machine sees it."""
    folders = list(runs.iterdir()) if runs.is_dir() else []
    inside = [folder / f"attempt-{attempt}/scratch/tmp" for folder in folders]
    return [folder for folder in inside if (folder / "begun").exists()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["in order", "crashed"])
def test_an_engine_that_is_started_again_in_mid_build_costs_a_try_and_no_verdict(
    stand: Stand, own: OwnEngine, engine: Engine, number: signal.Signals
) -> None:
    recipe = patient(stand.recipes / "releases/lab" / number.name.lower())
    asked = stand.ask("verify-release", recipe=str(recipe))
    wait_until(lambda: bool(begun(stand.center.runs)))
    own.end(number)
    own.start()
    wait_until(lambda: bool(begun(stand.center.runs, attempt=2)))
    (begun(stand.center.runs, attempt=2)[0] / "go").touch()
    stand.complete(asked)
    (run,) = stand.runs(number.name.lower())
    place = f"releases/lab/{number.name.lower()}/1/{stand.center.id}/{run}"
    report = json.loads((stand.center.home / "store/private" / place / "report.json").read_text())
    assert report["verdict"] == "IDENTICAL"
    assert [(one["purpose"], one["rebuild"]["outcome"]) for one in report["attempts"]] == [
        ("judged", "INFRASTRUCTURE_ERROR"),
        ("retry", "BUILT"),
    ]
    assert "the engine went away during the build" in report["attempts"][0]["rebuild"]["reason"]
    stand.assert_nothing_left(engine)


def test_an_engine_that_goes_away_in_mid_build_is_no_fault_of_the_release(
    own: OwnEngine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test here: this engine does not come back."""
    monkeypatch.setenv("DOCKER_HOST", own.host)
    recipe = patient(tmp_path / "gone")
    with started("rebuild", recipe, "--out", tmp_path / "out", home=home) as process:
        wait_until(lambda: bool(begun(home / "runs")))
        own.go_away()
        ended = finish(process)
    assert ended.code == 2
    ended.assert_clear()
    assert "engine" in ended.err
    assert not (tmp_path / "out").exists()
    assert str(home) not in Path("/proc/self/mountinfo").read_text()
    assert not list((home / "runs").iterdir())
