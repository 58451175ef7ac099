from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from builders.core.runid import new_run_id, parse_run_id

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_run_is_named_by_its_time_in_utc() -> None:
    assert new_run_id(MOMENT, token="0a1b2c3d") == "20260102T030405Z-0a1b2c3d"
    east = MOMENT.astimezone(timezone(timedelta(hours=9)))
    assert new_run_id(east, token="0a1b2c3d") == "20260102T030405Z-0a1b2c3d"


def test_names_sort_by_time_and_hardly_ever_meet() -> None:
    later = new_run_id(MOMENT + timedelta(seconds=1), token="00000000")
    assert new_run_id(MOMENT, token="ffffffff") < later
    assert len({new_run_id(MOMENT) for _ in range(100)}) > 98


def test_names_sort_by_time_within_a_second_too() -> None:
    moments = [MOMENT + timedelta(milliseconds=n) for n in range(1000)]
    runs = [new_run_id(moment) for moment in moments]
    assert runs == sorted(runs)
    assert all(parse_run_id(run) == run for run in runs)


def test_a_new_name_is_read_back() -> None:
    run = new_run_id()
    assert parse_run_id(run) == run


@pytest.mark.parametrize(
    "text",
    [
        *("", "..", "../20260102T030405Z-0a1b2c3d", "20260102T030405Z-0a1b2c3d/..", "20260102"),
        *("20260102T030405Z-0A1B2C3D", "20260102T030405Z-0a1b2c3", "20260102T030405Z-0a1b2c3d\n"),
        "\u0662\u06600260102T030405Z-0a1b2c3d",
    ],
)
def test_no_other_text_is_a_run(text: str) -> None:
    with pytest.raises(ValueError, match="not a run id"):
        parse_run_id(text)
