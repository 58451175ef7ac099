"""A center file that is edited while the center is up."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from pipelines.center.center import load_center
from pipelines.center.reload import CenterReader
from pipelines.flows import redeploy
from pipelines.services.supervisor import service_folder
from tests.command import wait_until
from tests.services.stand import Stand


@pytest.fixture(scope="module")
def stand(standing_center: Stand) -> Stand:
    standing_center.only()
    standing_center.up()
    return standing_center


def crons(stand: Stand) -> list[str]:
    found = stand.api.get("/deployments/name/nightly/center")["schedules"]
    return [one["schedule"]["cron"] for one in found]


def test_an_edited_file_counts_while_it_is_up_and_a_bad_one_changes_nothing(
    stand: Stand,
) -> None:
    runs = {"state": {"type": {"any_": ["RUNNING"]}}}
    serving = {"flow_runs": runs, "flows": {"name": {"any_": ["serve-requests"]}}}
    if not stand.api.post("/flow_runs/filter", **serving):
        stand.ask("serve-requests")
    wait_until(lambda: bool(stand.api.post("/flow_runs/filter", **serving)))
    stand.only(cron="30 4 * * *")
    wait_until(lambda: crons(stand) == ["30 4 * * *"])
    good = stand.file.read_text()
    stand.file.write_text(json.dumps({**json.loads(good), "nonsense": 1}))
    try:
        stand.reap()  # by the last good file
        logs = list(service_folder(stand.center).glob("worker-*.log"))
        wait_until(lambda: any("keeps its settings" in p.read_text() for p in logs))
        ended = stand.run("center", "status")
        assert ended.code == 64
        assert "nonsense" in ended.err
        assert crons(stand) == ["30 4 * * *"]
    finally:
        stand.file.write_text(good)
        stand.only()


def test_deployments_that_fail_are_an_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not redeploy.deploy(str(tmp_path / "nowhere.yaml"))
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "were not brought up to date" in record.message
    assert "nowhere.yaml" in record.message


def test_deployments_follow_a_file_once_and_not_a_bad_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redeploy, "EVERY", 0.01)
    made = list[str]()

    def deploy(file: str) -> bool:
        made.append(file)
        return len(made) > 1  # it fails the first time

    monkeypatch.setattr(redeploy, "deploy", deploy)
    (tmp_path / "policy.json").write_text("{}")
    file = tmp_path / "center.yaml"
    text = "schema: samebits/center/v1\nid: lab\nhome: home\npolicy: policy.json\n"
    file.write_text(text)
    reader = CenterReader(load_center(file))
    with redeploy.redeploying(reader):
        wait_until(lambda: len(made) == 2)
        file.write_text(f"{text}nonsense: 1\n")
        wait_until(lambda: bool(reader.fault))
        file.write_text(f"{text}workers: 2\n")
        wait_until(lambda: len(made) == 3)
    assert made == [str(file)] * 3
