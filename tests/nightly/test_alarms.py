"""What somebody has to look at; each kind, what raises it, and what must not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from builders.core.enums import Verdict
from builders.core.errors import ScratchError, StoreError
from pipelines.alarms.cause import ALARM_EXIT
from pipelines.audit.log_audit import Gap, GapKind, LogReport
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.log_status import Complaint
from pipelines.log.witness import WitnessOutcome, WitnessResult
from pipelines.nightly.alarms import (
    alarms,
    expiry_alarms,
    gap_alarms,
    is_worse,
    peer_alarms,
)
from pipelines.nightly.night import summarise
from pipelines.nightly.record import AlarmKind, NightAlarm, NightEntry
from tests.nightly.nights import entry, night
from tests.policy.test_expiry import ending
from tests.policy.world import EXPIRES, policy_of
from tests.policy.world import NOW as POLICY_MADE

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def raised(
    *entries: NightEntry, before: tuple[NightEntry, ...] = (), outside: Iterable[NightAlarm] = ()
) -> list[NightAlarm]:
    return list(alarms(entries, {entry.release: entry for entry in before}, outside))


def kinds(*entries: NightEntry, before: tuple[NightEntry, ...] = ()) -> list[str]:
    return [alarm.kind for alarm in raised(*entries, before=before)]


def of_peer(
    *,
    heard: datetime | None = NOW - timedelta(hours=20),
    size: int | None = 9,
    complaint: Complaint | None = None,
) -> list[NightAlarm]:
    outcome = WitnessOutcome.REFUSED if complaint else WitnessOutcome.COSIGNED
    seen = WitnessResult(origin="asia", outcome=outcome, size=size, complaint=complaint)
    return list(peer_alarms("asia", seen, heard, NOW))


def test_a_quiet_night_raises_none() -> None:
    assert not raised(
        entry(),
        entry("lab/two@1"),
        before=(entry(),),
        outside=of_peer(),
    )


def test_another_file_than_the_published_one_alarms_every_night() -> None:
    bad = entry(verdict="SHIPPED_MISMATCH")
    assert kinds(bad, before=(entry(),)) == ["shipped-mismatch", "worse"]
    assert kinds(bad, before=(bad,)) == ["shipped-mismatch"]


@pytest.mark.parametrize(
    "verdict", ["DIFFERENT", "MISSING", "UNEXPECTED", "EQUIVALENT", "NOT_CHECKED"]
)
def test_identical_before_and_not_now(verdict: str) -> None:
    (alarm,) = raised(entry(verdict=verdict), before=(entry(),))
    assert (alarm.kind, alarm.text) == ("worse", f"{verdict}, was IDENTICAL")


def test_worse_after_a_night_without_a_verdict_is_still_worse() -> None:
    unchecked = entry(verdict="NOT_CHECKED", settled=Verdict.IDENTICAL)
    for verdict in ("DIFFERENT", "EQUIVALENT"):
        assert kinds(entry(verdict=verdict), before=(unchecked,)) == ["worse"]
    assert not kinds(unchecked, before=(unchecked,)), "it was told the night before"
    assert not kinds(entry(), before=(unchecked,))


def test_a_new_release_is_measured_by_what_its_recipe_expects() -> None:
    bad = entry(verdict="DIFFERENT", expected=Verdict.IDENTICAL)
    assert [a.text for a in raised(bad)] == ["DIFFERENT, expected IDENTICAL"]
    assert not raised(entry(verdict="DIFFERENT", expected=Verdict.DIFFERENT))
    assert not raised(entry(verdict="DIFFERENT"))


def test_a_signed_release_is_as_good_as_an_identical_one() -> None:
    assert not is_worse(Verdict.IDENTICAL_SIGNED, Verdict.IDENTICAL)
    assert not is_worse(Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED)
    assert is_worse(Verdict.EQUIVALENT, Verdict.IDENTICAL_SIGNED)
    assert not is_worse(Verdict.EQUIVALENT, Verdict.DIFFERENT)


@pytest.mark.parametrize(
    "silence",
    [{"heard": NOW - timedelta(hours=37)}, {"heard": None}, {"size": None}],
)
def test_a_silent_peer(silence: dict[str, Any]) -> None:
    (alarm,) = of_peer(**silence)
    assert (alarm.kind, alarm.about) == ("peer-silent", "asia")
    assert "no route" not in alarm.text, "the public is not told of hosts"


def test_a_peer_that_the_witness_could_not_look_at() -> None:
    (alarm,) = peer_alarms("asia", None, None, NOW)
    assert (alarm.kind, alarm.text) == (
        "peer-silent",
        "asia cannot be read; last heard of: never",
    )


@pytest.mark.parametrize("complaint", list(Complaint))
def test_a_peer_whose_log_the_witness_refused(complaint: Complaint) -> None:
    """It has no size that anybody vouches for, and yet it is not silent."""
    (alarm,) = of_peer(size=None, complaint=complaint)
    assert (alarm.kind, alarm.about) == ("peer-rolled-back", "asia")
    assert str(complaint) in alarm.text


def test_a_peer_whose_log_was_refused_and_that_says_nothing() -> None:
    mute = of_peer(size=None, complaint=Complaint.SHORTENED, heard=None)
    assert {a.text for a in mute} == {
        "the log of asia is shorter than it was (shortened)",
        "asia is silent; last heard of: never",
    }


def of_log(
    monkeypatch: pytest.MonkeyPatch,
    check: Callable[[object], LogReport],
    joined: Collection[str] = (),
) -> list[str]:
    """Return the texts of the alarms about a log of which `check` says what it lacks."""
    monkeypatch.setattr("pipelines.nightly.alarms.check_completeness", check)
    log: Any = SimpleNamespace(center="asia")
    found = list(gap_alarms(log, joined=joined))
    assert {(alarm.kind, alarm.about) for alarm in found} <= {("gap", "asia")}
    return [alarm.text for alarm in found]


def test_what_is_missing_of_a_release_that_was_joined_is_told_once_it_is_withheld(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gaps = [
        Gap(kind=kind, about=about, message="-")
        for kind in (GapKind.MISSING, GapKind.UNLOGGED)
        for about in ("lab/one@1", "lab/two@1")
    ]
    told = of_log(monkeypatch, lambda _: LogReport(gaps=gaps), {"lab/one@1"})
    assert [text.removeprefix("the log of asia: ") for text in told] == [
        "missing, lab/two@1: -",
        "unlogged, lab/one@1: -",
        "unlogged, lab/two@1: -",
    ]


def test_a_log_that_lacks_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Gap(kind=GapKind.SKIPPED, about="lab/one@1", message="3 to 4 are skipped")
    told = "the log of asia: skipped, lab/one@1: 3 to 4 are skipped"
    assert of_log(monkeypatch, lambda _: LogReport()) == []
    assert of_log(monkeypatch, lambda _: LogReport(gaps=[gap])) == [told]
    many = LogReport(gaps=[gap] * 22, more=5)
    assert of_log(monkeypatch, lambda _: many) == [*[told] * 20, "the log of asia: and 7 more"]


@pytest.mark.parametrize(
    ("error", "texts"),
    [
        (EvidenceError("it is altered", got="/srv/secret"), ["the log of asia: it is altered"]),
        (ScratchError("no space", got="/srv/secret"), ["the log of asia: no space"]),
        (StoreError("no route to host"), []),
    ],
)
def test_a_log_that_cannot_be_checked(
    monkeypatch: pytest.MonkeyPatch, error: Exception, texts: list[str]
) -> None:
    def broken(_: object) -> LogReport:
        raise error

    assert of_log(monkeypatch, broken) == texts


def test_what_runs_out() -> None:
    assert not list(expiry_alarms("local", ending(100, None), {}, POLICY_MADE))
    (key,) = expiry_alarms("local", ending(100, 200), {"europe": 150}, POLICY_MADE)
    assert (key.kind, key.about) == ("key-expiring", "local")
    assert "50 entries from now" in key.text
    (whole,) = expiry_alarms("local", policy_of(), {}, EXPIRES)
    assert (whole.kind, whole.about) == ("policy-expiring", "local")
    assert "the policy expired" in whole.text


def test_the_gravest_come_first_and_nothing_twice() -> None:
    suspect = NightAlarm(kind=AlarmKind.SUSPECT, about="lab/one@1", text="out.bin")
    outside = [*of_peer(complaint=Complaint.FORKED), suspect, suspect]
    found = raised(entry(verdict="DIFFERENT"), before=(entry(),), outside=outside)
    assert [alarm.kind for alarm in found] == ["suspect", "worse", "peer-rolled-back"]


@pytest.mark.parametrize("kind", list(AlarmKind))
def test_every_alarm_is_a_line_of_the_summary_and_an_exit_code(kind: AlarmKind) -> None:
    alarm = NightAlarm(kind=kind, about="somebody", text="something")
    record = night(entry(), alarms=(alarm,))
    assert record.exit_code() == ALARM_EXIT
    assert summarise(record, None).lines()[0] == f"ALARM {kind}: somebody: something"
