"""The first page: what needs attention first, and small however many releases there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from builders.core.runid import run_started
from pipelines.alarms.alarm import ListedAlarm
from pipelines.portal.pages.overview import FAILURES, SHOWN, VENDORS, overview_page
from pipelines.portal.rendering import html
from pipelines.portal.standing import Standing
from tests.alarms.alarming import run_id
from tests.portal.lines import line, step
from tests.portal.test_feeds import alarm

NOW = datetime(2026, 1, 9, tzinfo=UTC)
STANDINGS = ("confirmed", "different", "suspect", "unchecked")


def test_alarms_come_before_all_other_figures() -> None:
    page = html(overview_page([line()], [alarm("looked at first")], NOW), "en").decode()
    assert page.index("looked at first") < page.index("By vendor")
    assert page.index('id="alarms"') < page.index('id="releases"')


def test_an_acknowledged_alarm_is_not_on_the_first_page() -> None:
    known = ListedAlarm(alarm=alarm("known to all").alarm, is_open=False)
    page = overview_page([line()], [known], NOW)
    assert (page.alarms, page.open_alarms) == ((), 0)


@pytest.mark.parametrize("vendors", [1, 10_000])
def test_ten_thousand_releases_fit_into_100_kilobytes(vendors: int) -> None:
    """The names are longer than those of all Debian packages."""
    made = line(runs=line().runs[:1])
    lines = [
        made.model_copy(
            update={
                "vendor": f"a-vendor-of-software-{n % vendors}",
                "product": f"a-product-with-a-long-name-{n}",
                "version": f"1:2.{n}+dfsg-1+deb13u1",
                "standing": Standing(STANDINGS[n % 4]),
            }
        )
        for n in range(10_000)
    ]
    text = " ".join(f"file-{n}.deb: ada, bob built other bytes" for n in range(5))
    alarms = [alarm(text, release=str(one.release)) for one in lines[:100]]
    page = overview_page(lines, alarms, NOW)
    assert (page.counts.total, page.open_alarms, page.all_vendors) == (10_000, 100, vendors)
    assert len(page.vendors) == min(vendors, VENDORS)
    assert len(page.attention) == len(page.alarms) == SHOWN
    for language in ("en", "de"):
        assert len(html(page, language)) <= 100_000


def test_the_newest_failures_need_attention_first() -> None:
    lines = [line(f"acme/tool@{n}", "different", run=run_id(n)) for n in (2, 4, 3)]
    page = overview_page([*lines, line("acme/other@1")], [], NOW)
    assert [row.version for row in page.attention] == ["4", "3", "2"]
    seen = line("acme/tool@5", steps=(step("different", run_id(28), run_started(run_id(3))),))
    seen = seen.model_copy(update={"standing": Standing.DIFFERENT})
    page = overview_page([*lines, seen], [], NOW)
    assert [row.version for row in page.attention] == ["4", "3", "5", "2"], "when it was seen"


def test_the_last_night_of_a_center_is_told_with_its_failures() -> None:
    lines = [
        line("acme/old@1", "different", run=run_id(1)),
        line("acme/bad@1", "different", run=run_id(5)),
        line("acme/good@1", run=run_id(5)),
        line("acme/none@1", "unchecked", run=run_id(5)),
    ]
    page = overview_page(lines, [], NOW)
    assert [night.center for night in page.nights] == ["ada-1", "bob-1"]
    night = page.nights[0]
    assert night.began.day == 5
    assert (night.counts.confirmed, night.counts.different, night.counts.unchecked) == (1, 1, 1)
    assert [row.release for row in night.failed] == ["acme/bad@1"]


def test_more_failures_of_a_night_are_counted() -> None:
    lines = [line(f"acme/tool@{n}", "different") for n in range(FAILURES + 2)]
    page = overview_page(lines, [], NOW)
    assert len(page.nights[0].failed) == FAILURES
    assert "and 2 more" in html(page, "en").decode()


def test_what_is_not_checked_is_neither_green_nor_red() -> None:
    page = html(overview_page([line(standing="unchecked")], [], NOW), "en").decode()
    figures = page[page.index('class="figures"') : page.index("</dl>")]
    assert 'class="is-unchecked"><dt><span class="standing is-unchecked">' in figures
    assert "not checked" in figures


@pytest.mark.parametrize("standing", STANDINGS)
def test_each_standing_has_its_word_and_its_sign(standing: str) -> None:
    page = html(overview_page([line(standing=standing)], [], NOW), "en").decode()
    word = "not checked" if standing == "unchecked" else standing
    marks = [
        part for part in page.split("<span ") if part.startswith(f'class="standing is-{standing}"')
    ]
    assert marks
    assert all(word in mark and "<svg" in mark for mark in marks)


def test_nothing_is_said_where_nothing_is_known() -> None:
    page = overview_page([], [], NOW)
    assert (page.counts.total, page.nights, page.trend, page.vendors) == (0, (), (), ())
    assert "No alarm is open." in html(page, "en").decode()


@pytest.mark.parametrize("language", ["en", "de"])
def test_text_of_others_stays_text(language: str) -> None:
    hostile = "</p><script>alert(1)</script>\x1b[31m\u202e"
    page = html(overview_page([line()], [alarm(hostile)], NOW), language).decode()
    assert "&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m\\u202e" in page
    assert "<script>alert" not in page
