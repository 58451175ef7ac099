"""Every field of a policy that changes is a change that is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.policy.changes import changes
from tests.policy.world import Data, Key, center, draft, policy_of


def one_thing_else() -> Iterator[tuple[str, Data]]:
    """Yield good policies, each with one thing that the draft has not."""
    later = [{"key": Key("europe statements").pem, "from": 0, "until": 9}]
    europe, asia, americas = draft()["centers"]
    alpha, *others = draft()["operators"]
    moved: dict[str, Any] = {
        "expiry": {"expires": "2028-01-01T00:00:00Z"},
        "threshold": {"threshold": 3},
        "open": {"max_open": "36h"},
        "legal": {"operators": [{**alpha, "legal": "Other"}, *others]},
        "operator-key": {"operators": [{**alpha, "key": Key("new").pem}, *others]},
        "region": {"centers": [{**europe, "region": "north"}, asia, americas]},
        "builder": {"centers": [{**europe, "builder": "https://b.example"}, asia, americas]},
        "verifier": {"centers": [{**europe, "verifier": "https://v.example"}, asia, americas]},
        "log": {
            "centers": [
                {**europe, "log": {**europe["log"], "key": Key("n").log(europe["log"]["origin"])}},
                asia,
                americas,
            ]
        },
        "witness": {"centers": [{**europe, "witness": None}, asia, americas]},
        "range": {"centers": [{**europe, "keys": later}, asia, americas]},
        "center": {"centers": [*draft()["centers"], center("africa", "alpha", "afr")]},
        "quorum": {"witnesses": draft()["witnesses"].replace("others 1", "others 2")},
        "reviewers": {"reviewers": [*draft()["reviewers"], {"name": "ada", "key": Key("n").pem}]},
        "minimum": {"reviews": {"minimum": 2, "kinds": {"ruleset": 2}}},
        "kinds": {"reviews": {"minimum": 1, "kinds": {}}},
        "normalizers": {"consensus": {**draft()["consensus"], "normalizers": []}},
        "dissent": {"consensus": {**draft()["consensus"], "max_dissent": 1}},
        "rules-of-a-kind": {"consensus": {**draft()["consensus"], "kinds": {}}},
    }
    for name, fields in moved.items():
        yield name, draft(**fields)
    revoked = draft(reviews={"minimum": 1, "kinds": {}})
    revoked["revoked"] = [Key("bob reviewer").public.keyid]
    yield "revoked", revoked


CASES = dict(one_thing_else())


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_changes_is_left_out(name: str) -> None:
    found = changes(policy_of(), policy_of(CASES[name]))
    assert found
    back = changes(policy_of(CASES[name]), policy_of())
    assert {(c.part, c.before, c.after) for c in found} == {
        (c.part, c.after, c.before) for c in back
    }
    assert all("\n" not in str(change) for change in found)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("revoked", f"revoked key {Key('bob reviewer').public.keyid}: added, revoked"),
        ("kinds", "reviews of ruleset: minimum: removed, was 2"),
        ("normalizers", "consensus of every kind: normalizers: mtimes, order becomes none"),
        (
            "witness",
            f"center europe: witness: {draft()['centers'][0]['witness']} becomes none",
        ),
        ("open", "max_open: added, 36h"),
        ("expiry", "expires: 2027-03-01T12:00:00Z becomes 2028-01-01T00:00:00Z"),
    ],
)
def test_a_change_is_one_line(name: str, line: str) -> None:
    assert line in {str(change) for change in changes(policy_of(), policy_of(CASES[name]))}


def test_a_range_says_where_it_ends() -> None:
    (change,) = changes(policy_of(), policy_of(CASES["range"]))
    assert change.before == "from log size 0 without an end"
    assert change.after == "from log size 0 until log size 9"


def test_the_order_of_lists_says_nothing() -> None:
    turned = draft(operators=draft()["operators"][::-1], centers=draft()["centers"][::-1])
    assert changes(policy_of(), policy_of(turned)) == ()
