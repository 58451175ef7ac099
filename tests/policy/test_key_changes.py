"""The next version of a policy, with another key: what counts at which log size, and who counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.log.notekey import COSIGNATURE, NoteKey
from pipelines.policy import Policy, PolicyCenter, PolicyError, expiry_warnings
from pipelines.policy.key_changes import (
    newest_key,
    with_statements_key,
    with_successor,
    with_witness_key,
)
from tests.policy.world import NOW, ORIGIN, Key, center, draft, policy_of

NEW, NEWER = Key("a new one"), Key("a newer one")


def ranges(policy: Policy, name: str) -> list[tuple[str, int, int | None]]:
    return [(k.key.keyid, k.start, k.end) for k in policy.center(name).keys]


def key_of(name: str) -> str:
    return Key(f"{name} statements").public.keyid


def test_the_former_key_ends_where_the_new_one_begins() -> None:
    old = policy_of()
    new = with_statements_key(old, "asia", NEW.public, 7)
    assert new.version == old.version + 1
    assert ranges(new, "asia") == [(key_of("asia"), 0, 7), (NEW.public.keyid, 7, None)]
    assert newest_key(new.center("asia")) == NEW.public
    assert ranges(new, "europe") == ranges(old, "europe")
    again = with_statements_key(new, "asia", NEWER.public, 9)
    assert [(start, end) for _, start, end in ranges(again, "asia")] == [(0, 7), (7, 9), (9, None)]


def test_a_lost_key_ends_earlier_and_one_that_begins_later_never_counted() -> None:
    once = with_statements_key(policy_of(), "asia", NEW.public, 7)
    lost = with_statements_key(once, "asia", NEWER.public, 9, until=8)
    assert [(start, end) for _, start, end in ranges(lost, "asia")] == [(0, 7), (7, 8), (9, None)]
    both = with_statements_key(once, "asia", NEWER.public, 9, until=7)
    assert [(start, end) for _, start, end in ranges(both, "asia")] == [(0, 7), (9, None)]
    later = with_statements_key(once, "asia", NEWER.public, 9, until=30)
    assert [(start, end) for _, start, end in ranges(later, "asia")] == [(0, 7), (7, 9), (9, None)]


def test_a_key_that_never_signed_is_replaced() -> None:
    new = with_statements_key(policy_of(), "asia", NEW.public, 0)
    assert ranges(new, "asia") == [(NEW.public.keyid, 0, None)]


def test_a_witness_of_a_quorum_is_replaced_in_it() -> None:
    old = policy_of()
    key = NoteKey(name=f"{ORIGIN}asia/witness", algorithm=COSIGNATURE, key=NEW.raw)
    new = with_witness_key(old, "asia", key)
    assert new.center("asia").witness == key
    assert {w.name: w.key for w in new.quorum.witnesses}["asia"] == key
    assert [w for w in new.quorum.witnesses if w.name != "asia"] == [
        w for w in old.quorum.witnesses if w.name != "asia"
    ]
    assert new.quorum.groups == old.quorum.groups
    assert key in new.witness_keys("europe")
    outside = replace(old, centers=tuple(replace(c, witness=None) for c in old.centers))
    only = with_witness_key(outside, "europe", key)
    assert only.center("europe").witness == key
    assert only.quorum == outside.quorum


def successor() -> PolicyCenter:
    data = center("asia-2", "beta", "apac")
    (made,) = policy_of(
        draft(
            operators=draft()["operators"][1:2],
            threshold=1,
            centers=[data],
            witnesses="quorum none\n",
            consensus={"k": 1, "regions": 1, "max_dissent": 0, "kinds": {}},
        )
    ).centers
    return made


def test_a_successor_goes_on_and_the_former_log_keeps_its_value_to_its_end() -> None:
    old, next_ = policy_of(), successor()
    new = with_successor(old, "asia", 5, next_)
    assert [c.id for c in new.centers] == ["europe", "asia", "americas", "asia-2"]
    assert ranges(new, "asia") == [(key_of("asia"), 0, 5)]
    assert new.center_of_key(key_of("asia"), 4).id == "asia"
    with pytest.raises(PolicyError, match="before log size 5"):
        new.center_of_key(key_of("asia"), 5)
    assert next_.witness in {w.key for w in new.quorum.witnesses}
    assert old.center("asia").witness not in {w.key for w in new.quorum.witnesses}
    assert not expiry_warnings(new, NOW), "a center that was given up is no alarm"


def test_a_former_center_that_logged_nothing_is_gone() -> None:
    new = with_successor(policy_of(), "asia", 0, successor())
    assert [c.id for c in new.centers] == ["europe", "americas", "asia-2"]


def test_the_last_key_of_a_center_that_was_not_given_up_is_an_alarm() -> None:
    ended = with_statements_key(policy_of(), "asia", NEW.public, 7)
    keys = tuple(k for k in ended.center("asia").keys if k.end is not None)
    there = replace(ended.center("asia"), keys=keys)
    policies = [
        replace(ended, centers=tuple(there if c.id == "asia" else c for c in ended.centers)),
        replace(ended, centers=(replace(there, witness=None),)),
    ]
    for policy in policies:
        (warning,) = expiry_warnings(policy, NOW)
        assert "asia" in warning


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_an_unknown_center_is_refused(name: str) -> None:
    with pytest.raises(PolicyError):
        with_statements_key(policy_of(), name, NEW.public, 1)
