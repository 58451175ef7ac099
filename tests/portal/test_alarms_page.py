"""The page of all alarms: open ones first, and none that hides another."""

from __future__ import annotations

import pytest

from pipelines.alarms.alarm import ListedAlarm
from pipelines.audit.center_finding import Excluded, ExclusionReason
from pipelines.portal.pages.alarms import alarms_page
from pipelines.portal.rendering import html
from tests.portal.test_feeds import alarm

KNOWN = ListedAlarm(alarm=alarm("known to all").alarm, is_open=False)


def test_open_alarms_come_before_those_that_somebody_knows_of() -> None:
    page = alarms_page([KNOWN, alarm("seen by nobody")], (), ())
    assert [row.text for row in page.open] == ["seen by nobody"]
    assert [row.text for row in page.acknowledged] == ["known to all"]
    shown = html(page, "en").decode()
    assert shown.index("seen by nobody") < shown.index("known to all")
    assert shown.count("samebits alarm acknowledge") == 1


def test_what_does_not_count_and_what_was_not_looked_at_is_told() -> None:
    excluded = Excluded(center="bob-1", reason=ExclusionReason.BAD_SIGNATURE, detail="<b>")
    shown = html(alarms_page([], [excluded], ("acme/tool@1.0: broken",)), "en").decode()
    assert 'bob-1: bad-signature, <span lang="en">&lt;b&gt;</span>' in shown
    assert "acme/tool@1.0: broken" in shown


def test_a_page_in_german_says_which_sentences_are_english() -> None:
    excluded = Excluded(center="bob-1", reason=ExclusionReason.BAD_SIGNATURE, detail="by whom")
    page = alarms_page([alarm("served another file")], [excluded], ("acme/tool@1.0: broken",))
    shown = html(page, "de").decode()
    assert '<html lang="de">' in shown
    assert '<p lang="en">served another file</p>' in shown
    assert '<span lang="en">by whom</span>' in shown
    assert '<li lang="en">acme/tool@1.0: broken</li>' in shown


def test_more_alarms_than_are_listed_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.portal.pages.alarms.SHOWN", 1)
    page = alarms_page([alarm("first"), alarm("second"), KNOWN], (), ())
    assert (len(page.open), page.all_open, page.all_acknowledged) == (1, 2, 1)
    assert "and 1 more: <code>samebits alarm list</code>" in html(page, "en").decode()
