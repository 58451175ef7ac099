"""Logs of other centers as one reads them: altered, gone, silent, too large to be remembered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from builders.core.digest import Digest
from builders.core.errors import NotFoundError
from infra.bench.madeup import MadeUpFile
from pipelines.center.keys import center_key
from pipelines.consensus.logged import LogIndexes
from pipelines.consensus.remembered import LogMemory
from pipelines.consensus.silence import Asked
from pipelines.consensus.verified import SilentError
from pipelines.consensus.view import check_summary
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.signed import statement_of
from pipelines.evidence.statements import SummaryStatement
from pipelines.log.errors import LogError
from pipelines.log.note import MAX_NOTE
from pipelines.log.tiles import CHECKPOINT
from pipelines.storage.directory import DirectoryStore
from tests.consensus.table import NAMES, Table
from tests.consensus.world import CONTENT, FILE, RELEASE
from tests.fakes.store import MemoryStore


def test_whoever_checks_summaries_reads_no_leaf_of_a_log_twice(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    _, told = table.run("--publish")
    view, memory = table.session("europe").consensus_view(datetime.now(UTC)), LogMemory()
    (name,) = (n for n in told["published"] if n.startswith("public/consensus"))
    store = DirectoryStore(table.root / "europe" / "store")
    summary = statement_of(Envelope.from_bytes(store.get(name, 1 << 20)))
    assert isinstance(summary, SummaryStatement)
    check_summary(view, summary, datetime.now(UTC), memory=memory)
    for bundle in (table.root / "asia/store/public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    check_summary(view, summary, datetime.now(UTC), memory=memory)
    with pytest.raises(RefusedError):
        check_summary(view, summary, datetime.now(UTC), memory=LogMemory())


def test_what_a_peer_has_logged_and_shows_no_more_takes_its_match_away(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    other = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
    run = table.publish("asia", run="20260103T030405Z-00000003", files=other)
    assert [a["consensus"] for a in table.run()[1]["artefacts"]] == ["SPLIT"]
    for record in run.envelopes(center_key(table.center("asia"))):
        (table.root / "asia" / "store" / (run.folder() + record)).unlink()
    code, told = table.run()
    assert code == 2
    assert [a["consensus"] for a in told["artefacts"]] == ["PENDING"]
    assert [o["why"] for o in told["counted_out"]] == ["withheld"]


def test_a_log_that_was_altered_silences_its_center(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    note = table.root / "asia" / "store" / CHECKPOINT
    note.chmod(0o644)
    note.write_bytes(note.read_bytes().replace(b"\n", b"\n\n", 1))
    code, told = table.run()
    assert code == 2
    assert ("asia", "log-broken") in {(o["center"], o["why"]) for o in told["counted_out"]}


def test_a_log_that_is_not_there_has_no_statements(table: Table) -> None:
    for name in NAMES:
        table.publish(name)
    (table.root / "asia" / "store" / CHECKPOINT).unlink()
    code, told = table.run()
    assert code == 2
    assert ("asia", "log-broken") in {(o["center"], o["why"]) for o in told["counted_out"]}


def test_a_peer_that_did_not_answer_once_is_not_asked_again() -> None:
    store = MemoryStore()
    asked = Asked(store)
    store.put_record("public/x/y", b"z")
    assert (asked.get("public/x/y", 9), list(asked.list("public/x/"))) == (b"z", ["public/x/y"])
    with pytest.raises(NotFoundError):
        asked.get("public/x/n", 9)
    store.fail_on("list", times=1)
    for _ in range(3):
        with pytest.raises(SilentError):
            list(asked.list("public/x/"))
        with pytest.raises(SilentError):
            asked.get("public/x/y", 9)
    assert [operation for operation, _ in store.calls].count("list") == 2


def test_a_log_that_is_broken_is_read_once(table: Table) -> None:
    table.publish("asia")
    store = MemoryStore()
    view = table.session("europe").consensus_view(datetime.now(UTC))
    logs = LogIndexes({"asia": store}, view.policy.policy)
    for _ in range(3):
        with pytest.raises(LogError):
            logs("asia", Digest.of(b""))
    assert len(store.calls) == 1


def test_a_log_that_cannot_be_read_is_silence(table: Table) -> None:
    store, memory = MemoryStore(), LogMemory()
    store.fail_on("get")
    view = table.session("europe").consensus_view(datetime.now(UTC))
    for logs in (
        LogIndexes({"asia": store}, view.policy.policy),
        LogIndexes({"asia": store}, view.policy.policy, memory=memory),
    ):
        store.calls.clear()
        for _ in range(3):
            with pytest.raises(SilentError):
                logs.about("asia", str(RELEASE))
        assert len(store.calls) == 1


@pytest.mark.parametrize(("room", "again"), [(0, True), (-1, False)])
def test_a_log_that_is_too_large_for_a_memory_is_read_and_not_taken_in(
    table: Table, room: int, *, again: bool
) -> None:
    run = table.publish("asia")
    folder = table.root / "asia" / "store"
    policy = table.session("europe").consensus_view(datetime.now(UTC)).policy.policy
    envelopes = run.envelopes(center_key(table.center("asia"))).values()
    memory = LogMemory(limit=len(envelopes) + room)
    logs = LogIndexes({"asia": DirectoryStore(folder)}, policy, memory=memory)
    assert sorted(logs("asia", e.digest()) or 0 for e in envelopes) == [0, 1, 2]
    for bundle in (folder / "public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    logs = LogIndexes({"asia": DirectoryStore(folder)}, policy, memory=memory)
    if again:
        assert sorted(logs("asia", e.digest()) or 0 for e in envelopes) == [0, 1, 2]
    else:
        with pytest.raises(LogError):
            logs.about("asia", str(RELEASE))


def test_a_log_that_is_too_large_for_a_memory_drives_no_other_out(table: Table) -> None:
    small = table.publish("europe")
    for run in ("20260102T030405Z-00000002", "20260103T030405Z-00000003"):
        table.publish("asia", run=run)
    stores = {name: DirectoryStore(table.root / name / "store") for name in NAMES}
    policy = table.session("europe").consensus_view(datetime.now(UTC)).policy.policy
    memory = LogMemory(limit=len(small.envelopes(center_key(table.center("europe")))))
    before = LogIndexes(stores, policy, memory=memory)
    told = [before.about(name, str(RELEASE)) for name in NAMES]
    assert [len(one) for one in told] == [2, 4]
    for bundle in (table.root / "europe/store/public/log/tile/entries/000.p").iterdir():
        bundle.unlink()
    after = LogIndexes(stores, policy, memory=memory)
    assert [after.about(name, str(RELEASE)) for name in NAMES] == told


def test_only_the_releases_that_are_asked_about_are_kept(table: Table) -> None:
    run = table.publish("asia")
    store = DirectoryStore(table.root / "asia" / "store")
    view = table.session("europe").consensus_view(datetime.now(UTC))
    envelope = next(iter(run.envelopes(center_key(table.center("asia"))).values()))
    other = ReleaseName(vendor="acme", product="other", version="1.0")
    for releases, expected in (([RELEASE], True), ([other], False), (None, True)):
        logs = LogIndexes({"asia": store}, view.policy.policy, releases)
        assert (logs("asia", envelope.digest()) is not None) is expected
    assert LogIndexes({}, view.policy.policy)("asia", envelope.digest()) is None
    empty = LogIndexes({"asia": DirectoryStore(table.root / "none")}, view.policy.policy)
    with pytest.raises(LogError):
        empty("asia", envelope.digest())
    assert store.get(CHECKPOINT, MAX_NOTE)
