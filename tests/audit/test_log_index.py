"""Reading the logs of other centers: altered, missing, unreachable, too large for the cache."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpFile
from pipelines.audit.kept_logs import KeptLogs
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import UnreachableError
from pipelines.center.keys import center_key
from pipelines.consensus.summaries import check_summary
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.log.errors import LogError
from pipelines.log.tiles import CHECKPOINT
from pipelines.storage.directory import DirectoryStore
from tests.consensus.two_centers import NAMES, TwoCenters
from tests.consensus.world import CONTENT, FILE, RELEASE
from tests.fakes.store import MemoryStore


def test_whoever_checks_summaries_reads_no_leaf_of_a_log_twice(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    _, told = centers.run("--publish")
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    (name,) = (n for n in told["published"] if n.startswith("public/consensus"))
    store = DirectoryStore(centers.root / "europe" / "store")
    summary = read_statement(Envelope.from_bytes(store.get(name, 1 << 20)).payload)
    assert isinstance(summary, SummaryStatement)
    check_summary(view, summary, datetime.now(UTC))
    for bundle in (centers.root / "asia/store/public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    check_summary(view, summary, datetime.now(UTC))
    with pytest.raises(RefusedError):
        check_summary(replace(view, kept=KeptLogs()), summary, datetime.now(UTC))


def test_what_a_peer_has_logged_and_shows_no_more_takes_its_match_away(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    other = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
    run = centers.publish("asia", run="20260103T030405Z-00000003", files=other)
    assert [a["consensus"] for a in centers.run()[1]["artefacts"]] == ["SPLIT"]
    for record in run.envelopes(center_key(centers.center("asia"))):
        (centers.root / "asia" / "store" / (run.folder() + record)).unlink()
    code, told = centers.run()
    assert code == 2
    assert [a["consensus"] for a in told["artefacts"]] == ["PENDING"]
    assert [o["why"] for o in told["counted_out"]] == ["missing"]


def test_a_log_that_was_altered_silences_its_center(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    note = centers.root / "asia" / "store" / CHECKPOINT
    note.chmod(0o644)
    note.write_bytes(note.read_bytes().replace(b"\n", b"\n\n", 1))
    code, told = centers.run()
    assert code == 2
    assert ("asia", "log-broken") in {(o["center"], o["why"]) for o in told["counted_out"]}


def test_a_log_that_is_not_there_has_no_statements(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    (centers.root / "asia" / "store" / CHECKPOINT).unlink()
    code, told = centers.run()
    assert code == 2
    assert ("asia", "log-broken") in {(o["center"], o["why"]) for o in told["counted_out"]}


def test_a_log_that_is_broken_is_read_once(centers: TwoCenters) -> None:
    centers.publish("asia")
    store = MemoryStore()
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    logs = LogIndex({"asia": store}, view.policy.policy)
    for _ in range(3):
        with pytest.raises(LogError):
            logs.index_of("asia", Digest.of(b""))
    assert len(store.calls) == 1


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
def test_a_log_that_cannot_be_read_is_silence(centers: TwoCenters, error: OSError | None) -> None:
    store = MemoryStore()
    store.fail_on("get", error=error)
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    logs = LogIndex({"asia": store}, view.policy.policy)
    for _ in range(3):
        with pytest.raises(UnreachableError):
            logs.about("asia", str(RELEASE))
    assert len(store.calls) == 1


def test_a_log_that_is_too_large_is_silence(
    centers: TwoCenters, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = centers.publish("asia")
    store = DirectoryStore(centers.root / "asia" / "store")
    policy = centers.session("europe").consensus_view(datetime.now(UTC)).policy.policy
    envelopes = run.envelopes(center_key(centers.center("asia"))).values()
    for most, silent in ((len(envelopes), True), (len(envelopes) + 1, False)):  # the commitment
        monkeypatch.setattr("pipelines.audit.kept_logs.MAX_LEAVES", most)
        logs = LogIndex({"asia": store}, policy)
        if silent:
            with pytest.raises(UnreachableError, match="too large"):
                logs.about("asia", str(RELEASE))
        else:
            assert sorted(logs.index_of("asia", e.digest()) or 0 for e in envelopes) == [1, 2, 3]


def test_of_a_center_that_has_no_source_nothing_is_logged(centers: TwoCenters) -> None:
    policy = centers.session("europe").consensus_view(datetime.now(UTC)).policy.policy
    assert LogIndex({}, policy).index_of("asia", Digest.of(b"")) is None
    empty = LogIndex({"asia": DirectoryStore(centers.root / "none")}, policy)
    with pytest.raises(LogError):
        empty.index_of("asia", Digest.of(b""))
