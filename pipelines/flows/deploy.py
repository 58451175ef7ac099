"""Registers the deployments of `infra/prefect.yaml`, as `prefect deploy --all` does.

A program of its own: `python -m pipelines.flows.deploy FILE CONCURRENCY`, with Prefect's settings
and the placeholders of the file in its environment. It also makes the work pool and its queues.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.templating import apply_values

QUEUES = ("steering", "asked", "night")
"""In the order in which they are served; only the latter two rebuild, and have a limit."""


async def deploy(text: str, *, concurrency: int) -> list[str]:
    """Make pool, queues and deployments, or bring them up to date; returns their names."""
    data = yaml.safe_load(text)
    stanzas: list[Any] = [
        apply_values(one, dict(os.environ), remove_notset=False) for one in data["deployments"]
    ]
    async with get_client() as client:
        for pool in sorted({stanza["work_pool"]["name"] for stanza in stanzas}):
            await _pool(client, pool, concurrency)
        return [await _deployment(stanza) for stanza in stanzas]


async def _pool(client: PrefectClient, name: str, concurrency: int) -> None:
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=name, type="process"))
    there = {queue.name: queue for queue in await client.read_work_queues(work_pool_name=name)}
    for priority, queue in enumerate(QUEUES, 1):
        limit = None if queue == "steering" else concurrency
        wanted: dict[str, Any] = {"priority": priority, "concurrency_limit": limit}
        if queue in there:
            await client.update_work_queue(there[queue].id, **wanted)
        else:
            with contextlib.suppress(ObjectAlreadyExists):  # another one was first
                await client.create_work_queue(queue, work_pool_name=name, **wanted)


async def _deployment(stanza: dict[str, Any]) -> str:
    flow: Any = load_flow_from_entrypoint(stanza["entrypoint"])
    limit = stanza.get("concurrency_limit") or {}
    deployment = RunnerDeployment(
        name=stanza["name"],
        flow_name=flow.name,
        entrypoint=stanza["entrypoint"],
        description=stanza.get("description"),
        parameters=stanza.get("parameters") or {},
        schedules=[_schedule(one) for one in stanza.get("schedules") or ()],
        work_pool_name=stanza["work_pool"]["name"],
        work_queue_name=stanza["work_pool"]["work_queue_name"],
        job_variables=stanza["work_pool"].get("job_variables") or {},
        concurrency_limit=limit.get("limit"),
        concurrency_options=(
            {"collision_strategy": limit["collision_strategy"]} if limit else None
        ),
    )
    deployment._parameter_openapi_schema = parameter_schema(flow)  # noqa: SLF001  # no setter
    await deployment.aapply()
    return f"{flow.name}/{stanza['name']}"


def _schedule(stanza: dict[str, Any]) -> DeploymentScheduleCreate:
    timing = {key: value for key, value in stanza.items() if key != "slug"}
    return DeploymentScheduleCreate.model_validate({"schedule": timing, "slug": stanza["slug"]})


if __name__ == "__main__":
    wanted, places = Path(sys.argv[1]).read_text(), int(sys.argv[2])
    for deployed in asyncio.run(deploy(wanted, concurrency=places)):
        sys.stdout.write(f"{deployed}\n")
