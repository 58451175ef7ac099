"""The page of a center: its log, its heartbeat, its shares, and its own word of the last night."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.alarms.alarm import Alarm, ListedAlarm
from pipelines.alarms.cause import AlarmCause
from pipelines.audit.source import Source
from pipelines.center.keys import center_key
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.statements.log_status import Tree, Work
from pipelines.log.heartbeats import heartbeat_key, make_heartbeat
from pipelines.log.merkle import EMPTY_ROOT
from pipelines.nightly.record import nights_prefix
from pipelines.portal.center_night import MAX_NIGHT, published_night
from pipelines.portal.center_rates import rates
from pipelines.portal.pages.center import alarms_about
from pipelines.storage.directory import DirectoryStore
from tests.fakes.store import MemoryStore
from tests.portal.built_portal import NOW, RELEASE_PAGE, BuiltPortal

ENTRY = {"mode": "rebuilt", "why": "rotation"}
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def night(**changes: Any) -> dict[str, Any]:
    """Return the public record of a night, as JSON."""
    return {
        "schema": "samebits/night/v1",
        "center": "europe",
        "night": "20260104T000000Z-0a1b2c3d",
        "number": 3,
        "started": "2026-01-04T00:00:00+00:00",
        "finished": "2026-01-04T01:00:00+00:00",
        "releases": [
            {**ENTRY, "release": "acme/tool@1.0", "verdict": "IDENTICAL"},
            {**ENTRY, "release": "acme/tool@1.1", "verdict": "DIFFERENT"},
            {**ENTRY, "release": "acme/tool@1.2", "verdict": "NOT_CHECKED"},
        ],
        "alarms": [{"kind": "worse", "about": "acme/tool@1.1", "text": "was IDENTICAL"}],
        **changes,
    }


def source(*records: bytes) -> Source:
    store = MemoryStore()
    for number, record in enumerate(records):
        store.put_record(f"{nights_prefix('europe')}2026010{number}.json", record)
    return Source(center="europe", store=store)


def plain(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def test_shares_leave_out_what_was_not_checked() -> None:
    found = rates(
        {
            Verdict.IDENTICAL: 7,
            Verdict.IDENTICAL_SIGNED: 1,
            Verdict.DIFFERENT: 2,
            Verdict.NOT_CHECKED: 90,
        }
    )
    assert (found.identical.count, found.identical.of) == (7, 10)
    assert found.with_signature.count == 8
    assert found.unchecked == 90
    assert (found.identical.low, found.identical.high) == (0.3968, 0.8922)  # Wilson, 95 %


def test_no_verdict_is_no_share_of_nought() -> None:
    found = rates({Verdict.NOT_CHECKED: 5})
    assert (found.identical.of, found.identical.low, found.identical.high) == (0, 0.0, 1.0)


def test_a_night_lists_what_failed_and_what_was_not_checked_apart() -> None:
    found = published_night(source(plain(night())))
    assert found is not None
    assert found.failed == ("acme/tool@1.1",)
    assert found.unchecked == ("acme/tool@1.2",)
    assert found.alarms == ("worse: acme/tool@1.1: was IDENTICAL",)
    assert found.started == datetime(2026, 1, 4, tzinfo=UTC)
    assert found.left_out == 0


def test_a_night_that_cannot_be_read_gives_way_to_the_one_before() -> None:
    damaged = source(plain(night(number=1)), plain(night(number=2)), b"{}", b"\xff")
    found = published_night(damaged)
    assert found is not None
    assert found.number == 2
    assert published_night(source(plain(night(center="asia")))) is None
    assert published_night(source(b" " * (MAX_NIGHT + 1))) is None
    assert published_night(source()) is None


def test_texts_of_a_night_are_cut() -> None:
    alarm = {"kind": "worse", "about": "x" * 10_000_000, "text": ""}
    many = [{"kind": "worse", "about": f"acme/tool@{n}", "text": ""} for n in range(100)]
    found = published_night(source(plain(night(alarms=[alarm, *many], started="never"))))
    assert found is not None
    assert max(map(len, found.alarms)) <= 600
    assert found.left_out == 51
    assert found.started is None


def test_a_center_answers_for_its_own_misconduct_alone() -> None:
    def raised(cause: AlarmCause, center: str = "europe", *, is_open: bool = True) -> ListedAlarm:
        text = f"{cause} {is_open}"
        alarm = Alarm(cause=cause, release="acme/tool@1.0", center=center, text=text, leaves=())
        return ListedAlarm(alarm=alarm, is_open=is_open)

    listed = [
        raised(AlarmCause.SUSPECT),
        raised(AlarmCause.WITHHELD, is_open=False),
        raised(AlarmCause.FORK),
        raised(AlarmCause.FORK, "asia"),
    ]
    found = alarms_about(listed, "europe")
    assert [one.text for one in found] == ["fork True", "withheld False"]


def beat(portal: BuiltPortal, name: str, when: datetime) -> None:
    """Publish a heartbeat that a center has signed."""
    tree = Tree(size=0, root=Digest(EMPTY_ROOT.hex()))
    work = Work(due=3, done=2, failed=1)
    statement = make_heartbeat(center=name, log=tree, heads=(), now=when, work=work)
    store = DirectoryStore(portal.centers.root / name / "store")
    signer = center_key(portal.centers.center(name))
    store.put_record(
        heartbeat_key(statement), sign_envelope(statement.to_bytes(), signer).to_bytes()
    )


def test_a_center_shows_its_log_its_heartbeat_and_its_own_word_of_a_night(
    portal: BuiltPortal,
) -> None:
    for name in ("europe", "asia"):
        portal.centers.publish(name)
    beat(portal, "asia", NOW - timedelta(days=3))
    beat(portal, "europe", NOW - timedelta(hours=1))
    store = DirectoryStore(portal.centers.root / "europe/store")
    alarm = {"kind": "worse", "about": HOSTILE, "text": HOSTILE * 1000}
    unchecked = {**ENTRY, "release": "acme/tool@1.0", "verdict": "NOT_CHECKED"}
    record = plain(night(night=HOSTILE, alarms=[alarm], releases=[unchecked]))
    store.put_record(f"{nights_prefix('europe')}1.json", record)
    portal.build()
    asia, europe = portal.twin("centers/asia/"), portal.twin("centers/europe/")
    assert (asia["log"]["fault"], asia["log"]["size"], asia["log"]["witnessed"]) == ("", 4, 4)
    assert [(w["name"], bool(w["cosigned_on"])) for w in asia["witnesses"]] == [("europe", True)]
    assert (asia["heartbeat"]["late"], asia["heartbeat"]["failed"]) == (True, 1)
    assert not europe["heartbeat"]["late"]
    late = "late: the center may have fallen silent"
    assert late in portal.html("centers/asia/")
    assert "keine Aufzeichnung einer Nacht" in portal.html("centers/asia/", "de")
    assert asia["rates"]["identical"] == {"count": 1, "of": 1, "low": 0.2065, "high": 1.0}
    assert [one["center"] for one in portal.twin("centers/")["centers"]] == ["europe", "asia"]
    shown = portal.html("centers/europe/")
    assert late not in shown
    assert f'href="../../{RELEASE_PAGE}"' in shown
    assert "<img" not in shown
    assert "\u202e" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;\\u202e" in shown
    assert 'id="leaf-3"' in portal.html("logs/asia/")


def test_a_log_that_is_altered_is_no_log(portal: BuiltPortal) -> None:
    for name in ("europe", "asia"):
        portal.centers.publish(name)
    bundle = next((portal.centers.root / "asia/store/public/log/tile/entries").rglob("*.p/*"))
    bundle.write_bytes(bundle.read_bytes().replace(b"acme/tool@1.0", b"acme/tool@1.1"))
    portal.build()
    assert portal.twin("centers/asia/")["log"]["fault"] == "broken"
    assert "Nothing in it counts" in portal.html("logs/asia/")
    assert not [path for path in portal.files() if path.startswith("logs/asia/tile")]
    assert portal.twin("centers/europe/")["log"]["fault"] == ""
