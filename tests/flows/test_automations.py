"""The example automations, given to a real server as an operator would give them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipelines.services import supervisor
from pipelines.services.environment import client_environment
from tests.services.stand import Stand

EXAMPLE = Path(__file__).parents[2] / "infra/automations.yaml"


def test_the_example_automations_are_taken_by_a_server(standing_center: Stand) -> None:
    if supervisor.server(standing_center.center).pid() is None:
        standing_center.up()
    made = subprocess.run(
        [sys.executable, "-m", "prefect", "automation", "create", "--from-file", EXAMPLE],
        capture_output=True, text=True, check=False,
        env=client_environment(standing_center.center),
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    (found,) = standing_center.api.post("/automations/filter")
    assert (found["name"], found["enabled"]) == ("samebits-gravest-alarms", True)
    assert "samebits.alarm.suspect" in found["trigger"]["expect"]
    assert [action["type"] for action in found["actions"]] == ["do-nothing"]
