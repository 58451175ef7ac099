"""How a night waits for its shards: with a Prefect of our own that knows some flow runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType

from pipelines.flows import nightly
from pipelines.flows.flow_runs import TRIES


@dataclass
class Client:
    """Answers as Prefect's client does, and counts the flow runs that it hands out."""

    runs: dict[UUID, SimpleNamespace] = field(default_factory=dict)
    handed_out: int = 0
    restarted: list[UUID] = field(default_factory=list)

    def add(self, state: StateType, *, tries: int = 1) -> UUID:
        name = uuid4()
        self.runs[name] = SimpleNamespace(
            id=name, state_type=state, run_count=tries, deployment_id=uuid4()
        )
        return name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_flow_runs(self, *, flow_run_filter: FlowRunFilter) -> list[SimpleNamespace]:
        found = list(self._found(flow_run_filter))
        self.handed_out += len(found)
        return found

    def count_flow_runs(self, *, flow_run_filter: FlowRunFilter) -> int:
        return len(list(self._found(flow_run_filter)))

    def set_flow_run_state(self, name: UUID, _state: object, **_: Any) -> None:
        self.restarted.append(name)

    def _found(self, asked: FlowRunFilter) -> Iterable[SimpleNamespace]:
        told = asked.model_dump(exclude_none=True)
        states = told.get("state", {}).get("type", {}).get("any_", list(StateType))
        assert len(told["id"]["any_"]) <= 200, "the API hands out no more at once"
        return (
            run for run in self.runs.values()
            if run.id in told["id"]["any_"] and run.state_type in states
        )  # fmt: skip


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    monkeypatch.setattr(nightly, "get_client", lambda **_: made)
    return made


def test_what_ended_in_whatever_way_has_ended(client: Client) -> None:
    ended = {client.add(s) for s in (StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED)}
    running = {client.add(s) for s in (StateType.RUNNING, StateType.SCHEDULED, StateType.PENDING)}
    assert nightly._ended(ended | running) == ended
    assert client.handed_out == 3, "what runs is not asked for, however much of it there is"


def test_what_crashed_is_started_again_until_it_has_had_its_tries(client: Client) -> None:
    early, late = client.add(StateType.CRASHED), client.add(StateType.CRASHED, tries=TRIES)
    assert nightly._ended({early, late}) == {late}
    assert client.restarted == [early]


def test_what_was_deleted_is_waited_for_no_more(client: Client) -> None:
    there = {client.add(StateType.RUNNING) for _ in range(450)}
    assert nightly._deleted(there) == set()
    assert client.handed_out == 0, "counting them is enough"
    gone = uuid4()
    assert nightly._deleted({*there, gone}) == {gone}
