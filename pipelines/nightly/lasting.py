"""The alarms of a night that last: those of nights before, until an operator acknowledges them.

Only releases that have an alarm now, or had an open one in the last night, are looked at, so that a
night does not grow with all that was ever verified. An alarm that cannot be looked up is open.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from builders.core.errors import SamebitsError
from pipelines.alarms.alarm import Alarm, ListedAlarm
from pipelines.alarms.cause import AlarmCause
from pipelines.alarms.listing import list_alarms
from pipelines.evidence.release_name import ReleaseName
from pipelines.nightly.record import AlarmKind, LastingAlarm, NightAlarm, NightRecord
from pipelines.verify.session import Session

_LOG = logging.getLogger("samebits")
_KINDS = {cause: AlarmKind(cause) for cause in AlarmCause}
_OF_LOGS = frozenset({AlarmKind.FORK, AlarmKind.PEER_ROLLED_BACK})
"""A witness that refuses a log may not have the proof of a fork."""


@dataclass(frozen=True, kw_only=True)
class NightAlarms:
    """The alarms of a night, and those of them that last, as they are recorded."""

    alarms: tuple[NightAlarm, ...]
    lasting: tuple[LastingAlarm, ...]


def lasting_alarms(
    session: Session, found: Iterable[NightAlarm], before: NightRecord | None, *, now: datetime
) -> NightAlarms:
    """Return the alarms of a night, marked where they are acknowledged, and older ones that last.

    `before` is the last night.
    """
    alarms, last = tuple(found), before.lasting if before else ()
    told = [*alarms, *(a for a in (before.alarms if before else ()) if a.is_open)]
    names = {a.about for a in told if _lasts(a)} | {a.release or a.center for a in last}
    if not names:
        return NightAlarms(alarms=alarms, lasting=())
    try:
        listed = list_alarms(
            session.consensus_view(now),
            [ReleaseName.parse(name) for name in names if "@" in name],
            told=[one.alarm() for one in last],
        ).alarms
    except SamebitsError as error:
        _LOG.warning("whether alarms are acknowledged is not known: %s", error)
        return NightAlarms(
            alarms=(*alarms, *untold((one.alarm() for one in last), alarms)), lasting=last
        )
    marked = tuple(_marked(alarm, listed) for alarm in alarms)
    open_ = [one.alarm for one in listed if one.is_open]
    return NightAlarms(
        alarms=(*marked, *untold(open_, alarms)),
        lasting=tuple(LastingAlarm.of(alarm) for alarm in open_ if alarm.leaves),
    )


def _lasts(alarm: NightAlarm) -> bool:
    return alarm.kind in _KINDS.values()


def _same(one: Alarm, alarm: NightAlarm) -> bool:
    """Return whether both are about the same release or log, and of the same cause."""
    kind = _KINDS[one.cause]
    alike = kind is alarm.kind or {kind, alarm.kind} <= _OF_LOGS
    return alike and one.about == alarm.about


def as_told(alarm: Alarm) -> NightAlarm:
    """Return an alarm as a night tells it."""
    return NightAlarm(kind=_KINDS[alarm.cause], about=alarm.about, text=alarm.text)


def untold(lasting: Iterable[Alarm], alarms: Sequence[NightAlarm]) -> Iterator[NightAlarm]:
    """Yield the alarms of which a night has told none of the same cause."""
    for one in lasting:
        if not any(_same(one, alarm) for alarm in alarms):
            yield as_told(one)


def _marked(alarm: NightAlarm, listed: Iterable[ListedAlarm]) -> NightAlarm:
    """Return an alarm with the operators who have acknowledged all of its cause; else as it is."""
    same = [one for one in listed if _same(one.alarm, alarm)]
    runs = {run for one in same for run in one.alarm.runs}
    unseen = alarm.run is not None and alarm.run not in runs
    if not same or unseen or any(one.is_open for one in same):
        return alarm
    operators = sorted({by.content.operator for one in same for by in one.by})
    return alarm.model_copy(update={"acknowledged": ", ".join(operators)})
