"""The files that Prefect reads: deployments can be loaded, and the automations are accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint

from pipelines.flows.deploy import QUEUES
from pipelines.nightly.record import AlarmKind

INFRA = Path(__file__).parents[2] / "infra"
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((INFRA / "prefect.yaml").read_text())[
    "deployments"
]


@pytest.mark.parametrize("stanza", DEPLOYMENTS, ids=lambda stanza: stanza["entrypoint"])
def test_every_deployment_is_a_flow_that_takes_its_parameters(stanza: dict[str, Any]) -> None:
    flow: Any = load_flow_from_entrypoint(stanza["entrypoint"])
    known = flow.parameters.properties
    assert stanza["parameters"].keys() <= known.keys()
    pool = stanza["work_pool"]
    assert pool["name"] == "{{ $SAMEBITS_POOL }}"
    assert pool["work_queue_name"] in QUEUES
    assert pool["job_variables"] == {"command": "python -m prefect.engine"}


def test_the_flows_have_the_names_that_the_rest_asks_for() -> None:
    names = {load_flow_from_entrypoint(stanza["entrypoint"]).name for stanza in DEPLOYMENTS}
    assert {"nightly", "verify-shard", "verify-release", "reap"} <= names
    assert {stanza["name"] for stanza in DEPLOYMENTS} == {"center"}


def test_nothing_in_it_names_a_place_of_a_machine_or_pulls_code() -> None:
    text = (INFRA / "prefect.yaml").read_text()
    assert yaml.safe_load(text)["pull"] == []
    assert not any(word in text for word in ("/opt", "/work", "/root", "/home"))


def test_the_example_automations_are_accepted_and_know_the_alarms() -> None:
    found = yaml.safe_load((INFRA / "automations.yaml").read_text())["automations"]
    for one in found:
        automation = AutomationCore.model_validate(one)
        expected = set(getattr(automation.trigger, "expect", ()))
        assert expected
        assert expected <= {f"samebits.alarm.{kind}" for kind in AlarmKind}
