"""What of a center runs and what does not, how far its night is, and when the next one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from builders.core.errors import SamebitsError
from builders.rebuild.workspace import living_runs
from pipelines.center.center import Center
from pipelines.center.keys import key_places, public_keys
from pipelines.center.reload import check_takeover
from pipelines.evidence.statements.statement import show_time
from pipelines.log.heartbeats import newest_heartbeat
from pipelines.nightly.lasting import lasting_alarms
from pipelines.nightly.night import summarise
from pipelines.nightly.progress import NightProgress, night_progress
from pipelines.nightly.record import last_night
from pipelines.policy import Policy, expiry_warnings
from pipelines.services.disk import DiskUse, disk_use
from pipelines.services.expected import ServiceState, service_states
from pipelines.services.prefect_api import PrefectApi, night_of
from pipelines.services.supervisor import pids
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.verify.interrupted import interrupted_warnings
from pipelines.verify.session import Session

_WAITING = {"SCHEDULED", "PENDING"}
_AT_WORK = {"RUNNING", "CANCELLING"}
_NAMED_WHEN_BEGUN = {"nightly", "verify-release"}
_SHOWN = 200
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class RunningJob:
    """Something that runs now: a flow run, or the rebuild of a release on this machine."""

    what: str
    where: str
    """The worker of a flow run; the id of a rebuild's run."""
    since: str | None
    """ISO 8601, UTC."""


@dataclass(frozen=True, kw_only=True)
class CenterStatus:
    """The state of one center; `faults` are parts of it that could not be read."""

    center: str
    answers: bool
    url: str | None
    services: tuple[ServiceState, ...]
    """Those that should run."""
    processes: dict[str, int]
    workers: tuple[str, ...]
    running: tuple[str, ...]
    queued: tuple[str, ...]
    """Flow runs that wait for a worker, those of later nights left out."""
    flow_runs: tuple[RunningJob, ...]
    rebuilds: tuple[RunningJob, ...]
    """On this machine."""
    night: dict[str, Any] | None
    """How far the night is that runs now."""
    next_night: str | None
    """ISO 8601, UTC."""
    next_night_local: str | None
    """The same in `timezone`, that of the center's nights."""
    timezone: str
    last_night: dict[str, Any] | None
    """What it found, with its alarms, and those of nights before that are open."""
    open_alarms: int
    """Those of the last night that nobody has acknowledged."""
    last_heartbeat: str | None
    """ISO 8601, UTC."""
    policy: dict[str, Any] | None
    """File, version and expiry (ISO 8601, UTC) of the policy in force."""
    keys: dict[str, str]
    """By use, the file of the private key, or its URI without the query."""
    warnings: tuple[str, ...]
    """What of the policy and its keys ends soon."""
    waiting_evidence: int
    """Objects that wait to be sent to the store."""
    disk: DiskUse
    faults: tuple[str, ...]

    @property
    def missing(self) -> tuple[ServiceState, ...]:
        """The services that should run and do not."""
        return tuple(service for service in self.services if not service.runs)


def status(
    session: Session,
    *,
    now: datetime,
    disk: DiskUse | None = None,
    night: dict[str, Any] | None = None,
) -> CenterStatus:
    """Look at a center; whatever cannot be read is named, and the rest is shown.

    `disk` and the last `night` are what was found before, since those take a while.
    """
    center = session.center
    faults: list[str] = []

    def read(part: Callable[[], _T], default: _T) -> _T:
        """Return a part of the status; one that cannot be read is a fault."""
        try:
            return part()
        except SamebitsError as error:
            faults.append(str(error))
            return default

    api = PrefectApi(center) if center.prefect is not None else None
    answering = api if api is not None and api.answers() else None
    none: list[dict[str, Any]] = []
    runs = read(lambda: _flow_runs(answering, center), none) if answering else none
    online = frozenset(answering.online_workers() if answering else ())
    services = service_states(
        center,
        answers=answering is not None,
        online=online,
        engine=lambda: f"version {session.engine.info().version}",
    )
    due = now.astimezone(UTC).isoformat()
    waiting = [r for r in runs if r["state_type"] in _WAITING]
    at_work = [r for r in runs if r["state_type"] in _AT_WORK]
    starts = [r["expected_start_time"] for r in waiting if r["flow"] == "nightly"]
    next_night = min((start for start in starts if start > due), default=None)
    night = night or read(lambda: _last_night(session, now), None)
    policy, alive = read(lambda: session.policy(now), None), pids(center)
    if alive:
        read(lambda: check_takeover(center), None)
    return CenterStatus(
        center=center.id,
        answers=answering is not None,
        url=center.prefect.url if center.prefect else None,
        services=tuple(services),
        processes=alive,
        workers=tuple(sorted(online)),
        running=tuple(map(_named, at_work)),
        queued=tuple(_named(r) for r in waiting if r["expected_start_time"] <= due),
        flow_runs=tuple(map(_flow_run, at_work)),
        rebuilds=tuple(map(_rebuild, living_runs(center.runs))),
        night=read(partial(_night, session, at_work, now), None),
        next_night=next_night,
        next_night_local=None if next_night is None else _local(center, next_night),
        timezone=center.night.timezone,
        last_night=night,
        open_alarms=sum("acknowledged" not in alarm for alarm in night["alarms"]) if night else 0,
        last_heartbeat=read(lambda: _last_heartbeat(session, now), None),
        policy=None if policy is None else _shown_policy(center, policy),
        keys=key_places(center),
        warnings=(
            *(() if policy is None else expiry_warnings(policy, now)),
            *read(lambda: [*interrupted_warnings(session)], list[str]()),
        ),
        waiting_evidence=_outbox(center),
        disk=disk or disk_use(center),
        faults=tuple(faults),
    )


def _flow_runs(api: PrefectApi, center: Center) -> list[dict[str, Any]]:
    found = api.post(
        "/flow_runs/filter",
        flow_runs={"state": {"type": {"any_": sorted(_WAITING | _AT_WORK)}}},
        work_pools={"name": {"any_": [center.pool]}},
        sort="EXPECTED_START_TIME_ASC",
        limit=_SHOWN,
    )
    flows = {flow["id"]: str(flow["name"]) for flow in api.post("/flows/filter")}
    for run in found:
        run["flow"] = flows.get(run["flow_id"], "")
    return list(found)


def _named(run: dict[str, Any]) -> str:
    """Return the name of a flow run, or of its flow: Prefect makes up names that say nothing."""
    begun = run["start_time"] is not None
    named = run["flow"] == "verify-shard" or (begun and run["flow"] in _NAMED_WHEN_BEGUN)
    return str(run["name"] if named else run["flow"])


def _flow_run(run: dict[str, Any]) -> RunningJob:
    worker = (run.get("labels") or {}).get("prefect.worker.name")
    return RunningJob(what=_named(run), where=str(worker or "no worker"), since=run["start_time"])


def _rebuild(found: tuple[str, str]) -> RunningJob:
    run, release = found
    began = datetime.strptime(run[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return RunningJob(what=release or "a rebuild", where=run, since=began.isoformat())


def _night(session: Session, at_work: list[dict[str, Any]], now: datetime) -> dict[str, Any] | None:
    """Return how far the night is that runs, and has stored its plan."""
    for run in at_work:
        if run["flow"] == "nightly":
            night = night_of(run)
            found: NightProgress | None = night_progress(
                session.store, session.center.id, night, now=now
            )
            return None if found is None else found.to_dict()
    return None


def _local(center: Center, moment: str) -> str:
    zone = ZoneInfo(center.night.timezone)
    return datetime.fromisoformat(moment).astimezone(zone).isoformat(timespec="seconds")


def _last_night(session: Session, now: datetime) -> dict[str, Any] | None:
    """Return what the last night found; its alarms as they are acknowledged by now."""
    center, store = session.center, session.store
    night = last_night(store, center.id)
    if night is None:
        return None
    found = lasting_alarms(session, night.alarms, night, now=now)
    night = night.model_copy(update={"alarms": found.alarms})
    return summarise(night, last_night(store, center.id, before=night.night)).to_dict()


def _last_heartbeat(session: Session, now: datetime) -> str | None:
    key = public_keys(session.center)["statements"]
    found = newest_heartbeat(session.store, session.center.id, [key], now=now)
    return None if found is None else found.predicate.beat_on.isoformat(timespec="seconds")


def _shown_policy(center: Center, policy: Policy) -> dict[str, Any]:
    return {
        "file": str(center.policy),
        "version": policy.version,
        "expires": show_time(policy.expires),
    }


def _outbox(center: Center) -> int:
    if isinstance(center.store, Path):
        return 0
    waiting = DirectoryStore(center.home / "outbox")
    return sum(1 for part in Visibility for _ in waiting.list(f"{part}/"))
