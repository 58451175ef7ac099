"""A statement that a center does not show is missing, and withheld once it was missed twice."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from infra.bench.madeup import MadeUpFile
from pipelines.alarms.raised import release_alarms
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.source import UnreachableError
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.release_consensus import join_release, read_logs, rules_for
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.log_reader import LogReader
from pipelines.nightly.missing_statements import report_missing
from pipelines.storage.directory import DirectoryStore
from tests.consensus.two_centers import TwoCenters
from tests.consensus.world import CONTENT, FILE, LATER, RELEASE, reasons

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def joined(centers: TwoCenters) -> ReleaseConsensus:
    return join_release(centers.session("europe").consensus_view(NOW), RELEASE).consensus


def report(centers: TwoCenters, now: datetime, by: str = "europe") -> int:
    session = centers.session(by)
    view = session.consensus_view(NOW)
    return len(report_missing(session, view, [join_release(view, RELEASE).consensus], now))


def absent(found: ReleaseConsensus) -> set[tuple[str, str]]:
    return {(center, why) for center, why in reasons(found) if why in {"missing", "withheld"}}


def alarms(centers: TwoCenters) -> list[str]:
    view = centers.session("europe").consensus_view(NOW)
    found = join_release(view, RELEASE)
    withheld = read_logs(view, [RELEASE]).once_withheld("europe", str(RELEASE))
    rules = rules_for(view, found.recipe)
    return [str(one.cause) for one in release_alarms(found, rules, withheld)]


def test_it_is_missing_until_an_outside_witness_has_missed_it_twice(centers: TwoCenters) -> None:
    for name in ("europe", "asia"):
        run = centers.publish(name)
    assert str(joined(centers).artefacts[0].result) == "CONFIRMED"
    record = centers.root / "asia/store" / f"{run.folder()}comparison-1.dsse.json"
    data = record.read_bytes()
    record.unlink()

    assert absent(joined(centers)) == {("asia", "missing")}
    assert str(joined(centers).artefacts[0].result) == "PENDING", "it may be a mismatch"
    assert alarms(centers) == [], "and nobody is accused"

    assert report(centers, NOW) == 1
    assert report(centers, NOW + DAY / 2) == 0, "it is said already"
    assert absent(joined(centers)) == {("asia", "missing")}
    assert report(centers, NOW + DAY) == 1
    assert report(centers, NOW + 9 * DAY) == 0
    assert absent(joined(centers)) == {("asia", "withheld")}
    assert alarms(centers) == ["withheld"]

    DirectoryStore(centers.root / "asia/store").put_record(
        f"{run.folder()}comparison-1.dsse.json", data
    )
    assert absent(joined(centers)) == set(), "what is there again is not missing"
    assert report(centers, NOW + 10 * DAY) == 1, "and that is reported too"
    assert alarms(centers) == ["withheld"], "our own witness has missed it for too long"


def test_what_its_own_center_reports_accuses_nobody(centers: TwoCenters) -> None:
    for name in ("europe", "asia"):
        run = centers.publish(name)
    (centers.root / "asia/store" / f"{run.folder()}comparison-1.dsse.json").unlink()
    assert report(centers, NOW, by="asia") == 0


def test_who_cannot_be_read_is_reported_by_nobody(centers: TwoCenters) -> None:
    for name in ("europe", "asia"):
        centers.publish(name)
    (centers.root / "asia/store").rename(centers.root / "asia/gone")
    assert report(centers, NOW) == 0


@pytest.mark.parametrize(("cleared", "why"), [(False, "missing"), (True, "silent")])
def test_another_process_does_not_make_a_missing_mismatch_forgotten(
    centers: TwoCenters, *, cleared: bool, why: str
) -> None:
    """It has fetched an older checkpoint of the log, or clears what is kept of it."""
    for name in ("europe", "asia"):
        centers.publish(name)
    session = centers.session("europe")
    policy = session.consensus_view(NOW).policy.policy
    log = LogIdentity.of(policy.center("asia").log.key, *policy.witness_keys("asia"))
    slow = LogReader(DirectoryStore(centers.root / "asia/store"), log)
    assert slow.size
    differs = {FILE: MadeUpFile.different(CONTENT, b"other")}
    run = centers.publish("asia", run=LATER, files=differs)
    for record in (centers.root / "asia/store" / run.folder()).glob("*.dsse.json"):
        record.unlink()
    view = session.consensus_view(NOW)
    logs = read_logs(view, [RELEASE])
    folder = session.center.home / "cache" / f"logs-{os.geteuid()}"
    other = KeptLogs(folder).of(policy.center("asia").log.key)
    if cleared:
        other.clear()
    else:
        with suppress(UnreachableError):
            other.read(slow)
    found = join_release(view, RELEASE, logs=logs).consensus
    assert str(found.artefacts[0].result) == "PENDING"
    assert ("asia", why) in set(reasons(found))
