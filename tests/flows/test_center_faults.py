"""What breaks around a standing center, really broken: nothing left, no verdict lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from builders.engine import Engine
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.stored_runs import RunName, read_explanation
from pipelines.nightly.night_plan import Release, due, releases
from pipelines.nightly.periodic import reap_center
from pipelines.services import supervisor
from pipelines.services.environment import client_environment
from pipelines.services.prefect_api import night_of
from pipelines.storage.directory import DirectoryStore
from pipelines.verify.session import Session
from tests.command import COMMAND, finish, interrupt, started, wait_until
from tests.services.stand import Stand


@pytest.fixture(scope="module")
def stand(standing_center: Stand) -> Stand:
    standing_center.only(robustness_share=0)
    standing_center.up()
    return standing_center


@pytest.fixture
def engine(session: Session) -> Engine:
    return session.engine


def test_workers_that_are_killed_in_mid_build_cost_no_verdict(stand: Stand, engine: Engine) -> None:
    stand.release("quick")
    stand.release("slow", "sleep 12; echo one > /out/out.bin")
    wait_until(stand.settled)
    asked = stand.ask_night()
    done = f"store/private/nights/{stand.center.id}/*.results/*quick*"
    wait_until(lambda: bool(list(stand.center.home.glob(done))))
    wait_until(lambda: stand.builds(engine, seconds=2) and stand.settled())
    stand.kill_workers()
    assert stand.containers(engine), "a killed run leaves its container"
    stand.up()
    stand.reap()
    night = stand.night(asked)
    with Session(stand.center) as session:
        reap_center(session)
    record = json.loads(
        (stand.center.home / f"store/public/nights/{stand.center.id}/{night}.json").read_text()
    )
    assert {r["release"]: r["verdict"] for r in record["releases"]} == {
        "lab/quick@1": "IDENTICAL",
        "lab/slow@1": "IDENTICAL",
    }
    assert len(stand.results(night)) == 2, "one result a release"
    assert len(stand.runs("slow")) == 1, "the killed run published nothing, the second one did"
    assert len(stand.runs("quick")) == 1, "what was done was not done again"
    stand.assert_nothing_left(engine)


def test_a_server_that_is_started_again_in_mid_run_costs_nothing(
    stand: Stand, engine: Engine
) -> None:
    recipe = stand.release("patient", "sleep 8; echo one > /out/out.bin")
    asked = stand.ask("verify-release", recipe=str(recipe))
    wait_until(lambda: stand.builds(engine))
    pid = supervisor.server(stand.center).pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: supervisor.server(stand.center).pid() is None)
    stand.up()
    wait_until(stand.api.answers)
    stand.complete(asked)
    assert len(stand.runs("patient")) == 1
    stand.assert_nothing_left(engine)


def test_a_run_that_is_cancelled_from_prefect_leaves_nothing(stand: Stand, engine: Engine) -> None:
    recipe = stand.release("endless", "sleep 280")
    asked = stand.ask("verify-release", recipe=str(recipe))
    wait_until(lambda: stand.builds(engine))
    stand.api.post(
        f"/flow_runs/{asked}/set_state", state={"type": "CANCELLING", "name": "Cancelling"}
    )
    assert stand.wait(asked)["state_type"] == "CANCELLED"
    wait_until(lambda: not stand.containers(engine))
    stand.assert_nothing_left(engine)
    assert stand.runs("endless") == []


def test_a_run_that_is_cancelled_from_prefect_after_its_verdict_is_explained_by_reap(
    stand: Stand, engine: Engine
) -> None:
    """It differs, so that a confirming rebuild keeps it busy after the verdict."""
    recipe = stand.release("late", "sleep 10; echo two > /out/out.bin")
    asked = stand.ask("verify-release", recipe=str(recipe))
    wait_until(lambda: bool(list(stand.center.runs.glob("*/attempt-2"))))
    stand.api.post(f"/flow_runs/{asked}/set_state", state={"type": "CANCELLING"})
    assert stand.wait(asked)["state_type"] == "CANCELLED"
    (run,) = stand.runs("late")
    folder = stand.center.home / "store/public/releases/lab/late/1" / stand.center.id / run
    report = json.loads((folder / "report.json").read_text())
    attempts = [(a["purpose"], a["rebuild"]["outcome"]) for a in report["attempts"]]
    assert (report["verdict"], report["outcome"]) == ("DIFFERENT", "BUILT")
    assert attempts == [("judged", "BUILT")]
    name = RunName.of(ReleaseName.parse("lab/late@1"), stand.center.id, run)
    store = DirectoryStore(stand.center.home / "store")
    assert read_explanation(store, name, whole=True) is None
    stand.reap()
    told = read_explanation(store, name, whole=True)
    assert told is not None
    assert told.confirming is not None
    assert (told.confirming.purpose, told.confirming.rebuild.outcome) == ("confirming", "BUILT")
    stand.assert_nothing_left(engine)


def test_ctrl_c_cancels_a_night_on_the_workers_and_every_shard_of_it(
    stand: Stand, engine: Engine
) -> None:
    names = six(stand)
    with started("nightly", "--center", stand.file, home=stand.folder / "none") as process:
        wait_until(lambda: stand.builds(engine))
        interrupt(process, signal.SIGINT)
        ended = finish(process)
    assert ended.code == 130
    assert "samebits: cancelling" in ended.err
    found = stand.api.post("/flow_runs/filter", flow_runs={"name": {"like_": "shard "}})
    shards = [run for run in found if "lab/night-0@1" in json.dumps(run["parameters"])]
    shards += [run for run in found if "lab/night-5@1" in json.dumps(run["parameters"])]
    assert [run["state_type"] for run in shards] == ["CANCELLED", "CANCELLED"]
    stand.assert_nothing_left(engine)
    assert [name for name in names if stand.runs(name)] == []
    stand.only(robustness_share=0)


def test_a_night_is_cancelled_from_elsewhere_and_up_does_not_bring_it_back(
    stand: Stand, engine: Engine
) -> None:
    names = six(stand)
    asked = stand.ask_night()
    wait_until(lambda: stand.builds_night(asked, engine) and stand.settled())
    night = night_of(stand.api.get(f"/flow_runs/{asked}"))
    ended = stand.run("cancel", night, "--json")
    assert (ended.code, ended.document()["state"]) == (0, "cancelled"), ended.err + stand.logs()
    assert stand.state(asked) == "CANCELLED"
    assert stand.shards(night) == ["CANCELLED"] * 3
    stand.assert_nothing_left(engine)
    stand.run("center", "down")
    stand.up()
    stand.reap()
    assert stand.shards(night) == ["CANCELLED"] * 3
    assert stand.containers(engine) == []
    assert [name for name in names if stand.runs(name)] == []
    again = stand.run("cancel", night)
    assert (again.code, again.out) == (0, f"night {night} is cancelled\n")


def test_a_night_that_is_cancelled_in_prefect_leaves_no_shard(stand: Stand, engine: Engine) -> None:
    six(stand)
    asked = stand.ask_night()
    wait_until(lambda: stand.builds_night(asked, engine))
    night = night_of(stand.api.get(f"/flow_runs/{asked}"))
    stand.api.post(f"/flow_runs/{asked}/set_state", state={"type": "CANCELLING"})
    assert stand.wait(asked)["state_type"] == "CANCELLED"
    stand.wait_for_cancelled_shards(night)
    stand.assert_nothing_left(engine)


def test_a_night_whose_process_died_is_not_gone_on_with_once_it_is_cancelled(
    stand: Stand, engine: Engine
) -> None:
    """All workers are killed, so that no process is left to tell its shards."""
    six(stand)
    asked = stand.ask_night()
    wait_until(lambda: stand.builds_night(asked, engine) and stand.settled())
    night = night_of(stand.api.get(f"/flow_runs/{asked}"))
    stand.kill_workers()
    with ThreadPoolExecutor(1) as pool:
        cancelling = pool.submit(stand.run, "cancel", night)
        wait_until(lambda: bool(list(stand.center.home.rglob(f"cancelled/*/{night}.json"))))
        stand.up()
        stand.reap()
        assert cancelling.result().code == 0
    assert stand.state(asked) == "CANCELLED"
    assert stand.shards(night) == ["CANCELLED"] * 3
    stand.assert_nothing_left(engine)


def test_a_night_that_is_cancelled_in_prefect_while_all_workers_are_dead_is_not_started_again(
    stand: Stand, engine: Engine
) -> None:
    six(stand)
    asked = stand.ask_night()
    wait_until(lambda: stand.builds_night(asked, engine) and stand.settled())
    night = night_of(stand.api.get(f"/flow_runs/{asked}"))
    stand.kill_workers()
    stand.api.post(f"/flow_runs/{asked}/set_state", state={"type": "CANCELLING"})
    stand.up()
    stand.reap()
    stand.wait_for_cancelled_shards(night)
    found = stand.api.post("/flow_runs/filter", flow_runs={"name": {"like_": f"night {night}"}})
    states = [stand.api.get(f"/flow_run_states/?flow_run_id={run['id']}") for run in found]
    again = [s["message"] for shard in states for s in shard if s["message"] == "it was killed"]
    assert again == [], "none was started again"
    stand.assert_nothing_left(engine)


def test_a_night_that_has_not_begun_never_does_once_it_is_cancelled(
    stand: Stand, engine: Engine
) -> None:
    six(stand)
    stand.kill_workers()
    asked = stand.ask("nightly")
    night = night_of(stand.api.get(f"/flow_runs/{asked}"))
    canceller = subprocess.Popen([*COMMAND, "cancel", night, "--center", stand.file])
    wait_until(lambda: bool(list(stand.center.home.rglob(f"cancelled/*/{night}.json"))))
    canceller.kill()  # the record is enough
    canceller.wait()
    stand.up()
    assert stand.wait(asked)["state_type"] == "CANCELLED"
    assert stand.shards(night) == []
    assert stand.containers(engine) == []


LATE = """
import sys
from datetime import timedelta
from pathlib import Path
from pipelines.center.reload import load_running
from pipelines.flows import flow_runs
from pipelines.verify.session import Session
flow_runs._STUCK = timedelta(0)
with Session(load_running(Path(sys.argv[1]))) as session:
    flow_runs.restart_dead(session)
"""


def test_a_run_that_no_process_is_left_to_cancel_is_ended(stand: Stand) -> None:
    recipe = stand.release("never")
    wait_until(stand.settled)
    stand.kill_workers()
    asked = stand.ask("verify-release", recipe=str(recipe))
    for state in ("PENDING", "CANCELLING"):  # a worker took it, and was gone
        stand.api.post(f"/flow_runs/{asked}/set_state", state={"type": state})
    assert stand.state(asked) == "CANCELLING"
    command = [sys.executable, "-c", LATE, str(stand.file)]
    ended = subprocess.run(
        command,
        env={**os.environ, **client_environment(stand.center)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert stand.state(asked) == "CANCELLED"
    stand.up()


def test_one_run_of_a_night_is_cancelled_and_the_night_goes_on(
    stand: Stand, engine: Engine
) -> None:
    stand.only(robustness_share=0)
    stand.release("quick", "sleep 3; echo one > /out/out.bin")
    stand.release("endless", "sleep 280")
    asked = stand.ask_night()
    notes = stand.center.home / "store/private/begun" / stand.center.id

    def of_endless() -> list[str]:
        made = {p.stem: json.loads(p.read_text())["release"] for p in notes.glob("*.json")}
        return [n for n in made if made[n] == "lab/endless@1" and n in stand.living(engine)]

    wait_until(lambda: bool(of_endless()))
    (run,) = of_endless()
    assert stand.run("cancel", run, "--json").document()["state"] == "cancelled"
    night = stand.night(asked)
    record = json.loads(
        (stand.center.home / f"store/private/nights/{stand.center.id}/{night}.json").read_text()
    )
    assert {r["release"]: (r["verdict"], r["outcome"]) for r in record["releases"]} == {
        "lab/quick@1": ("IDENTICAL", "BUILT"),
        "lab/endless@1": ("NOT_CHECKED", "CANCELLED"),
    }
    stand.assert_nothing_left(engine)


def six(stand: Stand) -> list[str]:
    """Make six endless releases the only ones: three shards, of which one should have to wait.

    What runs besides has ended: it may take as long as such a build.
    """
    stand.only(robustness_share=0)
    names = [f"night-{number}" for number in range(6)]
    for name in names:
        stand.release(name, "sleep 280")
    wait_until(stand.settled)
    return names


def test_two_workers_with_the_same_release_give_one_verdict(
    stand: Stand, engine: Engine, session: Session
) -> None:
    stand.only(robustness_share=0)
    stand.release("shared", "sleep 2; echo one > /out/out.bin")
    found = [r for r in releases(stand.recipes, session.images) if isinstance(r, Release)]
    (one,) = due([r for r in found if r.release == "lab/shared@1"], None, rebuild_every=7)
    night = "20260101T000000Z-00000000"
    shard = [one.model_dump(mode="json", exclude_none=True)]
    asked = [stand.ask("verify-shard", night=night, releases=shard) for _ in range(2)]
    ended = [stand.wait(flow_run)["state_type"] for flow_run in asked]
    assert ended == ["COMPLETED", "COMPLETED"]
    (result,) = stand.results(night)
    assert [result["run"]] == stand.runs("shared")
    stand.assert_nothing_left(engine)
