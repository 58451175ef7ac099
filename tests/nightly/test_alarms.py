"""What somebody has to look at; each kind, what raises it, and what must not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders.core.enums import Verdict
from pipelines.evidence.statements.refusal import Complaint
from pipelines.nightly.alarms import alarms, is_worse
from pipelines.nightly.external import ConsensusResult, Expiry, ExternalState, LogGap, PeerState
from pipelines.nightly.overview import summarise
from pipelines.nightly.record import ALARM_EXIT, AlarmKind, NightAlarm, NightEntry
from tests.nightly.nights import entry, night

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def raised(
    *entries: NightEntry, before: tuple[NightEntry, ...] = (), **outside: Any
) -> list[NightAlarm]:
    return list(alarms(entries, before, ExternalState(**outside), now=NOW))


def kinds(*entries: NightEntry, before: tuple[NightEntry, ...] = (), **outside: Any) -> list[str]:
    return [alarm.kind for alarm in raised(*entries, before=before, **outside)]


def peer(**fields: Any) -> PeerState:
    given = {"id": "asia", "heard": NOW - timedelta(hours=20), "size": 9}
    return PeerState(**{**given, **fields})


def joined(word: str) -> tuple[ConsensusResult, ...]:
    return (ConsensusResult(release="lab/one@1", artefact="out.bin", consensus=word),)


def test_a_quiet_night_raises_none() -> None:
    assert not raised(
        entry(), entry("lab/two@1"), before=(entry(),),
        consensus=joined("CONFIRMED"), peers=(peer(),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("word", "kind"),
    [("SUSPECT", "suspect"), ("SPLIT", "split"), ("SERVED_DIFFERENTLY", "shipped-mismatch")],
)
def test_a_consensus_that_speaks_of_tampering(word: str, kind: str) -> None:
    (alarm,) = raised(consensus=joined(word))
    assert (alarm.kind, alarm.about) == (kind, "lab/one@1")
    assert "out.bin" in alarm.text


@pytest.mark.parametrize("word", ["CONFIRMED", "PENDING", "NOT_CHECKED", "NONDETERMINISTIC"])
def test_a_consensus_that_does_not(word: str) -> None:
    assert not raised(consensus=joined(word))


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
    (alarm,) = raised(peers=(peer(**silence),))
    assert (alarm.kind, alarm.about) == ("peer-silent", "asia")
    assert "no route" not in alarm.text, "the public is not told of hosts"


@pytest.mark.parametrize("complaint", list(Complaint))
def test_a_peer_whose_log_the_witness_refused(complaint: Complaint) -> None:
    """It has no size that anybody vouches for, and yet it is not silent."""
    (alarm,) = raised(peers=(peer(size=None, complaint=complaint),))
    assert (alarm.kind, alarm.about) == ("peer-rolled-back", "asia")
    assert str(complaint) in alarm.text


def test_a_peer_whose_log_was_refused_and_that_says_nothing() -> None:
    mute = peer(size=None, complaint=Complaint.SHORTENED, heard=None)
    assert {a.text for a in raised(peers=(mute,))} == {
        "the log of asia is shorter than it was (shortened)",
        "asia is silent; last heard of: never",
    }


def test_a_log_that_lacks_statements() -> None:
    (alarm,) = raised(gaps=(LogGap(center="asia", text="lab/one@1 skips 3 to 4"),))
    assert (alarm.kind, alarm.about) == ("gap", "asia")
    assert "3 to 4" in alarm.text


@pytest.mark.parametrize("what", ["key", "policy"])
def test_what_runs_out(what: Any) -> None:
    (alarm,) = raised(expiries=(Expiry(what=what, name="local", text="it ends soon"),))
    assert (alarm.kind, alarm.about, alarm.text) == (f"{what}-expiring", "local", "it ends soon")


def test_the_gravest_come_first_and_nothing_twice() -> None:
    twice = joined("SUSPECT") + joined("SUSPECT")
    found = kinds(
        entry(verdict="DIFFERENT"),
        before=(entry(),),
        consensus=twice,
        peers=(peer(complaint=Complaint.FORKED),),
    )
    assert found == ["suspect", "worse", "peer-rolled-back"]


@pytest.mark.parametrize("kind", list(AlarmKind))
def test_every_alarm_is_a_line_of_the_summary_and_an_exit_code(kind: AlarmKind) -> None:
    alarm = NightAlarm(kind=kind, about="somebody", text="something")
    record = night(entry(), alarms=(alarm,))
    assert record.exit_code() == ALARM_EXIT
    assert summarise(record, None).lines()[0] == f"ALARM {kind}: somebody: something"
