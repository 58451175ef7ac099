"""`samebits heartbeat`, as people use it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.center.center import LOCAL, load_center
from pipelines.center.keys import public_keys
from pipelines.cli.log import heartbeat as command
from pipelines.log.heartbeats import newest_heartbeat
from pipelines.storage.opening import open_store
from tests.command import wait_until


def test_a_center_beats_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path))
    monkeypatch.delenv("SAMEBITS_STORE", raising=False)
    first = CliRunner().invoke(command, [])
    assert first.exit_code == 0, first.output
    assert "local: 0 leaves of 0 releases logged" in first.stdout
    before = datetime.now(UTC).second
    wait_until(lambda: datetime.now(UTC).second != before)  # its records are named by the second
    told = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert (told["log"]["size"], told["heads"]) == (1, 1)
    center = load_center(None)
    keys = [public_keys(center)["statements"]]
    newest = newest_heartbeat(open_store(center.store), LOCAL, keys, now=datetime.now(UTC))
    assert newest
    assert newest.predicate.log.size == 1
