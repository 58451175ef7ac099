"""The leaves of an alarm: as ranges, in the record of a night, and in more than one statement."""

from __future__ import annotations

import pytest

from pipelines.alarms.alarm import Leaf, ranges_of
from pipelines.nightly.record import LastingAlarm
from tests.alarms.alarming import OTHER, alarms
from tests.alarms.two_operators import Alarms, suspect
from tests.consensus.world import RELEASE, World


def test_leaves_that_follow_each_other_are_one_range() -> None:
    leaves = [Leaf(log="b", index=8), *(Leaf(log="a", index=i) for i in (7, 3, 4, 5, 9, 4))]
    assert [str(found) for found in ranges_of(leaves)] == ["a 3 to 5", "a 7", "a 9", "b 8"]
    assert ranges_of([Leaf(log="a", index=1), Leaf(log="b", index=2)])[1].first == 2
    assert ranges_of([]) == ()


def test_the_record_of_a_night_gives_the_alarm_back() -> None:
    world = World("ada", "bob")
    for center in ("ada-1", "bob-1"):
        world[center].run(files=OTHER)
    (alarm,) = alarms(world)
    data = LastingAlarm.of(alarm).model_dump_json()
    again = LastingAlarm.model_validate_json(data).alarm()
    assert (again.cause, again.leaves, again.since) == (alarm.cause, alarm.leaves, alarm.since)
    assert (again.about, again.text, again.record) == (alarm.about, alarm.text, alarm.record)


def test_leaves_that_are_too_many_for_one_statement_take_two(
    two: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.alarms.acknowledge.MAX_RANGES", 1)
    suspect(two)
    _, made = two.acknowledge(str(RELEASE), "suspect")
    assert len(made["records"]) == 2
    assert two.list()[0] == 0
