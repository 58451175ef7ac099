"""Feeds: valid Atom, the newest entries first, and no markup of others."""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.alarms.alarm import Alarm, Leaf, ListedAlarm
from pipelines.alarms.cause import AlarmCause
from pipelines.portal.feeds import ENTRIES, alarms_feed, changes_feed
from tests.alarms.alarming import run_id
from tests.portal.lines import line, parsed, step

NOW = datetime(2026, 1, 9, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"


def alarm(text: str = "tool.deb: ada, bob built other bytes", **changes: object) -> ListedAlarm:
    fields = {
        "cause": AlarmCause.SUSPECT,
        "release": "acme/tool@1.0",
        "center": "ada-1",
        "text": text,
        "leaves": (Leaf(log="ada-1", index=3),),
        "since": run_id(3),
        **changes,
    }
    return ListedAlarm(alarm=Alarm(**fields))  # type: ignore[arg-type]  # by name


def entries(feed: bytes) -> list[dict[str, str]]:
    """Return the entries of a feed that has all that RFC 4287 asks for."""
    root = parsed(feed)
    assert root.tag == f"{ATOM}feed"
    for required in ("id", "title", "updated", "author"):
        assert len(root.findall(f"{ATOM}{required}")) == 1
    found = []
    for entry in root.findall(f"{ATOM}entry"):
        fields = {child.tag.removeprefix(ATOM): child.text or "" for child in entry}
        assert {"id", "title", "updated", "summary"} <= fields.keys()
        link = entry.find(f"{ATOM}link")
        assert link is not None
        found.append({**fields, "link": link.attrib["href"]})
    ids = [one["id"] for one in found]
    assert len(ids) == len(set(ids))
    return found


def test_each_change_of_a_standing_is_an_entry_the_newest_first() -> None:
    steps = (step("unchecked", run_id(2)), step("different", run_id(4)))
    feed = changes_feed([line(steps=steps), line("acme/b@1")], "europe", NOW)
    found = entries(feed)
    assert [(one["title"], one["updated"]) for one in found] == [
        ("acme/tool@1.0 is different", "2026-01-04T03:04:05Z"),
        ("acme/b@1 is confirmed", "2026-01-02T03:04:05Z"),
        ("acme/tool@1.0 is not checked", "2026-01-02T03:04:05Z"),
    ]
    assert found[0]["summary"].endswith("of center ada-1; it was not checked.")
    assert found[0]["link"] == "../releases/acme/tool/1.0/"


def test_a_feed_has_no_more_than_the_newest_entries() -> None:
    lines = [
        line(f"acme/tool@{n}", run=f"20260101T{n // 60:02}{n % 60:02}00Z-0a1b2c3d")
        for n in range(150)
    ]
    found = entries(changes_feed(lines, "europe", NOW))
    assert len(found) == ENTRIES
    assert found[0]["title"] == "acme/tool@149 is confirmed"


def test_a_run_of_the_future_is_of_now() -> None:
    future = line(run="29990102T030405Z-0a1b2c3d")
    (found,) = entries(changes_feed([future], "europe", NOW))
    assert found["updated"] == "2026-01-09T00:00:00Z"


def test_the_same_evidence_gives_the_same_feed() -> None:
    lines = [line(), line("acme/b@1", "different", run=run_id(4))]
    later = datetime(2026, 2, 1, tzinfo=UTC)
    assert changes_feed(lines, "europe", NOW) == changes_feed(lines[::-1], "europe", later)


def test_open_alarms_are_in_the_feed_and_acknowledged_ones_are_not() -> None:
    known = ListedAlarm(alarm=alarm().alarm, is_open=False)
    of_log = alarm("forked", cause=AlarmCause.FORK, release=None, since="", leaves=())
    found = entries(alarms_feed([alarm(), known, of_log], "europe", NOW))
    assert [(one["title"], one["updated"], one["link"]) for one in found] == [
        ("fork: ada-1", "2026-01-09T00:00:00Z", "../centers/ada-1/"),
        ("suspect: acme/tool@1.0", "2026-01-03T03:04:05Z", "../releases/acme/tool/1.0/"),
    ]


def test_text_of_others_stays_text() -> None:
    hostile = "</summary><script>\x00\x1b[31m\u202e\ufffe\ud800"
    (found,) = entries(alarms_feed([alarm(hostile)], "europe", NOW))
    assert found["summary"] == r"</summary><script>\x00\x1b[31m\u202e\ufffe\ud800"
