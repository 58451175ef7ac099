"""Flow runs that died without a word: Prefect takes them for running, and so starts them again.

A run that was killed is scheduled anew under its own id, at most `TRIES` times; what it had done
already has its record, so that nothing is done or counted twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed, Scheduled

from pipelines.center.center import Center
from pipelines.flows.alive import died, forget

TRIES = 3
_STUCK = timedelta(minutes=10)
_UNENDED = {StateType.RUNNING, StateType.PENDING, StateType.CRASHED}


def restart_dead(center: Center) -> list[str]:
    """Deal with every flow run of this machine that died; returns the ids of those started again.

    Runs that have been about to start for ten minutes are started again too: their worker is gone.
    """
    again = []
    with get_client(sync_client=True) as client, died(center) as dead:
        for name in dead:
            try:
                run = client.read_flow_run(UUID(name))
            except ObjectNotFound:
                forget(center, name)
                continue
            again += [name] if _deal(client, run) else []
            forget(center, name)
        for run in _stuck(client, center):
            client.set_flow_run_state(run.id, Scheduled(message="its worker is gone"), force=True)
            again.append(str(run.id))
    return again


def start_again(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Schedule a run anew that was killed, unless it has had its tries; says whether it was."""
    if run.deployment_id is None or run.run_count >= TRIES:
        return False
    client.set_flow_run_state(run.id, Scheduled(message="it was killed"), force=True)
    return True


def _deal(client: SyncPrefectClient, run: FlowRun) -> bool:
    if run.state_type is StateType.CANCELLING:
        client.set_flow_run_state(run.id, Cancelled(), force=True)
        return False
    if run.state_type not in _UNENDED:
        return False
    if start_again(client, run):
        return True
    if run.state_type is not StateType.CRASHED:
        client.set_flow_run_state(run.id, Crashed(message="its process was killed"), force=True)
    return False


def _stuck(client: SyncPrefectClient, center: Center) -> list[FlowRun]:
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter.model_validate(
            {"state": {"type": {"any_": [StateType.PENDING]}}}
        ),
        work_pool_filter=WorkPoolFilter.model_validate({"name": {"any_": [center.pool]}}),
    )
    late = datetime.now(UTC) - _STUCK
    return [run for run in found if run.state is not None and run.state.timestamp < late]
