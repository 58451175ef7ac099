"""The PostgreSQL of a center, the real one: made, reached by its owner alone, and broken."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from builders.core.errors import InfrastructureError
from pipelines.center.center import Center
from pipelines.services import postgresql, supervisor
from pipelines.services.database import choose
from pipelines.services.environment import center_environment, service_command
from pipelines.services.service import Service, marked
from tests.command import samebits, wait_until
from tests.services.stand import Stand

pytestmark = pytest.mark.root
BOOTSTRAP = Path(__file__).parents[2] / "infra/database.sh"


@pytest.fixture(scope="module")
def programs() -> Path:
    subprocess.run(["bash", BOOTSTRAP, "install"], check=True, timeout=300)
    found = postgresql.newest_programs()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Center:
    """A center in a folder that root alone can enter."""
    folder = tmp_path_factory.mktemp("pg")
    folder.chmod(0o700)
    return Stand(folder).center


@pytest.fixture
def service(mine: Center) -> Iterator[Service]:
    service = supervisor.database(mine)
    yield service
    service.stop(seconds=20)


def start(service: Service, mine: Center, programs: Path) -> int:
    pid = service.start(service_command(mine, "database"), center_environment(mine))
    wait_until(lambda: postgresql.accepts(mine, programs) or service.pid() is None)
    assert service.pid() == pid, service.log.read_text()
    return pid


def sql(mine: Center, programs: Path, text: str, *, user: str = "root") -> tuple[int, str]:
    words = ["psql", "-U", "prefect", "-h", str(postgresql.folder(mine)), "-tAc", text, "postgres"]
    as_user = ["setpriv", "--reuid", user, "--clear-groups", "--", *words]
    done = subprocess.run(
        as_user, capture_output=True, text=True, check=False,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip
    return done.returncode, (done.stdout or done.stderr).strip()


def test_it_is_reached_at_a_socket_by_its_owner_alone(
    mine: Center, programs: Path, service: Service
) -> None:
    pid = start(service, mine, programs)
    assert sql(mine, programs, "SELECT current_user") == (0, "prefect")
    assert sql(mine, programs, "SHOW listen_addresses") == (0, "")
    denied, why = sql(mine, programs, "SELECT 1", user="nobody")
    assert denied, why
    assert "denied" in why
    process = psutil.Process(pid)
    assert process.username() == "samebits-postgres", "not one who has other databases"
    assert not process.net_connections("inet")
    place = postgresql.folder(mine)
    for path in (place, place / "data", place / "data/pg_hba.conf"):
        told = path.stat()
        assert not stat.S_IMODE(told.st_mode) & 0o077, path
    assert place.owner() == "samebits-postgres"
    assert str(place) not in Path("/proc/self/mountinfo").read_text()


def test_what_was_written_survives_a_kill(mine: Center, programs: Path, service: Service) -> None:
    pid = start(service, mine, programs)
    sql(mine, programs, "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS number")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: service.pid() is None)
    start(service, mine, programs)
    assert sql(mine, programs, "SELECT number FROM kept") == (0, "7")


def test_it_ends_at_once_though_somebody_is_connected(
    mine: Center, programs: Path, service: Service
) -> None:
    start(service, mine, programs)
    known = service.known()
    assert known is not None
    words = ["psql", "-U", "prefect", "-h", str(postgresql.folder(mine)), "postgres"]
    with subprocess.Popen(
        [*words, "-c", "SELECT pg_sleep(60)"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ):
        wait_until(
            lambda: "pg_sleep" in sql(mine, programs, "SELECT query FROM pg_stat_activity")[1]
        )
        begin = time.monotonic()
        assert service.stop(seconds=20)
        assert time.monotonic() - begin < 10
    assert marked(known.mark) == []
    assert service.last_log_line().endswith("database system is shut down")


def test_the_pid_file_of_one_that_was_killed_stops_nothing(
    mine: Center, programs: Path, service: Service
) -> None:
    """Another process of PostgreSQL's user may have the pid that it names."""
    start(service, mine, programs)
    service.stop(seconds=20)
    data = postgresql.folder(mine) / "data"
    other = ["setpriv", "--reuid", "samebits-postgres", "--clear-groups", "--", "sleep", "60"]
    with subprocess.Popen(other) as stranger:
        left = f"{stranger.pid}\n/mnt/data\n1000000000\n5432\n/mnt\n\n  0  0\nready   \n"
        (data / "postmaster.pid").write_text(left)
        (data.parent / ".s.PGSQL.5432.lock").write_text(left)
        start(service, mine, programs)
        stranger.kill()


def test_a_process_of_another_user_with_that_pid_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "samefile", refused)
    (tmp_path / "postmaster.pid").write_text("1\n/mnt/data\n1000000000\n")
    postgresql._forget_dead(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


def test_one_that_runs_is_not_started_twice(mine: Center, programs: Path, service: Service) -> None:
    start(service, mine, programs)
    second = samebits("center", "run", "database", "--center", mine.file or "", home=mine.home)
    assert second.code != 0
    assert "already exists" in second.err + second.out
    assert sql(mine, programs, "SELECT 1") == (0, "1")


def test_what_is_broken_is_told_with_what_to_do(tmp_path: Path, programs: Path) -> None:
    stand = Stand(tmp_path)
    assert stand.run("center", "init").code == 0
    assert choose(stand.center).kind == "postgresql"
    postgresql.prepare(stand.center, programs)
    (postgresql.folder(stand.center) / "data/global/pg_control").unlink()
    ended = stand.run("center", "up")
    assert ended.code == 2
    ended.assert_clear()
    assert "the center's database does not start" in ended.err
    assert "pg_control" in ended.err
    assert "`prefect: {database: sqlite}` in the center's file" in ended.err
    assert stand.run("center", "down").code == 0


def test_a_disk_on_which_it_cannot_be_made(tmp_path: Path) -> None:
    mine = Stand(tmp_path).center
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # another user runs what is in it
        Path(folder).chmod(0o755)
        broken = Path(folder, "initdb")
        broken.write_text("#!/bin/sh\necho 'initdb: error: no space left' >&2\nexit 1\n")
        broken.chmod(0o755)
        with pytest.raises(InfrastructureError, match="got initdb: error: no space left") as raised:
            postgresql.prepare(mine, broken.parent)
    assert "`prefect: {database: sqlite}`" in str(raised.value)
    assert not (postgresql.folder(mine) / "data").exists()


def test_a_center_with_sqlite_has_none_to_run(tmp_path: Path) -> None:
    stand = Stand(tmp_path, prefect={"port": 4801, "database": "sqlite"})
    ended = stand.run("center", "run", "database")
    assert ended.code == 64
    assert "has no PostgreSQL of its own" in ended.err
