"""Counts of releases: by vendor, by region, and over time."""

from __future__ import annotations

from datetime import UTC, date, datetime

from builders.core.enums import Outcome, Verdict
from pipelines.portal.counts import Counts, counts_of, groups, regions, trend
from pipelines.portal.release_line import CenterRun
from tests.alarms.alarming import run_id
from tests.portal.lines import line, step

LINES = (
    line("acme/a@1"),
    line("acme/b@1", "unchecked"),
    line("base/c@1", "different"),
    line("base/d@1"),
    line("core/e@1", "suspect"),
)


def test_each_release_is_counted_once() -> None:
    found = counts_of(LINES)
    assert found == Counts(confirmed=2, different=1, suspect=1, unchecked=1)
    assert (found.total, found.failed) == (5, 2)


def test_groups_come_with_the_worst_first() -> None:
    found = groups(LINES, lambda one: one.vendor)
    assert [one.name for one in found] == ["core", "base", "acme"]
    assert found[2].counts == Counts(confirmed=1, unchecked=1)


def test_a_region_counts_what_its_own_centers_found() -> None:
    def run(region: str, number: int, verdict: Verdict) -> CenterRun:
        return CenterRun(
            center=f"{region}-{number}",
            operator=region,
            region=region,
            run=run_id(number),
            verdict=verdict,
            outcome=Outcome.BUILT,
        )

    runs = (
        run("asia", 2, Verdict.DIFFERENT),
        run("asia", 3, Verdict.IDENTICAL),
        run("europe", 4, Verdict.DIFFERENT),
    )
    found = {one.name: one.counts for one in regions([line(runs=runs)])}
    assert found == {"asia": Counts(confirmed=1), "europe": Counts(different=1)}


def test_the_trend_shows_what_each_run_changed() -> None:
    steps = (step("unchecked", run_id(2)), step("confirmed", run_id(4)))
    lines = [line(steps=steps), line("acme/b@1", steps=(step("different", run_id(3)),))]
    found = trend(lines, date(2026, 1, 5))
    assert [(point.on.day, point.counts) for point in found] == [
        (2, Counts(unchecked=1)),
        (3, Counts(unchecked=1, different=1)),
        (4, Counts(confirmed=1, different=1)),
        (5, Counts(confirmed=1, different=1)),
    ]


def test_a_long_trend_has_no_more_points() -> None:
    old = step("confirmed", "20200102T030405Z-0a1b2c3d")
    found = trend([line(steps=(old,))], date(2026, 1, 5))
    assert len(found) == 12
    assert found[-1].on == date(2026, 1, 5)
    assert (found[-1].on - found[0].on).days == 330


def test_without_runs_there_is_no_trend() -> None:
    assert trend([line(steps=())], datetime(2026, 1, 5, tzinfo=UTC).date()) == ()
