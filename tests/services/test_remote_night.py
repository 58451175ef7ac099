"""Asking a standing center: what is said while it works, and while its server is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from builders.core.errors import InfrastructureError
from pipelines.services import prefect_api
from pipelines.services.prefect_api import PrefectApi, follow, night_of


class Answers(PrefectApi):
    """Answers with the states it is given; None is a server that is away."""

    def __init__(self, *states: str | None) -> None:
        self._states: Iterator[str | None] = iter(states)

    def get(self, path: str) -> Any:
        state = next(self._states)
        if state is None:
            raise InfrastructureError("away", got=path)
        return {"state_type": state}


def followed(*states: str | None) -> list[str]:
    return [run["state_type"] for run in follow(Answers(*states), "x", pause=0)]


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "CANCELLED", "CRASHED"])
def test_a_run_is_followed_to_its_end(end: str) -> None:
    assert followed("SCHEDULED", "RUNNING", end, "never asked") == ["SCHEDULED", "RUNNING", end]


def test_a_server_that_is_started_again_is_waited_for() -> None:
    assert followed("RUNNING", None, None, "COMPLETED") == ["RUNNING", "COMPLETED"]


def test_each_time_that_a_server_is_away_is_told_once() -> None:
    told: list[str] = []
    states = Answers("RUNNING", None, None, "RUNNING", None, "COMPLETED")
    runs = follow(states, "x", pause=0, away=lambda: told.append("away"))
    told.extend(run["state_type"] for run in runs)
    assert told == ["RUNNING", "away", "RUNNING", "away", "COMPLETED"]


def test_a_server_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_api, "_PATIENCE", -1.0)
    with pytest.raises(InfrastructureError, match="away"):
        followed("RUNNING", None)


def test_a_night_has_the_id_of_its_flow_run() -> None:
    run = {"created": "2026-11-24T02:03:04.5+01:00", "id": "0a1b2c3d-0000-0000-0000-000000000000"}
    assert night_of(run) == "20261124T010304Z-0a1b2c3d"
