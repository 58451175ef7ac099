"""Resolutions of forked logs in a policy: what they say, and what they may not."""

from __future__ import annotations

import json

import pytest

from builders.core.errors import RecipeError
from pipelines.policy import read_signed
from pipelines.policy.changes import changes
from pipelines.policy.joint import JoinOptions, join_policies, to_yaml
from tests.policy.test_joint import alone
from tests.policy.world import ORIGIN, Data, center, draft, from_yaml, policy_of, signed_bytes

ASIA = f"{ORIGIN}asia"
ACCEPTED, REJECTED = {"size": 5, "root": "a" * 64}, {"size": 5, "root": "b" * 64}


def resolution(**changed: object) -> Data:
    entry: Data = {"log": ASIA, "accepted": ACCEPTED, "rejected": [REJECTED], "reason": "restored"}
    return {**entry, **changed}


def forked(*entries: Data, until: int | None = 5) -> Data:
    """Return a policy in which asia's key ends, with resolutions."""
    data = draft(resolutions=list(entries) or [resolution()])
    data["centers"][1]["keys"][0]["until"] = until
    return data


def test_it_is_read_signed_and_written_as_it_was() -> None:
    policy = policy_of(forked())
    assert policy == from_yaml(forked()) == read_signed(signed_bytes(forked())).policy
    assert policy.to_dict() == forked()
    assert "resolutions" in to_yaml(policy)
    found = policy.resolution(ASIA)
    assert found is not None
    assert (found.accepted.size, found.rejected[0].root, found.reason) == (5, "b" * 64, "restored")
    assert policy.resolution(f"{ORIGIN}europe") is None


def test_a_policy_without_a_fork_is_written_as_before_there_were_resolutions() -> None:
    assert "resolutions" not in json.dumps(policy_of().to_dict())


BAD: dict[str, tuple[Data, str]] = {
    "log-of-nobody": (forked(resolution(log=f"{ORIGIN}mars")), "no center has the log"),
    "two-for-one-log": (forked(resolution(), resolution()), "two resolutions for one log"),
    "accepted-and-rejected": (forked(resolution(rejected=[ACCEPTED])), "accepted and rejected"),
    "nothing-rejected": (forked(resolution(rejected=[])), "at least 1 item"),
    "without-a-reason": (forked(resolution(reason="")), "at least 1 character"),
    "root-of-another-form": (forked(resolution(accepted={"size": 5, "root": "A"})), "match"),
    "a-field-more": (forked(resolution(until=5)), "unknown key"),
    "key-without-an-end": (forked(until=None), "a key goes on in a log that ended"),
    "key-that-ends-later": (forked(until=6), "a key goes on in a log that ended"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_leaves_open_what_counts_is_refused(name: str) -> None:
    data, says = BAD[name]
    with pytest.raises(RecipeError, match=says):
        policy_of(data)


def test_a_change_is_told_in_words() -> None:
    before, after = policy_of(), policy_of(forked())
    told = [str(one) for one in changes(before, after)]
    assert (
        f"resolution of {ASIA}: added, 5 leaves with root {'a' * 64}; "
        f"not 5 leaves with root {'b' * 64} (restored)"
    ) in told


def test_joining_keeps_them() -> None:
    asia_center = center("asia", "beta", "asia")
    asia_center["keys"][0]["until"] = 5
    asia = alone("asia", centers=[asia_center], resolutions=[resolution()])
    joint = join_policies([alone("europe"), asia], JoinOptions())
    assert joint.resolutions == asia.resolutions
