"""Whether a log is whole: what skips, is missing, was never logged, or is older than it was."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from builders.core.digest import Digest
from pipelines.evidence.statements.log_status import Head, Heartbeat, Tree
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.evidence.statements.statement import DigestSet, Statement
from pipelines.log import completeness
from pipelines.log.completeness import (
    MAX_GAPS,
    GapKind,
    LogReport,
    StoredStatement,
    verify_completeness,
)
from pipelines.log.errors import LogError
from pipelines.log.leaf import FIRST, CommitmentEntry, StatementEntry, StatementLeaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.writer import LogWriter
from tests.evidence.examples import NOW, STATEMENTS, heartbeat
from tests.fakes.store import MemoryStore
from tests.log.logs import entries, entry, reader
from tests.log.raw import write_log

RELEASE = "acme/rules@1.10"
RUN = "20260102T030405Z-0a1b2c3d"
CLAIM, SEAL = Digest.of(b"claim"), Digest.of(b"seal")


def attempt(*, claim: Digest = CLAIM, seal: Digest | None = SEAL) -> AttemptStatement:
    example = next(s for s in STATEMENTS.values() if isinstance(s, AttemptStatement))
    told = example.predicate.model_copy(
        update={
            "claim": DigestSet(sha256=claim),
            "seal": None if seal is None else DigestSet(sha256=seal),
        }
    )
    return example.model_copy(update={"predicate": told})


def stored(statement: Statement, *, run: str | None = RUN) -> StoredStatement:
    return StoredStatement(
        key=f"public/releases/acme/rules/1.10/east/{run}/attempt-1.dsse.json",
        identity=f"pae:{statement.digest()}",
        statement=statement,
        run=run,
    )


def leaf_of(statement: Statement) -> StatementEntry:
    return StatementEntry(
        center="east",
        release=RELEASE,
        pae=statement.digest(),
        keyid=Digest.of(b"key").hex,
        predicate_type=statement.predicate_type,
    )


def commitment(*, claim: Digest = CLAIM, seal: Digest = SEAL) -> CommitmentEntry:
    return CommitmentEntry(center="east", release=RELEASE, run=RUN, claim=claim, seal=seal)


def checked(
    store: MemoryStore,
    records: Iterable[StoredStatement] | None = None,
    beat: Heartbeat | None = None,
) -> LogReport:
    return verify_completeness(reader(store), stored=records, heartbeat=beat)


def kinds(found: LogReport) -> list[GapKind]:
    return [gap.kind for gap in found.gaps]


def test_a_whole_log_has_no_gaps(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(600)))
    found = checked(store)
    assert (found.leaves, found.releases, found.gaps, found.statements) == (600, 5, [], None)


def test_a_run_as_it_should_be(store: MemoryStore, log: LogWriter) -> None:
    statement = attempt()
    log.append([commitment()])
    log.append([leaf_of(statement)])
    found = checked(store, [stored(statement)])
    assert (found.gaps, found.statements) == ([], 1)


def test_a_statement_that_the_store_lost_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append([commitment(), leaf_of(attempt())])
    found = checked(store, [])
    assert kinds(found) == [GapKind.MISSING]
    assert (found.gaps[0].about, found.gaps[0].index) == (RELEASE, 1)


def test_a_statement_that_was_never_logged_is_named(store: MemoryStore, log: LogWriter) -> None:
    log.append([commitment()])
    found = checked(store, [stored(attempt())])
    assert kinds(found) == [GapKind.UNLOGGED]
    assert found.gaps[0].about.endswith("attempt-1.dsse.json")


def test_every_statement_is_compared_and_every_gap_is_in_the_document(
    store: MemoryStore, log: LogWriter
) -> None:
    """One statement is not logged, one is logged before its commitment, and one is lost."""
    statement, other = attempt(), attempt(claim=Digest.of(b"other"))
    log.append([leaf_of(statement), entry(0)])
    log.append([commitment()])
    found = checked(store, [stored(other), stored(statement)])
    assert kinds(found) == [GapKind.UNLOGGED, GapKind.UNCOMMITTED, GapKind.MISSING]
    document = found.to_dict()
    assert [gap["kind"] for gap in document["gaps"]] == ["unlogged", "uncommitted", "missing"]
    assert (document["leaves"], document["statements"], document["more"]) == (3, 2, 0)


def test_a_look_before_the_commitment_is_named(store: MemoryStore, log: LogWriter) -> None:
    statement = attempt()
    log.append([leaf_of(statement)])
    log.append([commitment()])
    found = checked(store, [stored(statement)])
    assert kinds(found) == [GapKind.UNCOMMITTED]
    assert "after the statement" in found.gaps[0].message


def test_a_build_without_a_commitment_is_named(store: MemoryStore, log: LogWriter) -> None:
    statement = attempt()
    log.append([leaf_of(statement)])
    assert kinds(checked(store, [stored(statement)])) == [GapKind.UNCOMMITTED]


def test_a_comparison_comes_after_the_commitment_of_its_run(
    store: MemoryStore, log: LogWriter
) -> None:
    comparison = STATEMENTS["comparison"]
    log.append([commitment()])
    log.append([leaf_of(comparison)])
    assert checked(store, [stored(comparison)]).gaps == []


def test_what_is_of_no_run_needs_no_commitment(store: MemoryStore, log: LogWriter) -> None:
    statement = attempt()
    log.append([leaf_of(statement)])
    assert checked(store, [stored(statement, run=None)]).gaps == []


def test_a_failure_needs_no_commitment(store: MemoryStore, log: LogWriter) -> None:
    statement = attempt(seal=None)
    log.append([leaf_of(statement)])
    assert checked(store, [stored(statement)]).gaps == []


@pytest.mark.parametrize(
    "other", [commitment(claim=Digest.of(b"x")), commitment(seal=Digest.of(b"x"))]
)
def test_a_commitment_to_something_else_is_named(
    store: MemoryStore, log: LogWriter, other: CommitmentEntry
) -> None:
    statement = attempt()
    log.append([other, leaf_of(statement)])
    found = checked(store, [stored(statement)])
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
    monkeypatch.setattr(completeness, "_BATCH", 2)
    leaves = list[StatementLeaf]()
    for sequence in range(4):
        previous = _hash(leaves[-1]) if leaves else FIRST
        leaves.append(_leaf(sequence, previous, pae=b"%d" % (sequence % 2)))
    write_log(store, leaves)
    found = checked(store)
    assert [(gap.kind, gap.index) for gap in found.gaps] == [(GapKind.TWICE, 2), (GapKind.TWICE, 3)]


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
    found = checked(store, [])
    assert len(found.gaps) == MAX_GAPS
    assert found.more == 1600 - 400 - MAX_GAPS


def test_progress_is_told(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(300)))
    told: list[int] = []
    verify_completeness(reader(store), count=told.append)
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
