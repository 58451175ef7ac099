"""What of an alarm a night and those after it tell, before and after it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from pipelines.alarms.cause import ALARM_EXIT, AlarmCause
from pipelines.nightly.lasting import lasting_alarms
from pipelines.nightly.night import summarise
from pipelines.nightly.record import AlarmKind, NightAlarm, NightRecord
from tests.alarms.alarming import served
from tests.alarms.conftest import two
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


def after(two: Alarms, *found: NightAlarm, before: Iterable[NightAlarm] = ()) -> NightRecord:
    """Return a night of europe that raised these alarms, after one with those."""
    with two.centers.session("europe") as session:
        last = night(alarms=tuple(before))
        alarms = lasting_alarms(session, found, last, now=datetime.now(UTC))
    return night(entry(verdict="DIFFERENT"), alarms=alarms)


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
    two.centers.publish("europe", run="20260104T030405Z-0a1b2c3d")
    record = after(two, before=[mismatch(RUN)])
    assert (record.exit_code(), [a.kind for a in record.alarms]) == (
        ALARM_EXIT,
        ["shipped-mismatch"],
    )
    assert after(two, before=record.alarms).alarms == record.alarms
    two.acknowledge(str(RELEASE), "shipped-mismatch")
    assert after(two, before=record.alarms).alarms == ()


def test_a_run_that_no_statement_tells_of_is_not_acknowledged_with_others(two: Alarms) -> None:
    two.centers.publish("europe", files=served(b"another"), run=RUN)
    two.acknowledge(str(RELEASE), "shipped-mismatch")
    unseen = mismatch("20260105T030405Z-0a1b2c3d")
    assert [a.is_open for a in after(two, mismatch(RUN), unseen).alarms] == [False, True]


@pytest.mark.parametrize("raised", [(), (SUSPECT,)])
def test_what_cannot_be_looked_up_is_open(two: Alarms, raised: tuple[NightAlarm, ...]) -> None:
    (two.root / "policy.dsse.json").write_text("{}")
    assert after(two, *raised, before=[SUSPECT]).alarms == (SUSPECT,)


def test_a_night_without_such_alarms_looks_nothing_up(two: Alarms) -> None:
    (two.root / "policy.dsse.json").write_text("{}")
    assert after(two, SILENT, before=[SILENT]).alarms == (SILENT,)
