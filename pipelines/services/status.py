"""What of a center runs, what waits, and when it last did what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from builders.core.errors import SamebitsError
from pipelines.center.center import Center
from pipelines.center.keys import public_keys
from pipelines.evidence.statements.statement import show_time
from pipelines.log.heartbeats import newest_heartbeat
from pipelines.nightly.night import summarise
from pipelines.nightly.record import last_night
from pipelines.policy import Policy, expiry_warnings
from pipelines.services.prefect_api import PrefectApi
from pipelines.services.supervisor import pids
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility
from pipelines.verify.session import Session

_WAITING = {"SCHEDULED", "PENDING"}
_AT_WORK = {"RUNNING", "CANCELLING"}
_SHOWN = 200
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class CenterStatus:
    """The state of one center; `faults` are parts of it that could not be read."""

    center: str
    answers: bool
    url: str | None
    processes: dict[str, int]
    workers: tuple[str, ...]
    running: tuple[str, ...]
    queued: tuple[str, ...]
    """Flow runs that wait for a worker, those of later nights left out."""
    next_night: str | None
    last_night: dict[str, Any] | None
    last_heartbeat: str | None
    """ISO 8601, UTC."""
    policy: dict[str, Any] | None
    """File, version and expiry (ISO 8601, UTC) of the policy in force."""
    warnings: tuple[str, ...]
    """What of the policy and its keys ends soon."""
    waiting_evidence: int
    """Objects that wait to be sent to the store."""
    faults: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return it for people."""
        word = "answers" if self.answers else "does not answer"
        shown = [f"center {self.center} {word}" + (f" at {self.url}" if self.url else "")]
        shown += [f"  {name:<10} pid {pid}" for name, pid in sorted(self.processes.items())]
        shown.append(f"  workers online: {', '.join(self.workers) or 'none'}")
        shown.append(f"  running: {', '.join(self.running) or 'nothing'}")
        shown.append(f"  queued: {', '.join(self.queued) or 'nothing'}")
        shown.append(f"  next night: {self.next_night or 'not scheduled'}")
        if (night := self.last_night) is not None:
            found = ", ".join(f"{n} {v}" for v, n in night["verdicts"].items())
            alarmed = f", {len(night['alarms'])} alarm(s)" if night["alarms"] else ""
            shown.append(f"  last night: {night['night']}: {found}{alarmed}")
        else:
            shown.append("  last night: none")
        shown.append(f"  last heartbeat: {self.last_heartbeat or 'none'}")
        if (policy := self.policy) is not None:
            known = f"version {policy['version']}, until {policy['expires']}"
            shown.append(f"  policy: {policy['file']}, {known}")
        shown += [f"  WARNING {warning}" for warning in self.warnings]
        if self.waiting_evidence:
            shown.append(f"  evidence that waits to be sent: {self.waiting_evidence}")
        return [*shown, *(f"  FAULT {fault}" for fault in self.faults)]


def status(session: Session, *, now: datetime) -> CenterStatus:
    """Look at a center; whatever cannot be read is named, and the rest is shown."""
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
    due = now.astimezone(UTC).isoformat()
    waiting = [r for r in runs if r["state_type"] in _WAITING]
    nights = [r["expected_start_time"] for r in waiting if r["deployment"] == "nightly"]
    policy = read(lambda: session.policy(now), None)
    return CenterStatus(
        center=center.id,
        answers=answering is not None,
        url=center.prefect.url if center.prefect else None,
        processes=pids(center),
        workers=tuple(sorted(answering.online_workers())) if answering else (),
        running=tuple(r["name"] for r in runs if r["state_type"] in _AT_WORK),
        queued=tuple(r["name"] for r in waiting if r["expected_start_time"] <= due),
        next_night=min(nights, default=None),
        last_night=read(lambda: _last_night(session), None),
        last_heartbeat=read(lambda: _last_heartbeat(session, now), None),
        policy=None if policy is None else _shown_policy(center, policy),
        warnings=() if policy is None else expiry_warnings(policy, now),
        waiting_evidence=_outbox(center),
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
    nightly = api.get("/deployments/name/nightly/center")["id"]
    for run in found:
        run["deployment"] = "nightly" if run["deployment_id"] == nightly else ""
    return list(found)


def _last_night(session: Session) -> dict[str, Any] | None:
    center, store = session.center, session.store
    night = last_night(store, center.id)
    if night is None:
        return None
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
