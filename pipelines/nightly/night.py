"""A night from its first look at the recipes to its record; where it runs is up to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from builders.core.enums import Verdict
from builders.core.errors import NotFoundError
from pipelines.evidence.statements.heartbeat import Work
from pipelines.nightly.alarms import alarms
from pipelines.nightly.due import DueRelease, due
from pipelines.nightly.external import ExternalState
from pipelines.nightly.overview import NightSummary, summarise
from pipelines.nightly.record import (
    Mode,
    NightEntry,
    NightRecord,
    UnusableRecipe,
    last_night,
    read_night,
    result_key,
    store_night,
)
from pipelines.nightly.release_task import read_result
from pipelines.nightly.releases import Release, releases
from pipelines.nightly.shards import shards
from pipelines.storage.store import Store
from pipelines.verify.session import Session


@dataclass(frozen=True, kw_only=True)
class NightPlan:
    """What a night does, and where it starts from."""

    center: str
    night: str
    number: int
    started: datetime
    before: NightRecord | None
    dues: tuple[DueRelease, ...]
    shards: tuple[tuple[DueRelease, ...], ...]
    unusable: tuple[UnusableRecipe, ...]


def plan_night(session: Session, night: str, *, now: datetime) -> NightPlan:
    """Read recipes and the last night, and divide what is due; raises `StoreError`."""
    center = session.center
    session.check_store()
    before = last_night(session.store, center.id, before=night)
    found = list(releases(center.recipes, session.images))
    dues = tuple(
        due(
            [one for one in found if isinstance(one, Release)],
            before,
            rebuild_every=center.night.rebuild_every,
            robustness_share=center.night.robustness_share,
        )
    )
    return NightPlan(
        center=center.id,
        night=night,
        number=1 if before is None else before.number + 1,
        started=now.astimezone(UTC),
        before=before,
        dues=dues,
        shards=tuple(shards(dues, size=center.night.shard, places=center.concurrency)),
        unusable=tuple(one for one in found if isinstance(one, UnusableRecipe)),
    )


def end_night(
    session: Session, plan: NightPlan, outside: ExternalState, *, now: datetime
) -> tuple[NightRecord, NightSummary]:
    """Collect every result, raise the alarms, store the record; returns it and its summary.

    A release without a result is NOT_CHECKED. Raises `StoreError`.
    """
    center, store = session.center, session.store
    with suppress(NotFoundError):  # its record was made, and then its flow run was killed
        record = read_night(store, center.id, plan.night)
        store_night(store, record)
        return record, summarise(record, plan.before)
    known = {entry.release: entry for entry in _entries(plan.before)}
    entries = tuple(
        _result(store, plan, one, known.get(one.release)) or _not_run(one) for one in plan.dues
    )
    record = NightRecord(
        center=center.id,
        night=plan.night,
        number=plan.number,
        started=_text(plan.started),
        finished=_text(now),
        releases=entries,
        unusable=plan.unusable,
        alarms=alarms(entries, _entries(plan.before), outside, now=now),
    )
    store_night(store, record)
    session.flush()
    return record, summarise(record, plan.before)


def work_of(record: NightRecord) -> Work:
    """Return what the heartbeat of a night tells of it: a release came to a verdict, or did not."""
    failed = sum(entry.verdict is Verdict.NOT_CHECKED for entry in record.releases)
    due = len(record.releases)
    return Work(due=due, done=due - failed, failed=failed, night=record.night)


def _result(
    store: Store, plan: NightPlan, one: DueRelease, before: NightEntry | None
) -> NightEntry | None:
    """Return what was found for a release, with the artefacts of an earlier night it rests on."""
    entry = read_result(store, result_key(plan.center, plan.night, one.release))
    if entry is None or before is None:
        return entry
    if entry.mode is not Mode.FRESH or entry.verdict is Verdict.NOT_CHECKED:
        return entry
    return entry.model_copy(update={"artefacts": before.artefacts})


def _not_run(one: DueRelease) -> NightEntry:
    before = one.before
    return NightEntry(
        release=one.release,
        claim=one.claim,
        published=one.published,
        mode=Mode.NOT_RUN,
        why=one.why,
        verdict=Verdict.NOT_CHECKED,
        rebuilt=before.rebuilt if before else 0,
        settled=before.settled if before else None,
        expected=one.expected,
        seconds=before.seconds if before else 0.0,
    )


def _entries(record: NightRecord | None) -> Sequence[NightEntry]:
    return () if record is None else record.releases


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
