"""What ends soon is told while there is time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.bench.madeup import EMPTY_POLICY
from pipelines.policy import Policy, expiry_warnings
from tests.policy.world import EXPIRES, NOW, Key, draft, policy_of

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (31 * DAY, None),
        (30 * DAY + SECOND, None),
        (30 * DAY, "expires in 30 days"),
        (2 * DAY, "expires in 2 days"),
        (DAY, "expires in a day"),
        (SECOND, "expires in less than a day"),
        (0 * DAY, "expired on 2027-03-01T12:00:00Z"),
        (-DAY, "expired on 2027-03-01T12:00:00Z"),
    ],
)
def test_the_expiry_is_told_thirty_days_ahead(before: timedelta, says: str | None) -> None:
    told = expiry_warnings(policy_of(), EXPIRES - before)
    assert [says in text for text in told] == ([True] if says else []) if says else told == ()


def ending(*ends: int | None) -> Policy:
    data = draft()
    starts = [0, *(end or 0 for end in ends[:-1])]
    data["centers"][0]["keys"] = [
        {"key": Key(f"{n}").pem, "from": start, "until": end}
        for n, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    return policy_of(data)


def test_a_key_that_another_follows_is_nothing_to_tell() -> None:
    assert expiry_warnings(ending(100, None), NOW) == ()


@pytest.mark.parametrize(
    ("size", "says"),
    [
        (None, "the last key of center europe ends at log size 200: name"),
        (150, "ends at log size 200, 50 entries from now"),
        (200, "has no key any more: its last one ended at log size 200"),
    ],
)
def test_the_end_of_a_centers_last_key_is_told(size: int | None, says: str) -> None:
    sizes = None if size is None else {"europe": size}
    (told,) = expiry_warnings(ending(100, 200), NOW, sizes)
    assert says in told


def test_without_a_policy_there_is_nothing_to_tell() -> None:
    assert expiry_warnings(EMPTY_POLICY, NOW) == ()
