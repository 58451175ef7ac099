"""What `center status` says of services, a night under way, what runs where, and the disk."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import EngineError
from builders.core.runid import new_run_id
from builders.rebuild.workspace import note_release, workspace
from pipelines.center.center import Center
from pipelines.cli.console import unstyled
from pipelines.cli.layout import fitted
from pipelines.cli.status import status_lines
from pipelines.nightly.progress import store_plan
from pipelines.nightly.record import result_key
from pipelines.services import status as services_status
from pipelines.services.disk import DiskUse, disk_use
from pipelines.services.environment import worker_name
from pipelines.services.expected import ServiceState, service_states
from pipelines.services.status import CenterStatus, status
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.s3settings import S3Settings
from pipelines.verify.session import Session
from tests.center.test_center_file import center
from tests.command import finish, interrupt, samebits, started
from tests.nightly.nights import plan
from tests.services.stand import free_port

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DISK = DiskUse(total=100 << 30, free=50 << 30, used={"vault": 3 << 20})
FLOWS = [{"id": "f1", "name": "nightly"}, {"id": "f2", "name": "verify-shard"},
         {"id": "f3", "name": "serve-requests"}]  # fmt: skip


def flow_run(flow: str, name: str, state: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "12345678-0000", "flow_id": flow, "name": name, "state_type": state,
        "created": "2026-01-02T03:00:00Z", "start_time": None,
        "expected_start_time": "2026-01-02T03:00:00Z", "labels": {}, **fields,
    }  # fmt: skip


class Api:
    """A Prefect API that answers, with a night under way and the next one scheduled."""

    def __init__(self, _center: Center) -> None:
        pass

    def answers(self) -> bool:
        return True

    def online_workers(self) -> set[str]:
        return {"lab-host-worker-1"}

    def post(self, path: str, **_: Any) -> Any:
        if path == "/flows/filter":
            return FLOWS
        on = {"prefect.worker.name": "lab-host-worker-1"}
        begun = {"start_time": "2026-01-02T03:01:05Z", "labels": on}
        later = "2026-01-03T00:00:00Z"
        return [
            flow_run("f1", "night of lab", "RUNNING", **begun),
            flow_run("f2", "shard 1 of night \x1b[31m", "RUNNING", **begun),
            flow_run("f3", "mauve-yak", "SCHEDULED"),
            flow_run("f1", "teal-elk", "SCHEDULED"),
            flow_run("f1", "lime-owl", "SCHEDULED", expected_start_time=later),
        ]


def look(mine: Center) -> CenterStatus:
    with Session(mine) as session:
        return status(session, now=NOW, disk=DISK)


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CenterStatus:
    """The status of a center in the middle of a night."""
    monkeypatch.setattr(services_status, "PrefectApi", Api)
    night = {"cron": "0 1 * * *", "timezone": "Europe/Berlin"}
    mine = center(tmp_path, home="home", prefect={"port": free_port()}, night=night)
    store = DirectoryStore(mine.home / "store")
    known = plan("20260102T030000Z-12345678", releases=8, started=NOW - timedelta(minutes=4))
    store_plan(store, mine.id, known)
    for one in known.dues[:2]:
        store.put_record(result_key(mine.id, known.night, one.release), b"{}")
    run = new_run_id(NOW - timedelta(seconds=90))
    with workspace(mine.runs, run) as folder:
        note_release(folder, "lab/r3@1")
        return look(mine)


def shown(found: CenterStatus) -> str:
    return unstyled("\n".join(fitted(status_lines(found, NOW))))


def test_a_night_under_way_has_its_rate_and_the_time_left(busy: CenterStatus) -> None:
    assert busy.night is not None
    assert (busy.night["done"], busy.night["releases"]) == (2, 8)
    text = shown(busy)
    assert "night 20260102T030000Z-12345678: 2 of 8 releases (25%)" in text
    assert "30 an hour, about 12 min left" in text


def test_what_runs_where_is_named_and_shown_without_control_characters(busy: CenterStatus) -> None:
    text = shown(busy)
    assert "\x1b" not in text
    assert r"shard 1 of night \x1b[31m" in text
    assert [w.where for w in busy.flow_runs] == ["lab-host-worker-1"] * 2
    (rebuild,) = busy.rebuilds
    assert (rebuild.what, rebuild.since) == ("lab/r3@1", "2026-01-02T03:02:35+00:00")
    waits = "waiting for a worker: serve-requests, nightly\n"
    assert waits in text, "names made up by Prefect say nothing"
    assert busy.queued == ("serve-requests", "nightly"), "the next night waits for no worker"


def test_the_next_night_is_shown_in_local_time_and_utc(busy: CenterStatus) -> None:
    assert busy.next_night_local == "2026-01-03T01:00:00+01:00"
    expected = "Sat 2026-01-03 01:00 Europe/Berlin (2026-01-03 00:00 UTC), in 20 h 55 min"
    assert f"next night: {expected}" in shown(busy)


def test_a_night_in_utc_has_one_time(busy: CenterStatus) -> None:
    text = shown(replace(busy, timezone="UTC", next_night_local="2026-01-03T00:00:00+00:00"))
    assert "next night: Sat 2026-01-03 00:00 UTC, in 20 h 55 min" in text


def test_what_should_run_and_does_not_is_named_with_its_last_words(tmp_path: Path) -> None:
    prefect = {"port": free_port(), "database": "sqlite"}
    mine = center(tmp_path, home="home", prefect=prefect, workers=2, signer="signer.sock")
    log = mine.home / "standing/worker-2.log"
    log.parent.mkdir(parents=True)
    log.write_text("first\nthe last words\n")
    pid = '{"pid": 1, "started": 0.0, "boot": "another", "mark": "gone"}'
    (log.parent / "worker-2.pid").write_text(pid)
    found = look(mine)
    told = {service.name: service for service in found.missing}
    assert told.keys() - {"engine"} == {"server", "signer", "worker-1", "worker-2"}
    assert told["worker-2"].detail == f"the last words (more in {log})"
    assert "STOPPED" in shown(found)
    assert "`samebits center up` starts what is stopped" in shown(found)


def test_an_engine_that_does_not_answer_is_no_service_that_runs(tmp_path: Path) -> None:
    mine = center(tmp_path, home="home", prefect={"api": "http://127.0.0.1:9/api"})

    def engine() -> str:
        raise EngineError("no container engine answers")

    found = service_states(
        mine, answers=True, online=frozenset({worker_name(mine, 1)}), engine=engine
    )
    told = {service.name: (service.runs, service.detail) for service in found}
    assert told["engine"] == (False, "no container engine answers")
    assert told["server"] == (True, "http://127.0.0.1:9/api")
    assert told["worker-1"] == (True, worker_name(mine, 1)), "systemd may have started it"


def test_alarms_of_the_last_night_stay_until_the_next(busy: CenterStatus) -> None:
    alarm = {"kind": "worse", "about": "lab/\x1b[2Jr1@1", "text": "it was IDENTICAL"}
    known = {**alarm, "kind": "suspect", "acknowledged": "lab"}
    night = {"night": "20260101T030000Z-0", "verdicts": {"DIFFERENT": 1}, "alarms": [alarm, known]}
    text = shown(replace(busy, last_night=night, open_alarms=1))
    assert r"ALARM worse: lab/\x1b[2Jr1@1: it was IDENTICAL" in text
    assert r"acknowledged by lab: suspect: lab/\x1b[2Jr1@1: it was IDENTICAL" in text
    assert "open alarms: 1, 1 acknowledged; see `samebits alarm list`" in text


def test_the_parts_of_a_center_have_their_sizes_and_a_full_disk_its_warning(
    tmp_path: Path, busy: CenterStatus
) -> None:
    mine = center(tmp_path, home="home")
    sizes = {"store/private/vault/a": 8, "store/public/b": 12, "cache/c/d": 4, "reports/e/f": 8}
    for name, size in sizes.items():
        path = mine.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (size << 10))
    (mine.home / "cache/c/link").symlink_to("/")
    use = disk_use(mine)
    assert use.used["vault"] == 8 << 10
    assert use.used["cache"] == 4 << 10
    assert use.used["reports"] == 8 << 10
    assert use.used["evidence"] >= 12 << 10
    assert use.free < use.total
    (mine.home / "vault").mkdir()
    (mine.home / "vault/g").write_bytes(b"x" * (4 << 10))
    remote = mine.model_copy(update={"store": S3Settings(url="s3://bucket/asia")})
    assert disk_use(remote).used["vault"] == 4 << 10, "copies of the inputs of a remote store"
    assert "disk: 50 GiB of 100 GiB free; vault 3 MiB" in shown(busy)
    tight = shown(replace(busy, disk=DiskUse(total=100 << 30, free=1 << 30, used={})))
    assert "WARNING the disk is nearly full" in tight


@pytest.mark.parametrize(
    ("runs", "faults", "code"), [(True, (), 0), (False, ("x",), 1), (True, ("x",), 2)]
)
def test_the_exit_code_is_that_of_the_worst(
    tmp_path: Path, busy: CenterStatus, monkeypatch: pytest.MonkeyPatch, *, runs: bool,
    faults: tuple[str, ...], code: int,
) -> None:  # fmt: skip
    from click.testing import CliRunner

    from pipelines.cli.status import status as command

    services = (ServiceState(name="server", runs=runs, pid=None, detail=""),)
    found = replace(busy, services=services, faults=faults)
    monkeypatch.setattr(services_status, "status", lambda *_, **__: found)
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path))
    assert CliRunner().invoke(command, []).exit_code == code


def test_a_center_without_prefect_has_no_service_to_miss(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert samebits("center", "init", home=home).code == 0
    ended = samebits("center", "status", "--json", home=home)
    assert ended.code == 0, ended.err
    assert ended.document()["services"] == []
    refused = samebits("center", "status", "--watch", "--json", home=home)
    assert refused.code == 64
    refused.assert_clear()


def test_it_is_shown_again_and_again_until_an_interrupt(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert samebits("center", "init", home=home).code == 0
    with started("center", "status", "--watch", home=home) as process:
        assert process.stdout is not None
        seen = 0
        while seen < 2:
            seen += process.stdout.readline().startswith("center local: ")
        interrupt(process, signal.SIGINT)
        ended = finish(process)
    assert (ended.code, ended.err) == (0, "")
