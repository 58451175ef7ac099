"""Which of the runs of a center counts: the newest that judged, by the order of its log."""

from __future__ import annotations

from typing import Any

from pipelines.audit.center_finding import ExclusionReason
from pipelines.consensus.joined_result import Result
from tests.consensus.findings import cancelled, differs, failed, joined, match, unreachable


def test_the_newest_by_the_log_counts_and_not_the_newest_by_the_clock() -> None:
    early = match("ada", index=9, run="20260102T020405Z-0a1b2c3d")
    late = failed("ada", index=3, run="20260102T030405Z-0a1b2c3d")
    found = joined(late, early, k=1)
    assert found.result is Result.CONFIRMED
    assert [p.index for p in found.operators[0].newest] == [9]


def test_a_later_run_that_could_not_judge_takes_no_finding_away_and_is_named() -> None:
    later: dict[str, Any] = {"index": 9, "run": "20260102T040405Z-0a1b2c3d"}
    for failure in (failed("ada", **later), cancelled("ada", **later), unreachable("ada", **later)):
        found = joined(match("ada", index=3), failure, k=1)
        assert found.result is Result.CONFIRMED
        assert [f.index for f in found.operators[0].newest] == [3]
        (excluded,) = found.excluded
        assert (excluded.reason, excluded.detail) == (
            ExclusionReason.LATER_FAILURE,
            f"{failure.outcome} in {failure.run}",
        )
        assert joined(differs("ada", index=3), failure, k=1).result is Result.SUSPECT
    earlier = joined(failed("ada", index=2), match("ada", index=3), k=1)
    assert (earlier.result, earlier.excluded) == (Result.CONFIRMED, ())


def test_of_two_findings_the_same_the_one_logged_last_is_named() -> None:
    early, late = match("ada", index=3), match("ada", index=9)
    for given in ((early, late), (late, early)):
        assert joined(*given, k=1).operators[0].newest == (late,)


def test_the_centers_of_an_operator_are_named_in_order_whichever_was_last() -> None:
    given = match("ada", center="ada-2", index=9), match("ada", center="ada-1", index=3)
    found = joined(*given, k=1)
    assert [f.center.id for f in found.operators[0].newest] == ["ada-1", "ada-2"]
