"""Which flow runs were cancelled, by `samebits cancel` or in Prefect, and what of them is ended.

A cancelled night is a record in the center's store that all of its shards look for. A night that is
cancelled in Prefect, through its UI or API, gets that record from whoever notices it first: its own
process, a shard of it, or the next `reap`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Cancelled, Cancelling

from builders.core.errors import CancelledError, StoreError
from pipelines.nightly.record import night_id
from pipelines.verify.cancellation import cancel, is_cancelled
from pipelines.verify.session import Session

T = TypeVar("T")
WAITING = (StateType.SCHEDULED, StateType.PENDING, StateType.PAUSED)
_CANCELLED = (StateType.CANCELLING, StateType.CANCELLED)
_PAGE = 200


def cancelled_state(work: Callable[[], T]) -> T | State[Any]:
    """Return what `work` does, or for `CancelledError` the state of a cancelled flow run."""
    try:
        return work()
    except CancelledError as error:
        return Cancelled(message=str(error))


def night_of(run: FlowRun) -> str:
    """Return the id of the night of a flow run."""
    return night_id(run.created or datetime.now(UTC), str(run.id))


def night_check(session: Session, night: str) -> Callable[[], bool]:
    """Return what says whether `night` was cancelled, for the flow run of this thread: its shard.

    The night's flow run is asked for, too: that may have been cancelled in Prefect, and killed
    before it could tell. Where neither can be read, it counts as not cancelled.
    """
    parent = flow_run.parent_flow_run_id
    return partial(_was_cancelled, session, night, UUID(parent) if parent else None)


def is_run_cancelled(session: Session, client: SyncPrefectClient, run: FlowRun) -> bool:
    """Say whether a flow run, or the night that it is a shard of, was cancelled."""
    night, parent = run.parameters.get("night"), None
    if run.parent_task_run_id is not None:
        with suppress(ObjectNotFound, httpx.HTTPError):
            parent = client.read_task_run(run.parent_task_run_id).flow_run_id
    if run.state_type in _CANCELLED:
        return True
    return _was_cancelled(session, str(night or night_of(run)), parent)


def tell_if_cancelled(session: Session, night: str) -> None:
    """Cancel the shards of this flow run, the night `night`, if Prefect has that as cancelled."""
    with suppress(httpx.HTTPError, ObjectNotFound, StoreError):
        if _is_cancelled_in_prefect(mine := UUID(str(flow_run.id))):
            cancel(session.store, session.center.id, night)
            end_waiting(mine)


def end_waiting(night_run: UUID) -> list[UUID]:
    """Cancel the shards of a night that have not begun; returns those that run."""
    with get_client(sync_client=True) as client:
        for run in _shards(client, night_run, WAITING):
            client.set_flow_run_state(run.id, Cancelling())
        unended = (*WAITING, StateType.RUNNING, StateType.CANCELLING)
        return [run.id for run in _shards(client, night_run, unended)]


def _was_cancelled(session: Session, night: str, night_run: UUID | None) -> bool:
    store, center = session.store, session.center.id
    with suppress(StoreError):
        if is_cancelled(store, center, night):
            return True
    with suppress(httpx.HTTPError, ObjectNotFound, StoreError):
        if night_run is not None and _is_cancelled_in_prefect(night_run):
            cancel(store, center, night)
            return True
    return False


def _is_cancelled_in_prefect(run: UUID) -> bool:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run).state_type in _CANCELLED


def _shards(
    client: SyncPrefectClient, night_run: UUID, states: tuple[StateType, ...]
) -> list[FlowRun]:
    """Return the shards of a night that are in one of `states`, however many there are."""
    wanted = FlowRunFilter.model_validate(
        {"parent_flow_run_id": {"any_": [night_run]}, "state": {"type": {"any_": states}}}
    )
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE, offset=len(found)):
        found += page
    return found
