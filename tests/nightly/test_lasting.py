"""What of an alarm a night and those after it tell, before and after it is acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.alarms.cause import ALARM_EXIT, AlarmCause
from pipelines.audit.center_finding import ExclusionReason
from pipelines.center.logs import own_witness
from pipelines.consensus.release_consensus import join_release
from pipelines.evidence.statements.acknowledgement import LeafRange
from pipelines.nightly.alarms import outside_alarms
from pipelines.nightly.lasting import lasting_alarms
from pipelines.nightly.night import summarise
from pipelines.nightly.record import (
    AlarmKind,
    LastingAlarm,
    NightAlarm,
    NightRecord,
    store_night,
)
from pipelines.storage.directory import DirectoryStore
from tests.alarms.alarming import served
from tests.alarms.conftest import two
from tests.alarms.test_command import forked
from tests.alarms.two_operators import Alarms, suspect
from tests.consensus.conftest import centers
from tests.consensus.world import RELEASE
from tests.nightly.nights import entry, night

__all__ = ["centers", "two"]

RUN = "20260103T030405Z-0a1b2c3d"
SUSPECT = NightAlarm(kind=AlarmKind.SUSPECT, about=str(RELEASE), text="tool.deb")
SILENT = NightAlarm(kind=AlarmKind.PEER_SILENT, about="asia", text="asia is silent")


def mismatch(run: str) -> NightAlarm:
    kind = AlarmKind.SHIPPED_MISMATCH
    return NightAlarm(kind=kind, about=str(RELEASE), text="tool.deb", run=run)


def after(two: Alarms, *found: NightAlarm, before: NightRecord | None = None) -> NightRecord:
    """Return a night of europe that raised these alarms, after another one."""
    with two.centers.session("europe") as session:
        made = lasting_alarms(session, found, before, now=datetime.now(UTC))
    return night(entry(verdict="DIFFERENT"), alarms=made.alarms, lasting=made.lasting)


def test_every_cause_is_a_kind_of_alarm() -> None:
    assert {str(cause) for cause in AlarmCause} < {str(kind) for kind in AlarmKind}


def test_an_acknowledged_alarm_is_told_and_fails_no_night(two: Alarms) -> None:
    suspect(two)
    open_ = after(two, SUSPECT)
    assert (open_.exit_code(), open_.alarms) == (ALARM_EXIT, (SUSPECT,))
    two.acknowledge(str(RELEASE), "suspect")
    record = after(two, SUSPECT)
    assert record.exit_code() == 1
    (alarm,) = record.alarms
    assert alarm.acknowledged == "europe-body"
    line = summarise(record, None).lines()[0]
    assert line == "acknowledged by europe-body, suspect: acme/tool@1.0: tool.deb"
    assert summarise(record, None).to_dict()["alarms"][0]["acknowledged"] == "europe-body"


def test_another_alarm_beside_it_fails_the_night(two: Alarms) -> None:
    suspect(two)
    two.acknowledge(str(RELEASE), "suspect")
    record = after(two, SUSPECT, SILENT)
    assert (record.exit_code(), [a.is_open for a in record.alarms]) == (ALARM_EXIT, [False, True])


def test_an_alarm_of_the_last_night_goes_on_though_its_cause_is_gone(two: Alarms) -> None:
    two.centers.publish("europe", files=served(b"another"), run=RUN)
    first = after(two, mismatch(RUN))
    two.centers.publish("europe", run="20260104T030405Z-0a1b2c3d")
    second = after(two, before=first)
    assert (second.exit_code(), [a.kind for a in second.alarms]) == (
        ALARM_EXIT,
        ["shipped-mismatch"],
    )
    assert after(two, before=second) == second
    two.acknowledge(str(RELEASE), "shipped-mismatch")
    assert (after(two, before=second).alarms, after(two, before=second).lasting) == ((), ())


def joined_night(two: Alarms, before: NightRecord | None = None) -> NightRecord:
    """Return a night of europe that joined the release."""
    with two.centers.session("europe") as session:
        found = outside_alarms(session, [str(RELEASE)], now=datetime.now(UTC))
    about = (alarm for alarm in found if alarm.about == str(RELEASE))
    return after(two, *about, before=before)


def test_a_night_tells_what_a_run_before_the_newest_of_a_peer_has_found(two: Alarms) -> None:
    two.centers.publish("europe")
    two.centers.publish("asia", files=served(b"another"), run=RUN)
    two.centers.publish("asia", run="20260104T030405Z-0a1b2c3d")
    first = joined_night(two)
    assert [(alarm.kind, alarm.is_open) for alarm in first.alarms] == [("shipped-mismatch", True)]
    assert joined_night(two, first) == first
    two.acknowledge(str(RELEASE), "shipped-mismatch")
    assert joined_night(two, first).alarms == ()


def report_twice(two: Alarms, peer: str) -> None:
    """Let the witness of europe report twice what a peer does not show, with two days between."""
    now = datetime.now(UTC)
    with two.centers.session("europe") as session:
        view = session.consensus_view(now)
        (missing,) = [
            e.indexes
            for e in join_release(view, RELEASE).read.excluded
            if e.reason is ExclusionReason.MISSING
        ]
        witness = own_witness(session.center, session.store)
        log = view.policy.policy.center(peer).log
        for days in (3, 1):
            moment = now - timedelta(days=days)
            witness.report_absent(log.origin, {str(RELEASE): missing}, moment)


def test_a_statement_that_was_withheld_stays_an_alarm_when_it_is_shown_again(two: Alarms) -> None:
    two.centers.publish("asia")
    (shown,) = (two.root / "asia/store/public/releases").rglob("comparison-1.dsse.json")
    data = shown.read_bytes()
    shown.unlink()
    report_twice(two, "asia")
    withheld = NightAlarm(kind=AlarmKind.WITHHELD, about=str(RELEASE), text="asia withholds")
    first = after(two, withheld)
    assert first.alarms == (withheld,)
    shown.write_bytes(data)
    second = after(two, before=first)
    third = after(two, before=second)
    (alarm,) = third.alarms
    assert (alarm.kind, alarm.is_open) == ("withheld", True)
    assert alarm.text == "asia has once withheld statements that its log has"
    code, found = two.list()
    assert (code, [one["cause"] for one in found["alarms"]]) == (ALARM_EXIT, ["withheld"])
    two.acknowledge(str(RELEASE), "withheld")
    assert two.list()[0] == 0
    assert after(two, before=third).alarms == ()


def test_what_was_told_and_does_not_show_any_more_is_listed_as_that(two: Alarms) -> None:
    two.centers.publish("asia")
    leaves = (LeafRange(log="asia", first=7, last=7),)
    told = LastingAlarm(
        cause=AlarmCause.ABANDONED, release=str(RELEASE), center="asia", text="told", leaves=leaves
    )
    second = after(two, before=night(entry(), lasting=(told,)))
    third = after(two, before=second)
    assert [alarm.text for alarm in third.alarms] == ["told (does not show any more)"]
    kept = third.model_copy(update={"center": "europe"})
    store_night(DirectoryStore(two.root / "europe/store"), kept)
    code, found = two.list()
    assert (code, [one["cause"] for one in found["alarms"]]) == (ALARM_EXIT, ["abandoned"])


def test_a_night_tells_of_logs_what_is_on_record_and_derives_it_anew(two: Alarms) -> None:
    forked(two, "asia")
    with two.centers.session("europe") as session:
        found = outside_alarms(session, [], now=datetime.now(UTC))
    assert [a.kind for a in found if a.about == "asia" and a.kind == "fork"] == ["fork"]
    assert [a.is_open for a in after(two, *found).alarms if a.kind == "fork"] == [True]


def test_a_run_that_no_statement_tells_of_is_not_acknowledged_with_others(two: Alarms) -> None:
    two.centers.publish("europe", files=served(b"another"), run=RUN)
    two.acknowledge(str(RELEASE), "shipped-mismatch")
    unseen = mismatch("20260105T030405Z-0a1b2c3d")
    assert [a.is_open for a in after(two, mismatch(RUN), unseen).alarms] == [False, True]


@pytest.mark.parametrize("raised", [(), (SUSPECT,)])
def test_what_cannot_be_looked_up_is_open(two: Alarms, raised: tuple[NightAlarm, ...]) -> None:
    suspect(two)
    first = after(two, SUSPECT)
    (two.root / "policy.dsse.json").write_text("{}")
    second = after(two, *raised, before=first)
    assert [alarm.kind for alarm in second.alarms] == ["suspect"]
    assert second.lasting == first.lasting


def test_an_alarm_that_could_not_be_looked_up_is_looked_up_in_the_next_night(two: Alarms) -> None:
    two.centers.publish("europe", files=served(b"another"), run=RUN)
    policy = two.root / "policy.dsse.json"
    data = policy.read_bytes()
    policy.write_text("{}")
    first = after(two, mismatch(RUN))
    policy.write_bytes(data)
    second = after(two, before=first)
    assert [alarm.kind for alarm in second.alarms] == ["shipped-mismatch"]


def test_a_night_without_such_alarms_looks_nothing_up(two: Alarms) -> None:
    (two.root / "policy.dsse.json").write_text("{}")
    assert after(two, SILENT, before=after(two, SILENT)).alarms == (SILENT,)
