"""A center with a PostgreSQL of its own: up, killed in parts, up again, down."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.services import postgresql, supervisor
from pipelines.services.service import Service, marked
from tests.command import wait_until
from tests.services.stand import Stand, standing

pytestmark = [pytest.mark.prefect, pytest.mark.root]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    script = Path(__file__).parents[2] / "infra/database.sh"
    subprocess.run(["bash", script, "install"], check=True, timeout=300)
    with standing(tmp_path_factory.mktemp("up"), workers=1) as stand:
        yield stand


def test_its_prefect_uses_the_postgresql_of_the_center(stand: Stand) -> None:
    ended = stand.run("center", "status", "--json")
    assert ended.code == 0, ended.err
    services = {one["name"]: one["runs"] for one in ended.document()["services"]}
    assert services == {"database": True, "server": True, "worker-1": True, "engine": True}
    assert not list(stand.center.home.rglob("*.db"))
    counted = [
        *("psql", "--host", str(postgresql.folder(stand.center)), "--username", "prefect"),
        *("--tuples-only", "--command", "SELECT count(*) > 0 FROM deployment", "postgres"),
    ]
    done = subprocess.run(counted, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "t"


def kill(service: Service) -> None:
    pid = service.pid()
    assert pid is not None
    os.kill(pid, 9)
    wait_until(lambda: service.pid() is None)


def test_what_was_killed_is_missed_and_started_again(stand: Stand) -> None:
    for service in (supervisor.database(stand.center), *supervisor.workers(stand.center)):
        kill(service)
    ended = stand.run("center", "status", "--json")
    assert ended.code == 1, ended.err
    missed = {one["name"] for one in ended.document()["services"] if not one["runs"]}
    assert {"database", "worker-1"} <= missed
    stand.up()
    assert stand.run("center", "status").code == 0


def test_down_stops_the_database_too_and_leaves_nothing(stand: Stand) -> None:
    marks = [known.mark for one in supervisor.services(stand.center) if (known := one.known())]
    assert len(marks) == 3
    stopped = stand.run("center", "down", "--json").document()["stopped"]
    assert stopped == ["worker-1", "server", "database"]
    assert [pid for mark in marks for pid in marked(mark)] == []
    log = supervisor.database(stand.center).log
    assert "database system is shut down" in log.read_text()
