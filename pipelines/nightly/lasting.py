"""The alarms of a night that last: those of nights before, until an operator acknowledges them.

Only releases that have an alarm now, or had one in the last night, are looked at, so that a night
does not grow with all that was ever verified. An alarm that cannot be looked up is open.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from builders.core.errors import SamebitsError
from pipelines.alarms.alarm import ListedAlarm
from pipelines.alarms.cause import AlarmCause
from pipelines.alarms.listing import list_alarms
from pipelines.evidence.release_name import ReleaseName
from pipelines.nightly.record import AlarmKind, NightAlarm, NightRecord
from pipelines.verify.session import Session

_LOG = logging.getLogger("samebits")
_KINDS = {cause: AlarmKind(cause) for cause in AlarmCause}
_OF_LOGS = frozenset({AlarmKind.FORK, AlarmKind.PEER_ROLLED_BACK})
"""A witness that refuses a log may not have the proof of a fork."""


def lasting_alarms(
    session: Session, found: Iterable[NightAlarm], before: NightRecord | None, *, now: datetime
) -> tuple[NightAlarm, ...]:
    """Return the alarms of a night, marked where they are acknowledged, and older ones that last.

    `before` is the last night.
    """
    alarms = tuple(found)
    last = [a for a in (before.alarms if before else ()) if _lasts(a) and a.is_open]
    lasting = {a.about for a in (*filter(_lasts, alarms), *last)}
    if not lasting:
        return alarms
    try:
        names = [ReleaseName.parse(about) for about in lasting if "@" in about]
        listed = list_alarms(session.consensus_view(now), names).alarms
    except SamebitsError as error:
        _LOG.warning("whether alarms are acknowledged is not known: %s", error)
        return tuple(dict.fromkeys((*alarms, *last)))
    marked = (_marked(alarm, listed) for alarm in alarms)
    older = (_of(one) for one in listed if one.is_open and not _is_among(one, alarms))
    return tuple(dict.fromkeys((*marked, *older)))


def _lasts(alarm: NightAlarm) -> bool:
    return alarm.kind in _KINDS.values()


def _same(one: ListedAlarm, alarm: NightAlarm) -> bool:
    """Return whether both are about the same release or log, and of the same cause."""
    kind = _KINDS[one.alarm.cause]
    alike = kind is alarm.kind or {kind, alarm.kind} <= _OF_LOGS
    return alike and one.alarm.about == alarm.about


def _is_among(one: ListedAlarm, alarms: Iterable[NightAlarm]) -> bool:
    return any(_same(one, alarm) for alarm in alarms)


def _marked(alarm: NightAlarm, listed: Iterable[ListedAlarm]) -> NightAlarm:
    """Return an alarm with the operators who have acknowledged all of its cause; else as it is."""
    same = [one for one in listed if _same(one, alarm)]
    runs = {run for one in same for run in one.alarm.runs}
    unseen = alarm.run is not None and alarm.run not in runs
    if not same or unseen or any(one.is_open for one in same):
        return alarm
    operators = sorted({by.content.operator for one in same for by in one.by})
    return alarm.model_copy(update={"acknowledged": ", ".join(operators)})


def _of(one: ListedAlarm) -> NightAlarm:
    return NightAlarm(kind=_KINDS[one.alarm.cause], about=one.alarm.about, text=one.alarm.text)
