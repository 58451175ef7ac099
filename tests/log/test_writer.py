"""A center's own log: every entry once, in its place; what is not what was signed is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import UsageError
from pipelines.log import writer
from pipelines.log.batch import batch_key
from pipelines.log.errors import LogError
from pipelines.log.leaf import FIRST, CommitmentEntry, CommitmentLeaf, StatementEntry, StatementLeaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.signers import LocalCheckpointSigner
from pipelines.log.tiles import CHECKPOINT, checkpoint_key
from pipelines.log.writer import LogWriter
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import identity
from tests.log.logs import (
    KEY,
    audited,
    entries,
    entry,
    hashed,
    identities,
)


def test_what_is_appended_is_there_in_order(store: MemoryStore, log: LogWriter) -> None:
    done = log.append(entries(range(10)))
    assert (done.start, done.size) == (0, 10)
    assert [placed.index for placed in done.leaves] == list(range(10))
    done = log.append(entries(range(10, 300)))
    assert (done.start, done.size) == (10, 300)
    leaves = audited(store)
    assert identities(leaves) == identities(entries(range(300)))
    assert [placed.leaf for placed in done.leaves] == leaves[10:]


def test_sequence_and_previous_are_those_of_the_release(store: MemoryStore, log: LogWriter) -> None:
    items = [entry(n, release="v/p@1") for n in (0, 3, 4)] + [entry(1, release="v/p@2")]
    log.append(items[:2])
    log.append(items[2:])
    first, commitment, third, other = audited(store)
    assert isinstance(first, StatementLeaf)
    assert isinstance(commitment, CommitmentLeaf)
    assert isinstance(third, StatementLeaf)
    assert isinstance(other, StatementLeaf)
    assert [leaf.sequence for leaf in (first, commitment, third, other)] == [0, 1, 2, 0]
    assert first.previous == other.previous == FIRST
    assert third.previous.hex == hashed(commitment).hex()


def test_the_objects_of_a_batch(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(300)))
    assert store.objects.keys() == {
        "public/log/commit/00000000000000000000",
        "public/log/tile/entries/000",
        "public/log/tile/entries/001.p/44",
        "public/log/tile/0/000",
        "public/log/tile/0/001.p/44",
        "public/log/tile/1/000.p/1",
        "public/log/checkpoints/300",
        "public/log/checkpoint",
    }
    log.append(entries([300]))
    assert batch_key(300) in store.objects
    assert store.get(CHECKPOINT, 1000) == store.get(checkpoint_key(301), 1000)


def test_the_commit_comes_first_and_the_checkpoint_last(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(5)))
    written = [key for operation, key in store.calls if operation == "put"]
    assert written[0] == batch_key(0)
    assert written[-2:] == [checkpoint_key(5), CHECKPOINT]


def test_what_was_written_just_now_is_not_read(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(250)))
    store.calls.clear()
    log.append(entries(range(250, 530)))
    written, read = ({key for op, key in store.calls if op == which} for which in ("put", "get"))
    assert not [key for key in written & read if "/tile/" in key]


def test_what_is_logged_already_is_where_it_was(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(10)))
    done = log.append(entries([3, 12, 0, 11, 12]))
    assert (done.start, done.size) == (10, 12)
    assert [placed.index for placed in done.leaves] == [3, 10, 0, 11, 10]
    assert [placed.leaf.identity for placed in done.leaves] == identities(
        entries([3, 12, 0, 11, 12])
    )
    before = dict(store.objects)
    assert log.append(entries(range(10))).size == 12
    assert log.append([]).size == 12
    assert store.objects == before
    audited(store)


def test_where_entries_are_is_read_once_a_bundle(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(300)))
    store.calls.clear()
    log.append(entries(range(250, 300)))
    read = [key for operation, key in store.calls if operation == "get" and "/entries/" in key]
    assert read == [f"public/log/tile/entries/{name}" for name in ("000", "001.p/44")]


def test_what_is_logged_already_takes_no_room_in_a_batch(
    store: MemoryStore, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_LEAVES", 3)
    log.append(entries(range(2)))
    log.append(entries(range(4)))
    assert [k for k in store.objects if "/commit/" in k] == [batch_key(0), batch_key(2)]


def test_one_identity_says_one_thing(store: MemoryStore, log: LogWriter) -> None:
    statement, commitment = entry(0), entry(3)
    assert isinstance(statement, StatementEntry)
    assert isinstance(commitment, CommitmentEntry)
    other = replace(statement, release="v/other@1")
    with pytest.raises(LogError, match="already has other fields"):
        log.append([statement, other])
    assert not store.objects
    log.append([statement, commitment])
    before = dict(store.objects)
    for changed in (
        other,
        replace(statement, keyid="k"),
        replace(commitment, seal=Digest.of(b"x")),
        replace(commitment, claim=Digest.of(b"x")),
    ):
        with pytest.raises(LogError, match="already has other fields"):
            log.append([entry(9), changed])
    assert store.objects == before


def test_a_long_input_becomes_several_batches(
    store: MemoryStore, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_LEAVES", 1000)
    done = log.append(entries(range(2001)))
    assert done.size == len(done.leaves) == 2001
    commits = [key for key in store.objects if "/commit/" in key]
    assert commits == [batch_key(0), batch_key(1000), batch_key(2000)]
    audited(store)


def test_a_log_without_leaves(store: MemoryStore, log: LogWriter) -> None:
    assert log.append([]).size == 0
    assert log.recover() is None
    assert log.checkpoint() is None
    assert log.publish() is None
    assert log.heads() == ()
    assert log.find(entry(0).identity) is None
    assert not store.objects
    with pytest.raises(LogError, match="no such checkpoint"):
        log.prove(0)


def test_a_leaf_is_proved(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(400)))
    leaf = log.append(entries(range(390, 700))).leaves[0].leaf
    proof = log.prove(390)
    signed = proof.verify(hashed(leaf), identity(KEY))
    assert signed.checkpoint.size == 700
    older = log.prove(390, 400)
    assert older.verify(hashed(leaf), identity(KEY)).checkpoint.size == 400
    with pytest.raises(LogError, match="is not in the tree"):
        proof.verify(leaf_hash(b"x"), identity(KEY))
    for index, size in ((700, None), (400, 400), (0, 399)):
        with pytest.raises(LogError):
            log.prove(index, size)


def test_a_proof_reads_few_tiles(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(700)))
    store.calls.clear()
    log.prove(5)
    assert [key for _, key in store.calls if "/tile/" in key] == ["public/log/tile/0/000"]


def test_heads_and_places_are_known(store: MemoryStore, log: LogWriter) -> None:
    log.append(entries(range(12)))
    leaves = audited(store)
    heads = {head.release: head for head in log.heads()}
    assert sorted(heads) == [f"vendor/product@{n}" for n in range(5)]
    assert heads["vendor/product@1"].index == 11
    assert heads["vendor/product@1"].sequence == 2
    assert heads["vendor/product@1"].hash == hashed(leaves[11]).hex()
    assert log.find(entry(7).identity) == 7
    assert log.find(entry(12).identity) is None


def test_a_log_has_the_key_of_its_name(store: MemoryStore, home: Path) -> None:
    with pytest.raises(UsageError, match="key is of another log"):
        LogWriter(store, origin="x", signer=LocalCheckpointSigner(keys.log(), home), home=home)
