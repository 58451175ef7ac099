"""The flow `nightly`: everything shipped, in shards that any number of workers share.

A night has the id of its flow run. A night that was killed and is started again finds the shards
that it had made, and the results that they left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow, flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.deployments import run_deployment
from prefect.events import emit_event
from prefect.runtime import flow_run

from builders.core.errors import CancelledError
from builders.core.escaping import escaped
from pipelines.center.center import Center
from pipelines.center.reload import load_running
from pipelines.flows.cancelled_runs import (
    cancelled_state,
    end_waiting,
    night_of,
    tell_if_cancelled,
)
from pipelines.flows.flow_runs import living, restart_dead, start_again
from pipelines.flows.verify_release import safely, show_table
from pipelines.flows.verify_shard import shard_in
from pipelines.nightly.alarms import outside_alarms
from pipelines.nightly.night import NightSummary, end_night, work_of
from pipelines.nightly.night_plan import NightPlan, plan_night
from pipelines.nightly.periodic import publish_own_heartbeat
from pipelines.nightly.progress import store_plan
from pipelines.nightly.record import NightAlarm, NightRecord
from pipelines.portal.build import build_portal
from pipelines.storage.opening import StoreAddress
from pipelines.verify.cancellation import cancellable_night
from pipelines.verify.lanes import in_lanes
from pipelines.verify.session import Session

_NAME = "nightly"
SHARD = "verify-shard/center"
_POLL = 2.0
_LOOK_AFTER_DEAD = 10.0
_PATIENCE = 900.0
"""Seconds without a word from Prefect's API after which a night gives up."""
_BATCH = 200


@flow(name=_NAME, flow_run_name="night of {center}", persist_result=False)
def nightly(center: str) -> str:
    """Verify every release of the center's recipes, in shards; returns the id of the night.

    The flow run completes whatever was found; that is in the night's record, table and events.
    """
    with Session(load_running(Path(center))) as session:
        found: Any = cancelled_state(lambda: _night(session, partial(_spread, session)))
        return found  # type: ignore[no-any-return]


def night_in(session: Session) -> Flow[[], str]:
    """Return the flow `nightly` for a night in this process, whose shards share `session`."""

    @flow(name=_NAME, flow_run_name=f"night of {session.center.id}", persist_result=False)
    def nightly() -> str:
        return _night(session, partial(_here, session))

    return nightly


def _night(session: Session, run_shards: Callable[[NightPlan], None]) -> str:
    owner, night = session.center, _own_night()
    with (
        living(owner, str(flow_run.id)),
        cancellable_night(session.store, owner.id, night, session.cancelled, str(flow_run.id)),
    ):
        session.progress.step("nightly", f"begins as night {night}")
        session.raise_if_cancelled()
        plan = plan_night(session, night, now=datetime.now(UTC))
        store_plan(session.store, owner.id, plan)
        run_shards(plan)
        due = [one.release for one in plan.dues]
        outside = outside_alarms(session, due, now=datetime.now(UTC))
        summary = end_night(session, plan, outside, now=datetime.now(UTC))
        _tell(owner, summary)  # before a log that was rolled back refuses the heartbeat
        publish_own_heartbeat(session, work_of(summary.record))
        if owner.portal is not None:
            _portal(session, owner.portal)
    return plan.night


def _portal(session: Session, place: StoreAddress) -> None:
    """Build the portal; that this fails never fails a night."""
    try:
        get_run_logger().info("portal: %s", build_portal(session, place))
    except Exception as error:  # noqa: BLE001
        get_run_logger().warning("the portal was not built: %s", error)


def _own_night() -> str:
    """Return the id of the night of this flow run."""
    with get_client(sync_client=True) as client:
        return night_of(client.read_flow_run(UUID(str(flow_run.id))))


def _spread(session: Session, plan: NightPlan) -> None:
    """Make a flow run of every shard, and wait until all of them have ended.

    Once the night is cancelled, no further one begins, and those that run are waited for.
    """
    try:
        made = set()
        for number in range(len(plan.shards)):
            session.raise_if_cancelled()
            made.add(_submit(session.center, plan, number))
        _wait(session, made)
    except CancelledError:
        _end_shards(session)
        raise
    except BaseException:
        tell_if_cancelled(session, plan.night)
        raise


def _end_shards(session: Session) -> None:
    """Cancel the shards of this night that have not begun, and wait for the end of the others."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with suppress(httpx.HTTPError):
            if not end_waiting(UUID(str(flow_run.id))):
                return
            restart_dead(session)  # those of killed workers end by that
        time.sleep(_POLL)


def _wait(session: Session, waiting: set[UUID]) -> None:
    """Wait for the end of all shards; raises `CancelledError`."""
    answered = looked = time.monotonic()
    while waiting:
        session.cancelled.wait(_POLL)
        session.raise_if_cancelled()
        try:
            waiting -= _ended(waiting)
            if time.monotonic() - looked > _LOOK_AFTER_DEAD:
                restart_dead(session)
                waiting -= _deleted(waiting)
                looked = time.monotonic()
            answered = time.monotonic()
        except httpx.HTTPError as error:  # the server is being started again
            if time.monotonic() - answered > _PATIENCE:
                get_run_logger().error("Prefect's API does not answer: %s", error)
                raise


def _submit(owner: Center, plan: NightPlan, number: int) -> UUID:
    """Make the flow run of a shard, unless it was made before; returns its id."""
    run: Any = run_deployment(
        SHARD,
        parameters={
            "center": None if owner.file is None else str(owner.file),
            "night": plan.night,
            "releases": _releases(plan, number),
        },
        timeout=0,
        as_subflow=True,
        idempotency_key=f"{plan.night}-{number}",
        flow_run_name=f"shard {number + 1} of night {plan.night}",
    )
    return UUID(str(run.id))


def _ended(waiting: set[UUID]) -> set[UUID]:
    """Return which flow runs have ended; one that crashed is started again, and has not.

    Only those are asked for: of a large night, all would be megabytes, again and again.
    """
    ended = set()
    for client, batch in _batches(waiting):
        for run in client.read_flow_runs(flow_run_filter=_among(batch, TERMINAL_STATES)):
            crashed = run.state_type is StateType.CRASHED
            if not (crashed and start_again(client, run)):
                ended.add(run.id)
    return ended


def _deleted(waiting: set[UUID]) -> set[UUID]:
    """Return which flow runs no longer exist, since they were deleted."""
    gone = set()
    for client, batch in _batches(waiting):
        if client.count_flow_runs(flow_run_filter=_among(batch)) < len(batch):
            found = client.read_flow_runs(flow_run_filter=_among(batch))
            gone |= set(batch) - {run.id for run in found}
    return gone


def _among(ids: list[UUID], states: Iterable[StateType] = ()) -> FlowRunFilter:
    wanted: dict[str, Any] = {"id": {"any_": ids}}
    if states:
        wanted["state"] = {"type": {"any_": sorted(states)}}
    return FlowRunFilter.model_validate(wanted)


def _batches(waiting: set[UUID]) -> Iterator[tuple[SyncPrefectClient, list[UUID]]]:
    """Yield a client, and the ids that it is to ask for at once."""
    ids = sorted(waiting)
    with get_client(sync_client=True) as client:
        for start in range(0, len(ids), _BATCH):
            yield client, ids[start : start + _BATCH]


def _here(session: Session, plan: NightPlan) -> None:
    """Run every shard in this process, some side by side."""

    def run(number: int) -> None:
        try:
            shard_in(session)(plan.night, _releases(plan, number))
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001  # what is not there says so, and its own log why
            return

    in_lanes(session, run, range(len(plan.shards)), lanes=session.center.concurrency)


def _releases(plan: NightPlan, number: int) -> list[dict[str, Any]]:
    return [due.model_dump(mode="json", exclude_none=True) for due in plan.shards[number]]


def _tell(owner: Center, summary: NightSummary) -> None:
    """Write the table and send the alarms; that this fails never fails a night."""
    safely("the table of the night", lambda: _table(summary))
    for alarm in filter(lambda alarm: alarm.is_open, summary.record.alarms):
        safely(f"the alarm {alarm.kind}", partial(_event, owner, summary.record, alarm))
    for line in summary.lines():
        get_run_logger().info("%s", line)


def _event(owner: Center, record: NightRecord, alarm: NightAlarm) -> None:
    emit_event(
        event=f"samebits.alarm.{alarm.kind}",
        resource={
            "prefect.resource.id": f"samebits.center.{owner.id}",
            "samebits.about": escaped(alarm.about),
            "samebits.night": record.night,
        },
        payload={"text": escaped(alarm.text), "night": record.night},
    )


def _table(summary: NightSummary) -> None:
    record = summary.record
    rows = [
        {
            "release": e.release,
            "verdict": str(e.verdict),
            "how": str(e.mode),
            "why": str(e.why),
            "elsewhere": str(e.moved or ""),
        }
        for e in record.releases
    ]
    show_table(f"night-{record.center}", rows, summary.lines())
