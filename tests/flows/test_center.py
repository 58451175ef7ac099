"""A center that stands, with PostgreSQL as Prefect's database: up, a night, status, down."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from builders.images.provide import ProvidedImage
from pipelines.services import supervisor
from pipelines.services.environment import read_auth
from pipelines.services.service import marked
from pipelines.verify.session import Session
from tests.command import PATIENCE, Ended, samebits, wait_until
from tests.lab import write_recipe
from tests.services.stand import Stand


@pytest.fixture(scope="module")
def stand(standing_center: Stand) -> Stand:
    standing_center.only()
    standing_center.release("good")
    bad = standing_center.release("bad", "echo two > /out/out.bin")
    recipe = json.loads(bad.read_text())
    bad.write_text(json.dumps({**recipe, "expect": {"verdict": "IDENTICAL"}}))
    return standing_center


@pytest.fixture(scope="module")
def night(stand: Stand) -> Ended:
    return stand.run("nightly", "--json")


def test_a_night_on_the_workers_ends_with_its_summary(stand: Stand, night: Ended) -> None:
    assert night.code == 3, night.err + stand.logs()
    summary = night.document()
    assert summary["verdicts"] == {"DIFFERENT": 1, "IDENTICAL": 1}
    assert summary["new"] == ["lab/bad@1", "lab/good@1"]
    assert [(a["kind"], a["about"]) for a in summary["alarms"]] == [
        ("suspect", "lab/bad@1"),
        ("worse", "lab/bad@1"),
    ]
    record = stand.center.home / f"store/public/nights/{stand.center.id}/{summary['night']}.json"
    told = json.loads(record.read_text())
    assert told["alarms"] == summary["alarms"]
    assert {one["robustness"] for one in told["releases"]} == {"same"}
    pages = stand.folder / "portal/current/releases/lab"
    assert {path.parent.parent.name for path in pages.glob("*/1/index.html")} == {"good", "bad"}


@pytest.mark.parametrize("flow", ["reap", "serve-requests"])
def test_what_was_cut_off_or_asked_meanwhile_is_looked_at_once_it_is_up(
    stand: Stand, flow: str
) -> None:
    """Not only when the schedule says so, which may be minutes later."""
    runs = stand.api.post("/flow_runs/filter", flows={"name": {"any_": [flow]}})
    assert [r for r in runs if not r["auto_scheduled"]], runs


def test_the_night_leaves_a_table_and_its_alarms_as_events(stand: Stand, night: Ended) -> None:
    found = stand.api.post(
        "/artifacts/filter", artifacts={"key": {"any_": [f"night-{stand.center.id}"]}}
    )
    told = {row["release"] for row in json.loads(found[0]["data"])}
    assert told == {r"lab/bad\@1", r"lab/good\@1"}, "text, where the page reads Markdown"

    def sent() -> Any:
        wanted = {"event": {"name": ["samebits.alarm.worse"]}}
        return stand.api.post("/events/filter", filter=wanted)["events"]

    wait_until(lambda: bool(sent()))  # events are written a moment later
    (event,) = sent()
    assert event["resource"]["samebits.about"] == "lab/bad@1"
    assert event["resource"]["prefect.resource.id"] == f"samebits.center.{stand.center.id}"


def test_the_flow_runs_are_in_postgresql(stand: Stand, night: Ended, database: Path) -> None:
    url = urlsplit(database.read_text().strip())
    told = {
        "PGHOST": url.hostname or "", "PGPORT": str(url.port), "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "", "PGDATABASE": url.path.strip("/"),
    }  # fmt: skip
    counted = subprocess.run(
        ["psql", "-tAc", "SELECT count(*) FROM flow_run"],
        env={**os.environ, **told}, capture_output=True, check=True,
    )  # fmt: skip
    assert int(counted.stdout) >= 2
    assert not list(stand.center.home.rglob("*.db"))


def test_the_next_night_is_where_its_time_zone_has_it(stand: Stand) -> None:
    until = time.monotonic() + PATIENCE
    while (shown := stand.run("center", "status", "--json").document())["next_night"] is None:
        assert time.monotonic() < until, stand.logs()
    moment = datetime.fromisoformat(shown["next_night"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert (moment.hour, moment.minute) == (1, 0)


def test_deployments_can_be_brought_up_to_date_at_any_time(stand: Stand) -> None:
    made = stand.run("center", "deploy", "--json").document()["deployments"]
    assert "nightly/center" in made


def test_who_waits_is_served_before_the_night_and_both_have_their_limit(stand: Stand) -> None:
    found = {q["name"]: q for q in stand.api.post(f"/work_pools/{stand.center.pool}/queues/filter")}
    assert found["asked"]["priority"] < found["night"]["priority"]
    limits = {name: found[name]["concurrency_limit"] for name in ("steering", "asked", "night")}
    assert limits == {"steering": None, "asked": 2, "night": 2}


def test_status_says_how_it_is(stand: Stand, night: Ended) -> None:
    ended = stand.run("center", "status", "--json")
    shown = ended.document()
    assert (ended.code, shown["answers"], shown["faults"]) == (0, True, [])
    assert set(shown["processes"]) == {"server", "worker-1", "worker-2"}
    assert len(shown["workers"]) == 2
    assert shown["last_night"]["night"] == night.document()["night"]


def test_nobody_gets_in_without_the_password(stand: Stand) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        direct.open(f"{stand.api.url}/admin/version", timeout=300)


def test_the_secrets_are_on_no_command_line_and_in_no_log(
    stand: Stand, night: Ended, database: Path
) -> None:
    auth = read_auth(stand.center)
    assert auth is not None
    secrets = [auth.partition(":")[2].encode(), database.read_text().split(":")[2][:20].encode()]
    told = [p.read_bytes() for p in supervisor.service_folder(stand.center).glob("*.log")]
    told += [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    assert not [text for text in told for secret in secrets if secret in text]


def test_a_center_that_is_half_up_can_be_upped_again(stand: Stand) -> None:
    before = stand.run("center", "status", "--json").document()["processes"]
    os.kill(before["worker-1"], 9)
    wait_until(lambda: supervisor.workers(stand.center)[0].pid() is None)
    after = stand.up().document()["processes"]
    assert after.pop("worker-1") != before.pop("worker-1")
    assert after == before, "what runs is left alone"


def test_down_leaves_nothing_and_can_be_asked_twice(
    stand: Stand, night: Ended, session: Session
) -> None:
    endless = stand.release("endless", "sleep 280")
    stand.ask("verify-release", recipe=str(endless))
    wait_until(lambda: stand.builds(session.engine))
    marks = [known.mark for one in everything(stand) if (known := one.known()) is not None]
    assert len(marks) == 3
    ended = stand.run("center", "down", "--json")
    assert set(ended.document()["stopped"]) == {"server", "worker-1", "worker-2"}
    assert [pid for mark in marks for pid in marked(mark)] == []
    stand.assert_nothing_left(session.engine)
    assert stand.run("center", "down", "--json").document()["stopped"] == []
    assert stand.run("center", "status").code == 1, "what should run does not"


def test_another_program_at_the_port_is_named(stand: Stand, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        mine = Stand(tmp_path / "mine", prefect={"port": other.getsockname()[1]})
        assert mine.run("center", "init").code == 0
        ended = mine.run("center", "up")
    assert ended.code == 2
    ended.assert_clear()
    assert "another program listens" in ended.err


@pytest.mark.usefixtures("prefect_at_home")
def test_a_night_without_a_center_that_stands_runs_here(
    home: Path, tmp_path: Path, build_image: ProvidedImage
) -> None:
    recipes = tmp_path / "recipes"
    folder = recipes / "releases/lab/here"
    shutil.copytree(Path(__file__).parents[2] / "recipes/images", recipes / "images")
    write_recipe(folder, [["sh", "-c", "echo one > /out/out.bin"]], shipped=b"one\n")
    (recipes / "releases/broken.yaml").write_text("nonsense: 1\n")
    ended = samebits(
        "nightly", "--json", home=home, env={"SAMEBITS_RECIPES": str(recipes)}, fresh=True
    )
    assert ended.code == 2, ended.err
    summary = ended.document()
    assert summary["verdicts"] == {"IDENTICAL": 1}
    assert summary["unusable"] == ["releases/broken.yaml"]


def everything(stand: Stand) -> list[Any]:
    center = stand.center
    return [supervisor.server(center), *supervisor.workers(center)]
