"""Reading the logs of other centers: altered, missing, unreachable, too large for the cache."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpFile
from pipelines.audit.log_index import LogCache, LogIndex
from pipelines.audit.source import UnreachableError
from pipelines.center.keys import center_key
from pipelines.consensus.summaries import check_summary
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.consensus_results import SummaryStatement
from pipelines.evidence.statements.reader import read_statement
from pipelines.log.errors import LogError
from pipelines.log.note import MAX_NOTE
from pipelines.log.tiles import CHECKPOINT
from pipelines.storage.directory import DirectoryStore
from tests.consensus.two_centers import NAMES, TwoCenters
from tests.consensus.world import CONTENT, FILE, RELEASE
from tests.fakes.store import MemoryStore


def test_whoever_checks_summaries_reads_no_leaf_of_a_log_twice(centers: TwoCenters) -> None:
    for name in NAMES:
        centers.publish(name)
    _, told = centers.run("--publish")
    view, cache = centers.session("europe").consensus_view(datetime.now(UTC)), LogCache()
    (name,) = (n for n in told["published"] if n.startswith("public/consensus"))
    store = DirectoryStore(centers.root / "europe" / "store")
    summary = read_statement(Envelope.from_bytes(store.get(name, 1 << 20)).payload)
    assert isinstance(summary, SummaryStatement)
    check_summary(view, summary, datetime.now(UTC), cache=cache)
    for bundle in (centers.root / "asia/store/public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    check_summary(view, summary, datetime.now(UTC), cache=cache)
    with pytest.raises(RefusedError):
        check_summary(view, summary, datetime.now(UTC), cache=LogCache())


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
    assert [o["why"] for o in told["counted_out"]] == ["withheld"]


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
    store, cache = MemoryStore(), LogCache()
    store.fail_on("get", error=error)
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    for logs in (
        LogIndex({"asia": store}, view.policy.policy),
        LogIndex({"asia": store}, view.policy.policy, cache=cache),
    ):
        store.calls.clear()
        for _ in range(3):
            with pytest.raises(UnreachableError):
                logs.about("asia", str(RELEASE))
        assert len(store.calls) == 1


@pytest.mark.parametrize(("room", "again"), [(0, True), (-1, False)])
def test_a_log_that_is_too_large_for_a_memory_is_read_and_not_taken_in(
    centers: TwoCenters, room: int, *, again: bool
) -> None:
    run = centers.publish("asia")
    folder = centers.root / "asia" / "store"
    policy = centers.session("europe").consensus_view(datetime.now(UTC)).policy.policy
    envelopes = run.envelopes(center_key(centers.center("asia"))).values()
    cache = LogCache(limit=len(envelopes) + 1 + room)  # they, and the commitment
    logs = LogIndex({"asia": DirectoryStore(folder)}, policy, cache=cache)
    assert sorted(logs.index_of("asia", e.digest()) or 0 for e in envelopes) == [1, 2, 3]
    for bundle in (folder / "public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    logs = LogIndex({"asia": DirectoryStore(folder)}, policy, cache=cache)
    if again:
        assert sorted(logs.index_of("asia", e.digest()) or 0 for e in envelopes) == [1, 2, 3]
    else:
        with pytest.raises(LogError):
            logs.about("asia", str(RELEASE))


def test_a_log_that_is_too_large_for_a_memory_drives_no_other_out(centers: TwoCenters) -> None:
    small = centers.publish("europe")
    for run in ("20260102T030405Z-00000002", "20260103T030405Z-00000003"):
        centers.publish("asia", run=run)
    stores = {name: DirectoryStore(centers.root / name / "store") for name in NAMES}
    policy = centers.session("europe").consensus_view(datetime.now(UTC)).policy.policy
    cache = LogCache(limit=len(small.envelopes(center_key(centers.center("europe")))) + 1)
    before = LogIndex(stores, policy, cache=cache)
    told = [before.about(name, str(RELEASE)) for name in NAMES]
    assert [len(one.results) for one in told] == [2, 4]
    for bundle in (centers.root / "europe/store/public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    after = LogIndex(stores, policy, cache=cache)
    assert [after.about(name, str(RELEASE)) for name in NAMES] == told


def test_only_the_releases_that_are_asked_about_are_kept(centers: TwoCenters) -> None:
    run = centers.publish("asia")
    store = DirectoryStore(centers.root / "asia" / "store")
    view = centers.session("europe").consensus_view(datetime.now(UTC))
    envelope = next(iter(run.envelopes(center_key(centers.center("asia"))).values()))
    other = ReleaseName(vendor="acme", product="other", version="1.0")
    for releases, expected in (([RELEASE], True), ([other], False), (None, True)):
        logs = LogIndex({"asia": store}, view.policy.policy, releases)
        assert (logs.index_of("asia", envelope.digest()) is not None) is expected
    assert LogIndex({}, view.policy.policy).index_of("asia", envelope.digest()) is None
    empty = LogIndex({"asia": DirectoryStore(centers.root / "none")}, view.policy.policy)
    with pytest.raises(LogError):
        empty.index_of("asia", envelope.digest())
    assert store.get(CHECKPOINT, MAX_NOTE)
