"""How far a night is: of its plan and its results, whoever wrote them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.nightly.progress import night_progress, store_plan
from pipelines.nightly.record import error_key, plan_key, result_key
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.store import DamagedError
from tests.nightly.nights import plan

START = datetime(2026, 1, 2, 1, 0, tzinfo=UTC)
NIGHT = "20260102T010000Z-00000000"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def done(store: DirectoryStore, count: int) -> None:
    for number in range(count):
        store.put_record(result_key("mine", NIGHT, f"lab/r{number}@1"), b"{}")


def test_a_night_without_a_plan_has_no_progress(store: DirectoryStore) -> None:
    done(store, 3)
    assert night_progress(store, "mine", NIGHT, now=START) is None


def test_the_rate_gives_the_time_that_is_left(store: DirectoryStore) -> None:
    store_plan(store, "mine", plan(NIGHT, releases=40, started=START))
    found = night_progress(store, "mine", NIGHT, now=START + timedelta(minutes=1))
    assert found is not None
    assert (found.done, found.seconds_left) == (0, None), "nobody knows yet"
    done(store, 10)
    store.put_record(error_key("mine", NIGHT, "lab/r11@1"), b"no result yet")
    store.put_record(result_key("other", NIGHT, "lab/r11@1"), b"{}")
    found = night_progress(store, "mine", NIGHT, now=START + timedelta(minutes=5))
    assert found is not None
    assert found.to_dict() == {
        "night": NIGHT,
        "started": "2026-01-02T01:00:00+00:00",
        "releases": 40,
        "done": 10,
        "per_hour": 120.0,
        "seconds_left": 900,
    }


def test_a_night_that_is_started_again_keeps_its_first_plan(store: DirectoryStore) -> None:
    store_plan(store, "mine", plan(NIGHT, releases=40, started=START))
    store_plan(store, "mine", plan(NIGHT, releases=41, started=START + timedelta(hours=1)))
    found = night_progress(store, "mine", NIGHT, now=START)
    assert found is not None
    assert (found.releases, found.started) == (40, START)


def test_a_clock_that_was_set_back_divides_by_no_zero(store: DirectoryStore) -> None:
    store_plan(store, "mine", plan(NIGHT, releases=2, started=START))
    done(store, 2)
    found = night_progress(store, "mine", NIGHT, now=START - timedelta(hours=1))
    assert found is not None
    assert found.seconds_left == 0


def test_a_damaged_plan_is_named(store: DirectoryStore) -> None:
    store.put_record(plan_key("mine", NIGHT), b'{"releases": "many"}')
    with pytest.raises(DamagedError, match=r"plan\.json is damaged"):
        night_progress(store, "mine", NIGHT, now=START)
