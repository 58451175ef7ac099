"""The page of a center: its log and witnesses, its keys, how often it matches, its last night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar, Literal

from pydantic import Field

from builders.core.enums import Verdict
from builders.core.errors import StoreError
from builders.core.frozen_model import FrozenModel
from pipelines.alarms.alarm import ListedAlarm
from pipelines.alarms.cause import ABOUT_CENTERS
from pipelines.audit.source import Source
from pipelines.evidence.statements.log_status import Heartbeat
from pipelines.evidence.statements.statement import Time
from pipelines.log.checkpoint import SignedCheckpoint
from pipelines.log.heartbeats import SILENT_AFTER, newest_heartbeat
from pipelines.policy import Policy, PolicyCenter
from pipelines.portal.center_night import LISTED, Night, published_night
from pipelines.portal.center_rates import Rates, rates
from pipelines.portal.paths import center_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.read_log import LogState, ReadLog
from pipelines.portal.shown_text import cut_text


class KeyRow(FrozenModel):
    """A key for statements, and for which indexes of the center's log it counts."""

    keyid: str
    start: int
    end: int | None
    """None while no end is known."""


class WitnessRow(FrozenModel):
    """A witness that counts for the log."""

    name: str
    cosigned_on: Time | None
    """When it cosigned the newest checkpoint; None where it has not."""


class Beat(FrozenModel):
    """The newest heartbeat that the center has signed."""

    on: Time
    late: bool
    """Whether it was older than an honest center's when the page was made."""
    size: int
    releases: int
    due: int | None = None
    done: int | None = None
    failed: int | None = None


class CenterAlarm(FrozenModel):
    """An alarm that the center answers for."""

    cause: str
    text: str
    release: str | None
    is_open: bool


class CenterPage(PortalPage):
    """The page."""

    TEMPLATE: ClassVar[str] = "center.html.j2"
    STYLES: ClassVar[tuple[str, ...]] = ("assets/evidence.css",)
    schema_: Literal["samebits/portal/center/v1"] = Field(
        default="samebits/portal/center/v1", alias="schema"
    )
    center: str
    operator: str
    legal: str
    region: str
    builder: str
    origin: str
    log: LogState
    witnesses: tuple[WitnessRow, ...]
    heartbeat: Beat | None
    keys: tuple[KeyRow, ...]
    rates: Rates
    night: Night | None
    alarms: tuple[CenterAlarm, ...]
    pages: dict[str, str]
    """The pages of the releases that are named here, as far as they have one."""

    @property
    def path(self) -> str:
        """The folder of the page."""
        return center_path(self.center)

    @property
    def open_alarms(self) -> int:
        """How many alarms about the center nobody has acknowledged."""
        return sum(alarm.is_open for alarm in self.alarms)


class CenterRow(FrozenModel):
    """A center in the list of centers."""

    center: str
    operator: str
    region: str
    size: int
    """Leaves of its log."""
    fault: str
    """Why its log is not believed; empty where it is."""
    heartbeat: Time | None
    late: bool
    rates: Rates
    open_alarms: int

    @classmethod
    def of(cls, page: CenterPage) -> CenterRow:
        """Return the row of a center."""
        return cls(
            **page.only("center", "operator", "region", "rates"),
            size=page.log.size,
            fault=page.log.fault,
            heartbeat=page.heartbeat.on if page.heartbeat else None,
            late=page.heartbeat is None or page.heartbeat.late,
            open_alarms=page.open_alarms,
        )


class CentersPage(PortalPage):
    """The list of centers."""

    TEMPLATE: ClassVar[str] = "centers.html.j2"
    STYLES: ClassVar[tuple[str, ...]] = ("assets/evidence.css",)
    schema_: Literal["samebits/portal/centers/v1"] = Field(
        default="samebits/portal/centers/v1", alias="schema"
    )
    centers: tuple[CenterRow, ...]

    @property
    def path(self) -> str:
        """The folder of the page."""
        return "centers/"


def center_page(
    policy: Policy,
    member: PolicyCenter,
    source: Source | None,
    log: ReadLog,
    *,
    verdicts: Iterable[Verdict],
    alarms: Iterable[ListedAlarm],
    pages: Mapping[str, str],
    now: datetime,
) -> CenterPage:
    """Return the page of a center of the policy; `source` is its store, where one is known.

    `verdicts` has, of each release that the center has run, the worst verdict of its newest run.
    `pages` are those of releases, by their names; `now` is UTC.
    """
    night = published_night(source) if source else None
    told = tuple(alarms_about(alarms, member.id))
    named = {*(night.failed + night.unchecked if night else ()), *(one.release for one in told)}
    return CenterPage(
        center=member.id,
        operator=member.operator,
        legal=policy.operator(member.operator).legal,
        region=member.region,
        builder=member.builder,
        origin=member.log.origin,
        log=log.state,
        witnesses=_witnesses(policy, member, log.checkpoint),
        heartbeat=_heartbeat(source, member, now) if source else None,
        keys=tuple(KeyRow(keyid=k.key.keyid, start=k.start, end=k.end) for k in member.keys),
        rates=rates(Counter(verdicts)),
        night=night,
        alarms=told,
        pages={name: pages[name] for name in sorted(filter(None, named)) if name in pages},
    )


def _witnesses(
    policy: Policy, member: PolicyCenter, checkpoint: SignedCheckpoint | None
) -> tuple[WitnessRow, ...]:
    cosigned = {c.key: c.time for c in checkpoint.cosignatures} if checkpoint else {}
    found = []
    for key, name in policy.witness_keys(member.id).items():
        seconds = cosigned.get(key)
        on = None if seconds is None else _moment(seconds)
        found.append(WitnessRow(name=name, cosigned_on=on))
    return tuple(sorted(found, key=lambda one: one.name))


def _moment(seconds: int) -> datetime | None:
    """Return a time of a witness; None for one beyond all calendars."""
    with suppress(OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(seconds, UTC)
    return None


def _heartbeat(source: Source, member: PolicyCenter, now: datetime) -> Beat | None:
    keys = [known.key for known in member.keys]
    try:
        found = newest_heartbeat(source.store, source.center, keys, now=now)
    except (StoreError, OSError):
        return None
    return _beat(found.predicate, now) if found else None


def _beat(heartbeat: Heartbeat, now: datetime) -> Beat:
    work = heartbeat.work.only("due", "done", "failed") if heartbeat.work else {}
    return Beat(
        on=heartbeat.beat_on,
        late=heartbeat.beat_on < now - SILENT_AFTER,
        size=heartbeat.log.size,
        releases=heartbeat.releases,
        **work,
    )


def alarms_about(alarms: Iterable[ListedAlarm], center: str) -> Iterator[CenterAlarm]:
    """Yield the alarms that a center answers for, those that are open first; of many not all.

    An alarm that it only was the first to raise is about what the vendor shipped.
    """
    about = [a for a in alarms if a.alarm.center == center and a.alarm.cause in ABOUT_CENTERS]
    for one in sorted(about, key=lambda one: not one.is_open)[:LISTED]:
        yield CenterAlarm(
            cause=str(one.alarm.cause),
            text=cut_text(one.alarm.text),
            release=one.alarm.release,
            is_open=one.is_open,
        )
