"""A night of a running center, requested and followed through its Prefect API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from builders.core.errors import InfrastructureError
from pipelines.center.center import Center
from pipelines.services.deployments import run_now
from pipelines.services.prefect_api import PrefectApi
from pipelines.services.supervisor import online_workers

FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
_PATIENCE = 300.0
"""Seconds of silence after which a server counts as gone."""


def ask_for_night(center: Center) -> tuple[PrefectApi, str]:
    """Schedule a night for now; returns the API to ask further, and the id of the flow run.

    Raises `InfrastructureError` where the center does not answer or has no such deployment.
    """
    api = PrefectApi(center)
    if not online_workers(center, api):
        raise InfrastructureError(
            f"center {center.id} has no worker that could do it",
            todo="`samebits center up` starts its workers",
        )
    return api, run_now(api, "nightly")


def follow(api: PrefectApi, flow_run: str, *, pause: float = 1.0) -> Iterator[dict[str, Any]]:
    """Yield a flow run as it is, again and again until it has ended.

    A server that is started again in between is waited for; raises `InfrastructureError` when it
    stays away.
    """
    last_answer = time.monotonic()
    while True:
        try:
            run: dict[str, Any] = api.get(f"/flow_runs/{flow_run}")
        except InfrastructureError:
            if time.monotonic() - last_answer > _PATIENCE:
                raise
        else:
            last_answer = time.monotonic()
            yield run
            if run["state_type"] in FINAL:
                return
        time.sleep(pause)


def night_of(run: dict[str, Any]) -> str:
    """Return the id of the night of a flow run, as the flow makes it."""
    made = datetime.fromisoformat(run["created"]).astimezone(UTC)
    return f"{made:%Y%m%dT%H%M%SZ}-{run['id'][:8]}"
