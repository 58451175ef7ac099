"""What an acknowledgement closes, and every way in which one does not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from infra.bench.madeup import MadeUpKey
from pipelines.alarms.alarm import Alarm, Leaf
from pipelines.alarms.cause import AlarmCause
from pipelines.audit.acknowledgements import acknowledgements_prefix, read_acknowledgements
from pipelines.audit.source import Source
from pipelines.evidence.statements.acknowledgement import LeafRange
from pipelines.log.errors import LogError
from tests.alarms.alarming import (
    OTHER,
    acknowledge,
    alarms,
    law,
    listed,
    put,
    run_id,
    served,
    signed,
    states,
)
from tests.consensus.world import World, reasons

FORK = Alarm(
    cause=AlarmCause.FORK,
    release=None,
    center="bob-1",
    text="the log of bob-1 is forked",
    leaves=(Leaf(log="bob-1", index=7),),
)


@pytest.fixture
def mismatch(world: World) -> Alarm:
    """Return the alarm of what bob was served."""
    world["bob-1"].run(run=run_id(3), files=served(b"something else"))
    (alarm,) = alarms(world)
    return alarm


def test_an_alarm_is_open_until_it_is_acknowledged(world: World, mismatch: Alarm) -> None:
    assert states(world, [mismatch]) == ["open"]
    acknowledge(world, mismatch, "ada-1")
    assert states(world, [mismatch]) == ["acknowledged"]
    ((row,), excluded) = listed(world, [mismatch])
    assert [(one.content.operator, one.content.reason) for one in row.by] == [
        ("ada", "known, and explained")
    ]
    assert not excluded


def test_a_later_run_neither_opens_nor_closes_it(world: World, mismatch: Alarm) -> None:
    world["bob-1"].run(run=run_id(4), files=served(b"something else"))
    assert states(world, alarms(world)) == ["open"]
    acknowledge(world, mismatch, "ada-1")
    world["bob-1"].run(run=run_id(5), files=served(b"something else"))
    assert states(world, alarms(world)) == ["acknowledged"]
    world["bob-1"].run(run=run_id(6), files=served(b"a third file"))
    assert states(world, alarms(world)) == ["acknowledged", "open"]


def test_it_changes_no_verdict_and_no_consensus(world: World) -> None:
    for center in ("ada-1", "bob-1"):
        world[center].run(run=run_id(3), files=OTHER)
    before = world.consensus().to_dict()
    for alarm in alarms(world):
        acknowledge(world, alarm, "ada-1")
    assert states(world, alarms(world)) == ["acknowledged"] * len(alarms(world))
    assert world.consensus().to_dict() == before
    assert reasons(world.consensus()) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"release": "acme/tool@1.1"},
        {"release": None},
        {"cause": "suspect"},
        {"leaves": [LeafRange(log="cyd-1", first=0, last=100)]},
        {"leaves": [LeafRange(log="bob-1", first=0, last=5)]},
        {"leaves": [LeafRange(log="bob-1", first=7, last=100)]},
    ],
)
def test_one_of_other_alarms_closes_nothing(
    world: World, mismatch: Alarm, changes: dict[str, Any]
) -> None:
    acknowledge(world, mismatch, "ada-1", **changes)
    assert states(world, [mismatch]) == ["open"]


def test_a_part_of_the_leaves_is_not_enough() -> None:
    world = World("ada", "bob")
    for center in ("ada-1", "bob-1"):
        world[center].run(files=OTHER)
    (alarm,) = alarms(world)
    first, second = alarm.leaves
    acknowledge(world, alarm, "ada-1", leaves=[LeafRange(log=first.log, first=0, last=99)])
    assert states(world, [alarm]) == ["open"]
    acknowledge(world, alarm, "ada-1", leaves=[LeafRange(log=second.log, first=0, last=99)])
    assert states(world, [alarm]) == ["acknowledged"]


def test_what_was_acknowledged_with_a_key_that_was_replaced_is_open_again(
    world: World, mismatch: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy does not say since when somebody else may have had that key."""
    acknowledge(world, mismatch, "ada-1")
    later = {name: MadeUpKey(f"the next key of {name}") for name in ("ada", "bob", "cyd")}
    monkeypatch.setattr("tests.consensus.world.law", lambda name: later[name].public)
    (_, (excluded,)) = listed(world, [mismatch])
    assert states(world, [mismatch]) == ["open"]
    assert (excluded.reason, excluded.detail) == ("unknown-key", "not signed by the operator ada")
    put(world, "ada-1", signed(mismatch, "ada-1", world["ada-1"].key, later["ada"]))
    assert states(world, [mismatch]) == ["acknowledged"]


def test_each_operator_acknowledges_alarms_of_a_release_for_itself(
    world: World, mismatch: Alarm
) -> None:
    acknowledge(world, mismatch, "bob-1")
    assert states(world, [mismatch], "bob-1") == ["acknowledged"]
    for center in ("ada-1", "cyd-1", "stranger"):
        assert states(world, [mismatch], center) == ["open"]
    ((row,), _) = listed(world, [mismatch])
    assert row.objections == ("bob acknowledges no alarm about a release for others",)


def test_another_operator_acknowledges_an_alarm_about_a_center(world: World) -> None:
    acknowledge(world, FORK, "bob-1")
    for center in ("ada-1", "bob-1", "cyd-1"):
        assert states(world, [FORK], center) == ["open"]
    ((row,), _) = listed(world, [FORK])
    assert row.objections == ("bob runs bob-1 itself",)
    acknowledge(world, FORK, "cyd-1")
    for center in ("ada-1", "bob-1", "cyd-1"):
        assert states(world, [FORK], center) == ["acknowledged"]


def test_a_second_center_of_the_same_operator_is_not_another(world: World) -> None:
    world["ada-1"].operator = "bob"
    acknowledge(world, FORK, "ada-1", operator="bob")
    assert states(world, [FORK], "cyd-1") == ["open"]


def test_the_only_operator_acknowledges_with_the_key_of_its_center() -> None:
    world = World("ada")
    world["ada-1"].run(files=served(b"something else"))
    own = Alarm(**{**vars(FORK), "center": "ada-1", "leaves": (Leaf(log="ada-1", index=7),)})
    for alarm in (*alarms(world), own):
        put(world, "ada-1", signed(alarm, "ada-1", world["ada-1"].key))
    assert states(world, [*alarms(world), own]) == ["acknowledged", "acknowledged"]


ADA, LAW = MadeUpKey("ada"), law("ada")
HOSTILE: dict[str, tuple[tuple[MadeUpKey, ...], dict[str, Any], str]] = {
    "of no operator": ((ADA,), {}, "unknown-key"),
    "of another operator": ((ADA, law("bob")), {}, "unknown-key"),
    "of no center": ((LAW,), {}, "unknown-key"),
    "of another center": ((MadeUpKey("cyd"), LAW), {}, "other-center"),
    "of a stranger": ((MadeUpKey("a stranger"),), {}, "unknown-key"),
    "for another operator": ((ADA, LAW), {"operator": "bob"}, "misplaced"),
    "for another center": ((ADA, LAW), {"center": "cyd-1"}, "misplaced"),
    "not logged": ((ADA, LAW), {}, "not-logged"),
    "not witnessed": ((ADA, LAW), {}, "awaiting-witness"),
    "after its key ended": ((ADA, LAW), {}, "key-ended"),
}
"""Acknowledgements in the store of ada, with keys and changes, and why none is believed."""


@pytest.mark.parametrize("what", HOSTILE)
def test_one_that_is_not_believed_closes_nothing_and_is_named(
    world: World, mismatch: Alarm, what: str
) -> None:
    ada, (keys, changes, why) = world["ada-1"], HOSTILE[what]
    if what == "after its key ended":
        ada.end = len(ada.log)
    if what == "not witnessed":
        ada.witnessed = len(ada.log)
    put(world, "ada-1", signed(mismatch, "ada-1", *keys, **changes), logged=what != "not logged")
    assert states(world, [mismatch]) == ["open"]
    _, excluded = listed(world, [mismatch])
    assert [(one.center, str(one.reason)) for one in excluded] == [("ada-1", why)]


def test_what_is_no_acknowledgement_is_named(world: World, mismatch: Alarm) -> None:
    store = world["ada-1"].store
    found = next(key for key in store.objects if key.endswith("attempt-1.dsse.json"))
    folder = acknowledgements_prefix("ada-1")
    store.put_record(f"{folder}1.dsse.json", store.objects[found][0])
    store.put_record(f"{folder}2.dsse.json", b"{")
    assert states(world, [mismatch]) == ["open"]
    _, excluded = listed(world, [mismatch])
    assert [str(one.reason) for one in excluded] == ["misplaced", "unreadable"]


def test_a_store_that_does_not_answer_acknowledges_nothing(world: World, mismatch: Alarm) -> None:
    acknowledge(world, mismatch, "ada-1")
    world["ada-1"].store.fail_on("list")
    assert states(world, [mismatch]) == ["open"]
    _, excluded = listed(world, [mismatch])
    assert [str(one.reason) for one in excluded] == ["silent"]


def test_a_log_that_is_not_believed_acknowledges_nothing(
    world: World, mismatch: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledge(world, mismatch, "ada-1")

    def broken(_center: str, _pae: object) -> int:
        raise LogError("altered")

    monkeypatch.setattr(world, "index_of", broken)
    assert states(world, [mismatch]) == ["open"]
    _, excluded = listed(world, [mismatch])
    assert [(str(one.reason), one.detail) for one in excluded] == [("log-broken", "altered")]


def test_a_center_that_the_policy_does_not_know_hides_no_other(
    world: World, mismatch: Alarm
) -> None:
    envelope = acknowledge(world, mismatch, "ada-1")
    name = f"{acknowledgements_prefix('eve-1')}1.dsse.json"
    world["ada-1"].store.put_record(name, envelope.to_bytes())
    sources = [Source(center=name, store=world["ada-1"].store) for name in ("eve-1", "ada-1")]
    known, excluded = read_acknowledgements(world.reader, sources)
    assert ([one.content.center for one in known], excluded) == (["ada-1"], ())


def test_a_store_that_shows_another_record_the_second_time(
    world: World, mismatch: Alarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the operator has signed is not what the center has logged."""
    store, keys = world["ada-1"].store, (world["ada-1"].key, law("ada"))
    other = signed(mismatch, "ada-1", *keys, leaves=[LeafRange(log="bob-1", first=0, last=0)])
    put(world, "ada-1", signed(mismatch, "ada-1", keys[0]))
    first, get = set[str](), store.get

    def changing(key: str, limit: int) -> bytes:
        if key.startswith("public/alarms/") and key in first:
            return other.to_bytes()
        first.add(key)
        return get(key, limit)

    monkeypatch.setattr(store, "get", changing)
    assert states(world, [mismatch]) == ["open"]


def test_one_that_another_center_shows_is_not_its_own(world: World) -> None:
    """A copy in the store and the log of bob is by no key of bob's."""
    put(world, "bob-1", signed(FORK, "cyd-1", world["cyd-1"].key, law("cyd")))
    assert states(world, [FORK]) == ["open"]


def test_the_key_of_a_center_that_was_stolen_acknowledges_nothing(
    world: World, mismatch: Alarm
) -> None:
    for center in ("ada-1", "cyd-1"):
        put(world, center, signed(mismatch, center, world[center].key))
        put(world, center, signed(FORK, center, world[center].key))
    assert states(world, [mismatch, FORK]) == ["open", "open"]


@pytest.mark.parametrize("reason", ["", "\x1b[2Jgone", "right\u202eleft", "two\nlines", "r" * 1001])
def test_a_reason_is_one_line_that_a_terminal_can_show(mismatch: Alarm, reason: str) -> None:
    with pytest.raises(ValidationError):
        signed(mismatch, "ada-1", law("ada"), reason=reason)


def test_a_range_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValidationError, match="expected a last index of 7"):
        LeafRange(log="bob-1", first=7, last=6)
