"""The last night of a center, by its own public record.

That record is not signed: what it says is shown as the center's own word, and its texts are cut.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

from pydantic import ValidationError

from builders.core.enums import Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.audit.center_finding import MATCHES
from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError
from pipelines.nightly.record import Mode, NightRecord, nights_prefix
from pipelines.portal.shown_text import cut_text

MAX_NIGHT = 16 << 20
"""Bytes of the record of a night that is read."""
LISTED = 50
"""Releases, and alarms, that are listed of each kind."""
_FAILING = frozenset(Verdict) - MATCHES - {Verdict.NOT_CHECKED, Verdict.EQUIVALENT}
_TRIES = 5
"""Records that are read in search of the newest one."""


class Night(FrozenModel):
    """The center's last night, by its own record, which is not signed."""

    name: str
    number: int
    started: datetime | None
    finished: datetime | None
    verdicts: dict[str, int]
    rebuilt: int
    fresh: int
    """Only fetched and hashed again."""
    not_run: int
    failed: tuple[str, ...]
    unchecked: tuple[str, ...]
    alarms: tuple[str, ...]
    """Those that were open."""
    left_out: int
    """Entries that these three lists leave out."""


def published_night(source: Source) -> Night | None:
    """Return the newest of the last nights whose public record can be read; None without one."""
    prefix = nights_prefix(source.center)
    with suppress(UnreachableError):
        for name in reversed(source.last_names(prefix, limit=_TRIES)):
            with suppress(ValidationError, *OBJECT_ERRORS):
                record = NightRecord.model_validate_json(source.get(name, MAX_NIGHT))
                if record.center == source.center:
                    return _night(record)
    return None


def _night(record: NightRecord) -> Night:
    counts = Counter(entry.verdict for entry in record.releases)
    failed = [e.release for e in record.releases if e.verdict in _FAILING]
    unchecked = [e.release for e in record.releases if e.verdict is Verdict.NOT_CHECKED]
    told = [
        f"{alarm.kind}: {alarm.about}: {alarm.text}" for alarm in record.alarms if alarm.is_open
    ]
    listed = (failed, unchecked, told)
    modes = Counter(entry.mode for entry in record.releases)
    return Night(
        name=cut_text(record.night),
        number=record.number,
        started=_time(record.started),
        finished=_time(record.finished),
        verdicts={str(verdict): counts[verdict] for verdict in Verdict if counts[verdict]},
        rebuilt=modes[Mode.REBUILT],
        fresh=modes[Mode.FRESH],
        not_run=modes[Mode.NOT_RUN],
        failed=tuple(map(cut_text, failed[:LISTED])),
        unchecked=tuple(map(cut_text, unchecked[:LISTED])),
        alarms=tuple(map(cut_text, told[:LISTED])),
        left_out=sum(max(0, len(one) - LISTED) for one in listed),
    )


def _time(text: str) -> datetime | None:
    """Return a time of a record; None for what is none."""
    with suppress(OverflowError, ValueError):
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    return None
