"""Joining where centers were served another file than the published one."""

from __future__ import annotations

from pipelines.audit.center_finding import ExclusionReason
from pipelines.consensus.consensus_result import (
    AlarmName,
    consensus_exit_code,
)
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.statement import DigestSet
from tests.consensus.findings import (
    OTHER,
    OTHER_CLAIM,
    SHIPPED,
    TAMPERED,
    cancelled,
    joined,
    match,
    served_another,
)


def test_a_region_that_was_served_another_file_is_an_alarm_whatever_the_result() -> None:
    found = joined(match("ada"), match("bob"), served_another("cyd", region="asia"))
    assert (found.result, found.passed) == (Result.CONFIRMED, True)
    assert [alarm.name for alarm in found.alarms] == [
        AlarmName.SHIPPED_MISMATCH,
        AlarmName.SERVED_DIFFERENTLY,
    ]
    cyd = {"center": "cyd-1", "region": "asia", "sha256": str(OTHER)}
    assert found.to_dict()["served"][2] == cyd
    assert found.to_dict()["alarms"][0] == {"alarm": "SHIPPED_MISMATCH", "served": [cyd]}
    assert str(found.alarms[0]) == f"SHIPPED_MISMATCH: asia (cyd-1) was served {OTHER}"
    assert [(out.center, out.reason) for out in found.excluded] == [
        ("cyd-1", ExclusionReason.SERVED_OTHER)
    ]
    assert consensus_exit_code([found]) == 1


def test_all_regions_served_the_same_other_file_is_no_difference_between_them() -> None:
    found = joined(served_another("ada"), served_another("bob"), k=1)
    assert found.result is Result.PENDING
    assert [alarm.name for alarm in found.alarms] == [AlarmName.SHIPPED_MISMATCH] * 2
    assert consensus_exit_code([found]) == 1


def test_who_was_served_another_file_and_built_another_differs() -> None:
    other = DigestSet(sha256=TAMPERED)
    found = joined(served_another("ada", rebuilt=other), served_another("bob", rebuilt=other))
    assert found.result is Result.SUSPECT


def test_what_was_served_is_told_under_any_claim_by_the_newest_that_was_served_anything() -> None:
    found = joined(
        match("ada"),
        served_another("bob", claim=OTHER_CLAIM, index=4),
        cancelled("bob", claim=OTHER_CLAIM, index=9),
        match("cyd", index=9),
        served_another("cyd", index=3),
    )
    assert {s.center.id: s.served for s in found.served} == {
        "ada-1": SHIPPED,
        "bob-1": OTHER,
        "cyd-1": SHIPPED,
    }
    assert [alarm.name for alarm in found.alarms] == [
        AlarmName.SHIPPED_MISMATCH,
        AlarmName.SERVED_DIFFERENTLY,
    ]


def test_a_second_center_that_was_served_another_file_takes_no_match_away() -> None:
    found = joined(match("ada"), served_another("ada", center="ada-2"), k=1)
    assert (found.result, consensus_exit_code([found])) == (Result.CONFIRMED, 1)
