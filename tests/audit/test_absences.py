"""What counts as withheld: missing for us, and twice, far enough apart, for one outside witness."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.audit import absences
from pipelines.audit.absences import Absent, due_reports, read_reports
from pipelines.audit.source import Source
from pipelines.evidence.statements.absence import Absence, AbsentLeaves
from pipelines.log.witness import Witness, absence_folder
from tests.fakes.store import MemoryStore
from tests.log.keys import FixedKey, identity
from tests.log.logs import KEY

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NAME = "acme/tool@1.0"
ORIGIN = KEY.name
NAMES = ("asia", "south")


@dataclass
class Reporters:
    """Two witnesses of one log, and what they report."""

    folder: Path
    stores: dict[str, MemoryStore] = field(
        default_factory=lambda: {name: MemoryStore() for name in NAMES}
    )

    def witness(self, name: str) -> Witness:
        return Witness(
            home=self.folder,
            store=self.stores[name],
            private=FixedKey(name),
            name=f"{name}.example/witness",
            clock=lambda: NOON,
        )

    def report(
        self, after: timedelta, *indexes: int, by: str = "asia", release: str = NAME
    ) -> None:
        self.witness(by).report_absent(ORIGIN, {release: indexes}, NOON + after)

    def withheld(self, witnesses: Collection[str] = NAMES) -> set[int]:
        keys = [self.witness(name).key for name in witnesses]
        log = identity(KEY, witnesses=keys)
        sources = [Source(center=n, store=store) for n, store in self.stores.items()]
        found = [Absent.of(one, DAY) for one in read_reports(sources, log).values()]
        return set[int]().union(*(one.withheld.get(NAME, ()) for one in found))


@pytest.fixture
def told(tmp_path: Path) -> Reporters:
    return Reporters(tmp_path)


def test_nothing_is_withheld_that_nobody_reports(told: Reporters) -> None:
    assert told.withheld() == set()


@pytest.mark.parametrize(("apart", "withheld"), [(DAY - SECOND, set()), (DAY, {5})])
def test_two_reports_of_one_witness_that_are_far_enough_apart_make_it_withheld(
    told: Reporters, apart: timedelta, withheld: set[int]
) -> None:
    told.report(timedelta(), 5)
    assert told.withheld() == set()
    told.report(apart, 5, 6)
    assert told.withheld() == withheld


def test_two_witnesses_with_one_report_each_are_not_enough(told: Reporters) -> None:
    told.report(timedelta(), 5)
    told.report(9 * DAY, 5, by="south")
    assert told.withheld() == set()


def test_what_was_there_in_between_counts_from_when_it_was_missed_again(told: Reporters) -> None:
    told.report(timedelta(), 5)
    told.report(DAY, 6)
    told.report(2 * DAY, 5, 6)
    assert told.withheld() == {6}
    told.report(3 * DAY, 5)
    assert told.withheld() == {5}
    told.report(4 * DAY)
    assert told.withheld() == set()


def test_who_is_no_witness_of_the_log_by_the_policy_withholds_nothing(told: Reporters) -> None:
    """Such as the log's own operator, or a stranger."""
    for after in (timedelta(), 2 * DAY):
        told.report(after, 5)
    assert told.withheld(["south"]) == set()
    assert told.withheld(["asia"]) == {5}


def test_a_report_about_another_log_or_release_is_none_about_this(told: Reporters) -> None:
    told.report(timedelta(), 5)
    told.report(2 * DAY, 5, release="acme/tool@2.0")
    elsewhere = told.witness("asia").report_absent("another/log", {NAME: [5]}, NOON + 2 * DAY)
    objects = told.stores["asia"].objects
    objects[f"{absence_folder(ORIGIN)}moved.dsse.json"] = list(objects[elsewhere])
    assert told.withheld() == set()


def test_of_many_reports_the_newest_are_read(
    told: Reporters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.audit.absences.MAX_REPORTS", 10)
    told.report(timedelta(), 5)
    for number in range(9):
        told.report(DAY + number * SECOND, 6, release="acme/other@1")
    told.report(2 * DAY, 5)
    assert told.withheld() == set(), "the first report is none of the newest ten"
    told.report(3 * DAY, 5)
    assert told.withheld() == {5}


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
def test_what_is_no_report_is_passed_over(told: Reporters, data: bytes) -> None:
    told.stores["asia"].objects[f"{absence_folder(ORIGIN)}x.dsse.json"] = [data]
    told.report(timedelta(), 5)
    told.report(DAY, 5)
    assert told.withheld() == {5}


def test_a_report_is_as_good_wherever_it_lies(told: Reporters) -> None:
    told.report(timedelta(), 5)
    told.report(DAY, 5)
    told.stores["south"].objects.update(told.stores["asia"].objects)
    told.stores["asia"].objects.clear()
    assert told.withheld() == {5}


def made(after: timedelta, *indexes: int) -> Absence:
    leaves = AbsentLeaves(release=NAME, indexes=indexes)
    return Absence(witness="w", origin=ORIGIN, absent=(leaves,), looked_on=NOON + after)


REPORTS = {
    "nothing-is-missing": ([], [], None),
    "missing-for-the-first-time": ([], [5], [5]),
    "said-already": ([made(timedelta(), 5)], [5], None),
    "said-a-day-ago": ([made(-DAY, 5)], [5], [5]),
    "said-twice-already": ([made(-3 * DAY, 5), made(-DAY, 5)], [5], None),
    "one-more": ([made(timedelta(), 5)], [5, 6], [5, 6]),
    "found-again": ([made(timedelta(), 5)], [], []),
    "found-again-and-said": ([made(-DAY, 5), made(timedelta())], [], None),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_witness_reports_what_it_has_not_said_and_says_it_again_after_a_day(name: str) -> None:
    before, missing, due = REPORTS[name]
    found = due_reports(before, {NAME: frozenset(missing)}, DAY, NOON)
    assert found == ({} if due is None else {NAME: frozenset(due)})


def test_more_than_a_report_can_hold_is_told_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who withholds enough of everything could otherwise make all reports unreadable."""
    monkeypatch.setattr(absences, "NAMED_EACH", 2)
    monkeypatch.setattr(absences, "MAX_NAMED", 5)
    missing = {f"acme/tool@{n}": frozenset(range(n, n + 9)) for n in range(4)}
    first = due_reports([], missing, DAY, NOON)
    assert first == {name: frozenset(sorted(missing[name])[:2]) for name in list(missing)[:2]}
    told = Absence(
        witness="w",
        origin=ORIGIN,
        looked_on=NOON,
        absent=tuple(
            AbsentLeaves(release=name, indexes=tuple(sorted(found)))
            for name, found in first.items()
        ),
    )
    later = due_reports([told], missing, DAY, NOON + SECOND)
    assert list(later) == list(missing)[2:]
    assert list(due_reports([told], missing, DAY, NOON + DAY))[:2] == list(first), "a second time"
