"""Whether a log is whole: what skips, is missing, was never logged, or is older than it was."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import ScratchError
from infra.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun
from pipelines.audit import log_audit
from pipelines.audit.log_audit import MAX_GAPS, GapKind, LogReport, audit_log
from pipelines.audit.source import Source
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.statements.log_status import Head, Heartbeat, Tree
from pipelines.evidence.statements.statement import DigestSet
from pipelines.log.errors import LogError
from pipelines.log.leaf import FIRST, StatementEntry, StatementLeaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.writer import LogWriter
from pipelines.policy import PolicyCenter
from pipelines.policy.model import CenterKey, PolicyLog
from tests.evidence.examples import NOW, heartbeat
from tests.fakes.store import MemoryStore
from tests.log.conftest import home, log, store
from tests.log.keys import ORIGIN
from tests.log.logs import KEY, entries, entry, reader
from tests.log.raw import write_log

__all__ = ["home", "log", "store"]

RELEASE = "acme/rules@1.10"
SIGNER = MadeUpKey("east")
BUILDER = "https://samebits.example/centers/east/builder"
EAST = PolicyCenter(
    id="east",
    operator="east",
    region="eu",
    builder=BUILDER,
    verifier=BUILDER,
    log=PolicyLog(origin=ORIGIN, key=KEY),
    keys=(CenterKey(key=SIGNER.public),),
)
MADE = MadeUpRun(
    center="east",
    builder=BUILDER,
    release=RELEASE,
    run="20260102T030405Z-0a1b2c3d",
    files={"rules.bin": MadeUpFile.identical(b"rules")},
)


def shown(store: MemoryStore, run: MadeUpRun, folder: str | None = None) -> list[StatementEntry]:
    """Put the records of a run into a store, and return what is to be logged of them."""
    envelopes = run.envelopes(SIGNER)
    for name, envelope in envelopes.items():
        store.put_record((folder or run.folder()) + name, envelope.to_bytes())
    return [leaf_of(envelope, run) for envelope in envelopes.values()]


def leaf_of(envelope: Envelope, run: MadeUpRun = MADE) -> StatementEntry:
    return StatementEntry(
        center="east",
        release=run.release,
        pae=envelope.digest(),
        keyid=SIGNER.public.keyid,
        predicate_type=json.loads(envelope.payload)["predicateType"],
    )


def checked(
    store: MemoryStore, *, records: bool = False, beat: Heartbeat | None = None
) -> LogReport:
    source = Source(center="east", store=store) if records else None
    return audit_log(reader(store), EAST, source=source, heartbeat=beat)


def kinds(found: LogReport) -> list[GapKind]:
    return [gap.kind for gap in found.gaps]


def test_a_whole_log_has_no_gaps(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(600)))
    found = checked(store)
    assert (found.leaves, found.releases, found.gaps, found.statements) == (600, 5, [], None)


def test_a_run_as_it_should_be(store: MemoryStore, log: LogWriter) -> None:
    log.append([MADE.commitment()])
    log.append(shown(store, MADE))
    found = checked(store, records=True)
    assert (found.gaps, found.statements) == ([], 3)


def test_a_statement_that_the_store_lost_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append([MADE.commitment(), *shown(store, MADE)])
    del store.objects[f"{MADE.folder()}attempt-1.dsse.json"]
    found = checked(store, records=True)
    assert kinds(found) == [GapKind.MISSING]
    assert (found.gaps[0].about, found.gaps[0].index) == (RELEASE, 3)


def test_a_statement_that_was_never_logged_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append([MADE.commitment(), *shown(store, MADE)[:2]])
    found = checked(store, records=True)
    assert kinds(found) == [GapKind.UNLOGGED]
    assert found.gaps[0].about.endswith("attempt-1.dsse.json")


def test_a_statement_in_the_folder_of_another_run_hides_it(
    store: MemoryStore, log: LogWriter
) -> None:
    """Its leaf counts as one without a statement, since nobody looks for it there."""
    elsewhere = replace(MADE, run="20260103T030405Z-0a1b2c3d").folder()
    log.append([MADE.commitment(), *shown(store, MADE, elsewhere)])
    found = checked(store, records=True)
    assert kinds(found) == [GapKind.MISPLACED] * 3 + [GapKind.MISSING] * 3
    assert found.gaps[0].about == f"{elsewhere}attempt-1.dsse.json"


@pytest.mark.parametrize("changes", [{"release": "acme/rules@1.9"}, {"predicate_type": "x"}])
def test_a_leaf_that_names_another_release_or_kind_than_its_statement_is_named(
    store: MemoryStore, log: LogWriter, changes: dict[str, Any]
) -> None:
    *others, last = shown(store, MADE)
    log.append([MADE.commitment(), *others, replace(last, **changes)])
    (gap,) = checked(store, records=True).gaps
    assert (gap.kind, gap.index) == (GapKind.MISLABELLED, 3)
    assert gap.about == f"{MADE.folder()}{list(MADE.envelopes(SIGNER))[-1]}"


def test_a_statement_of_a_run_outside_of_all_runs_is_misplaced(
    store: MemoryStore, log: LogWriter
) -> None:
    log.append([MADE.commitment(), *shown(store, MADE, "public/heartbeats/east/")])
    assert kinds(checked(store, records=True)) == [GapKind.MISPLACED] * 3 + [GapKind.MISSING] * 3


def test_a_record_that_the_center_has_not_signed_shows_no_leaf(
    store: MemoryStore, log: LogWriter
) -> None:
    """Under its key id, with the signature of another: as good as not there."""
    log.append([MADE.commitment(), *shown(store, MADE)])
    key = f"{MADE.folder()}attempt-1.dsse.json"
    envelope = Envelope.from_bytes(store.get(key, 1 << 20))
    forged = sign_envelope(envelope.payload, MadeUpKey("mallory")).signatures[0]
    forged = forged.model_copy(update={"keyid": SIGNER.public.keyid})
    del store.objects[key]
    store.put_record(key, envelope.model_copy(update={"signatures": (forged,)}).to_bytes())
    found = checked(store, records=True)
    assert (kinds(found), found.statements) == ([GapKind.MISSING], 2)


def test_records_of_others_are_none_of_the_log(store: MemoryStore, log: LogWriter) -> None:
    log.append([MADE.commitment(), *shown(store, MADE)])
    west = replace(MADE, center="west", builder="https://samebits.example/west")
    shown(store, west)
    for name, envelope in replace(MADE, release="acme/x@1").envelopes(MadeUpKey("west")).items():
        store.put_record(f"public/requests/east/{name}", envelope.to_bytes())
    found = checked(store, records=True)
    assert (found.gaps, found.statements) == ([], 3)


def test_every_statement_is_compared_and_every_gap_is_in_the_document(
    store: MemoryStore, log: LogWriter
) -> None:
    """One run is not logged, one is logged before its commitment, and one statement is lost."""
    other = replace(MADE, run="20260101T030405Z-0a1b2c3d")
    log.append([other.commitment()])
    shown(store, other)
    log.append([*shown(store, MADE), entry(0)])
    log.append([MADE.commitment()])
    found = checked(store, records=True)
    document = found.to_dict()
    assert [gap["kind"] for gap in document["gaps"]] == [
        *["unlogged"] * 3,
        "uncommitted",
        "missing",
    ]
    assert (document["leaves"], document["statements"], document["more"]) == (6, 6, 0)


def test_a_look_before_the_commitment_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append(shown(store, MADE))
    log.append([MADE.commitment()])
    found = checked(store, records=True)
    assert kinds(found) == [GapKind.UNCOMMITTED]
    assert (found.gaps[0].about, found.gaps[0].index) == (MADE.folder(), 0)
    assert "after its statements" in found.gaps[0].message


def test_a_build_without_a_commitment_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append(shown(store, MADE))
    assert kinds(checked(store, records=True)) == [GapKind.UNCOMMITTED]


def test_a_failure_needs_no_commitment(store: MemoryStore, log: LogWriter) -> None:
    failed = MadeUpFile(published=b"x", served=None, built=None, verdict=Verdict.NOT_CHECKED)
    run = replace(MADE, outcome=Outcome.BUILD_FAILED, files={"rules.bin": failed})
    log.append(shown(store, run))
    assert checked(store, records=True).gaps == []


@pytest.mark.parametrize("other", [{"claim": Digest.of(b"x")}, {"seal": Digest.of(b"x")}])
def test_a_commitment_to_something_else_is_named(
    store: MemoryStore, log: LogWriter, other: dict[str, Any]
) -> None:
    log.append([replace(MADE.commitment(), **other), *shown(store, MADE)])
    found = checked(store, records=True)
    assert kinds(found) == [GapKind.UNCOMMITTED]
    assert "another claim or seal" in found.gaps[0].message


def test_a_sequence_that_skips_is_named(store: MemoryStore) -> None:
    write_log(store, [_leaf(0, FIRST), _leaf(2, _hash(_leaf(0, FIRST)))])
    found = checked(store)
    assert kinds(found) == [GapKind.SKIPPED]
    assert (found.gaps[0].index, found.gaps[0].about) == (1, RELEASE)


def test_a_broken_chain_is_named(store: MemoryStore) -> None:
    write_log(store, [_leaf(0, FIRST), _leaf(1, FIRST)])
    assert kinds(checked(store)) == [GapKind.UNCHAINED]


def test_a_leaf_that_is_in_the_log_twice_is_named(store: MemoryStore) -> None:
    first = _leaf(0, FIRST, pae=b"same")
    write_log(store, [first, _leaf(1, _hash(first), pae=b"same")])
    assert kinds(checked(store)) == [GapKind.TWICE]


def test_leaves_that_are_all_in_the_log_already_are_named(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole batch of the reading repeats the one before it."""
    monkeypatch.setattr(log_audit, "_BATCH", 2)
    leaves = list[StatementLeaf]()
    for sequence in range(4):
        previous = _hash(leaves[-1]) if leaves else FIRST
        leaves.append(_leaf(sequence, previous, pae=b"%d" % (sequence % 2)))
    write_log(store, leaves)
    found = checked(store)
    assert [(gap.kind, gap.index) for gap in found.gaps] == [(GapKind.TWICE, 2), (GapKind.TWICE, 3)]


def test_a_full_disk_is_told_as_such(
    store: MemoryStore, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def full(path: str) -> sqlite3.Connection:
        database = connect(path)
        database.execute("PRAGMA max_page_count = 1")
        return database

    log.append(entries(range(10)))
    monkeypatch.setattr("pipelines.audit.log_audit.sqlite3.connect", full)
    with pytest.raises(ScratchError, match=r"got database or disk is full\. Free space"):
        checked(store)


def test_a_log_shorter_than_its_heartbeat_said_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(10)))
    root = reader(store).checkpoint.checkpoint.root
    beat = _beat(size=11, root=root, heads=[])
    assert kinds(checked(store, beat=beat)) == [GapKind.STALE]


def test_a_head_older_than_the_heartbeat_said_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append([entry(0, release=RELEASE), entry(1, release="acme/other@1")])
    root = reader(store).checkpoint.checkpoint.root
    head = Head(release=RELEASE, sequence=1, newest=DigestSet(sha256=Digest.of(b"x")))
    found = checked(store, beat=_beat(size=2, root=root, heads=[head]))
    assert kinds(found) == [GapKind.STALE]
    assert "sequence 0" in found.gaps[0].message


def test_another_tree_than_the_heartbeat_said_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(10)))
    found = checked(store, beat=_beat(size=5, root=bytes(32), heads=[]))
    assert kinds(found) == [GapKind.ALTERED]


def test_a_heartbeat_that_agrees_says_nothing(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(10)))
    heads = [
        Head(release=head.release, sequence=1, newest=DigestSet(sha256=Digest(head.hash)))
        for head in log.heads()
    ]
    beat = _beat(size=10, root=reader(store).tree(10).root, heads=heads)
    assert checked(store, beat=beat).gaps == []
    log.append(entries(range(20)))
    assert checked(store, beat=beat).gaps == []


def test_an_altered_leaf_is_no_gap_but_no_log(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(10)))
    [key] = [k for k in store.objects if "/entries/" in k]
    data = store.objects[key][0]
    store.objects[key][0] = data.replace(b"vendor", b"wendor", 1)
    with pytest.raises(LogError):
        checked(store)


def test_gaps_are_told_up_to_a_bound(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(1600)))
    found = checked(store, records=True)
    assert len(found.gaps) == MAX_GAPS
    assert found.more == 1600 - 400 - MAX_GAPS


def test_progress_is_told(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(300)))
    told: list[int] = []
    audit_log(reader(store), EAST, count=told.append)
    assert told[-1] == 300


def _leaf(sequence: int, previous: Digest, *, pae: bytes = b"") -> StatementLeaf:
    return StatementLeaf(
        center="east",
        release=RELEASE,
        sequence=sequence,
        previous=previous,
        pae=Digest.of(pae or b"%d" % sequence),
        keyid="k",
        predicate_type="https://samebits.example/attempt/v1",
    )


def _hash(leaf: StatementLeaf) -> Digest:
    return Digest(leaf_hash(leaf.to_bytes()).hex())


def _beat(*, size: int, root: bytes, heads: list[Head]) -> Heartbeat:
    tree = Tree(size=size, root=Digest(root.hex()))
    return heartbeat(center="east", log=tree, heads=heads, releases=len(heads), now=NOW).predicate
