"""The end of a night: its results collected, its alarms raised, its record stored and summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from builders.core.enums import Verdict
from builders.core.errors import NotFoundError
from pipelines.evidence.statements.log_status import Work
from pipelines.nightly.alarms import alarms, is_worse
from pipelines.nightly.lasting import lasting_alarms
from pipelines.nightly.night_plan import DueRelease, NightPlan
from pipelines.nightly.record import (
    MAX_ERROR,
    DueReason,
    Mode,
    NightAlarm,
    NightEntry,
    NightRecord,
    by_release,
    error_key,
    read_night,
    read_result,
    result_key,
    store_night,
)
from pipelines.verify.session import Session

_WORDS = {
    "new": "new",
    "changed": "changed in recipe or shipped files",
    "worse": "worse than before",
    "better": "better than before",
    "fragile": "another result in a varied environment",
    "not_run": "not run",
    "unusable": "recipes that cannot be used",
}
"""The lists of a summary, in words."""


@dataclass(frozen=True, kw_only=True)
class NightSummary:
    """A night in short: what its table, its lines and its JSON say."""

    record: NightRecord
    releases: dict[str, tuple[str, ...]]
    """Names of what is new, changed, worse, better, fragile (another result in a varied
    environment), not run, and of recipes that are unusable, by that word."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json` and for events."""
        errors = {e.release: e.error for e in self.record.releases if e.error}
        return {
            "center": self.record.center,
            "night": self.record.night,
            "number": self.record.number,
            "verdicts": self.verdicts(),
            "rebuilt": self.count(Mode.REBUILT),
            "fresh": self.count(Mode.FRESH),
            **{word: list(names) for word, names in self.releases.items()},
            "robustness": [
                {"release": e.release, **e.moved.model_dump(mode="json")}
                for e in self.record.releases
                if e.moved is not None
            ],
            **({"errors": errors} if errors else {}),
            "alarms": [a.model_dump(mode="json", exclude_none=True) for a in self.record.alarms],
        }

    def lines(self) -> list[str]:
        """Return it for people, the alarms first."""
        record = self.record
        counts = ", ".join(f"{n} {verdict}" for verdict, n in self.verdicts().items()) or "nothing"
        return [
            *map(str, sorted(record.alarms, key=lambda alarm: not alarm.is_open)),
            f"night {record.night} of {record.center}: {counts}",
            f"{self.count(Mode.REBUILT)} rebuilt, {self.count(Mode.FRESH)} only fetched and hashed",
            *(f"{_WORDS[w]}: {', '.join(n)}" for w, n in self.releases.items() if n),
            *(f"no result, {e.release}: {e.error}" for e in record.releases if e.error),
            *(
                f"robustness rebuild of {e.release}: {e.moved}"
                for e in record.releases
                if e.moved is not None
            ),
        ]

    def verdicts(self) -> dict[str, int]:
        """Return how many releases have each verdict."""
        return dict(sorted(Counter(str(entry.verdict) for entry in self.record.releases).items()))

    def count(self, mode: Mode) -> int:
        """Return for how many releases that was done."""
        return sum(entry.mode is mode for entry in self.record.releases)


def end_night(
    session: Session, plan: NightPlan, outside: Iterable[NightAlarm], *, now: datetime
) -> NightSummary:
    """Collect every result, raise the alarms, store the record; returns its summary.

    A release without a result is NOT_CHECKED. Raises `StoreError`.
    """
    center, store = session.center, session.store
    with suppress(NotFoundError):  # its record was made, and then its flow run was killed
        record = read_night(store, center.id, plan.night)
        store_night(store, record)
        return summarise(record, plan.before)
    known = by_release(plan.before)
    entries = tuple(_entry(session, plan, one, known.get(one.release)) for one in plan.dues)
    found = lasting_alarms(session, alarms(entries, known, outside), plan.before, now=now)
    record = NightRecord(
        center=center.id,
        night=plan.night,
        number=plan.number,
        started=_text(plan.started),
        finished=_text(now),
        releases=entries,
        unusable=plan.unusable,
        alarms=found.alarms,
        lasting=found.lasting,
    )
    store_night(store, record)
    session.flush()
    return summarise(record, plan.before)


def summarise(record: NightRecord, before: NightRecord | None) -> NightSummary:
    """Compare a night with the one before it."""
    known = by_release(before)

    def names(holds: Callable[[NightEntry, NightEntry | None], bool]) -> tuple[str, ...]:
        return tuple(e.release for e in record.releases if holds(e, known.get(e.release)))

    changed = {DueReason.CHANGED, DueReason.SHIPPED_CHANGED}
    return NightSummary(
        record=record,
        releases={
            "new": names(lambda e, _: e.why is DueReason.NEW),
            "changed": names(lambda e, _: e.why in changed),
            "worse": names(lambda e, b: is_worse(e.verdict, b.settled if b else e.expected)),
            "better": names(lambda e, b: b is not None and is_worse(b.verdict, e.verdict)),
            "fragile": names(lambda e, _: e.moved is not None and e.moved.fragile),
            "not_run": names(lambda e, _: e.mode is Mode.NOT_RUN),
            "unusable": tuple(one.recipe for one in record.unusable),
        },
    )


def work_of(record: NightRecord) -> Work:
    """Return what the heartbeat of a night tells of it: a release came to a verdict, or did not."""
    failed = sum(entry.verdict is Verdict.NOT_CHECKED for entry in record.releases)
    due = len(record.releases)
    return Work(due=due, done=due - failed, failed=failed, night=record.night)


def _entry(
    session: Session, plan: NightPlan, one: DueRelease, before: NightEntry | None
) -> NightEntry:
    """Return what was found for a release, with the artefacts of an earlier night it rests on."""
    key = result_key(session.center.id, plan.night, one.release)
    entry = read_result(session.store, key)
    if entry is None:
        kept = one.before.only("rebuilt", "settled", "seconds") if one.before else {}
        with suppress(NotFoundError):
            reason = session.store.get(
                error_key(session.center.id, plan.night, one.release), MAX_ERROR
            )
            kept["error"] = reason.decode(errors="replace")
        return one.entry(Mode.NOT_RUN, Verdict.NOT_CHECKED, **kept)
    if before is None or entry.mode is not Mode.FRESH or entry.verdict is Verdict.NOT_CHECKED:
        return entry
    return entry.model_copy(update={"artefacts": before.artefacts})


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
