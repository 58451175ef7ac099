"""Logs to break: small ones, in any store, with the keys of `keys.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.evidence.errors import EvidenceError
from pipelines.log.batch import Batch
from pipelines.log.checkpoint import Checkpoint, open_checkpoint
from pipelines.log.leaf import FIRST, CommitmentEntry, Entry, Leaf, ReleaseChains, StatementEntry
from pipelines.log.log_reader import LogReader
from pipelines.log.merkle import leaf_hash
from pipelines.log.signers import LocalCheckpointSigner
from pipelines.log.tile_reader import LogSource
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.writer import LogWriter
from pipelines.storage.store import Store
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import ORIGIN, identity
from tests.log.tree import mth

KEY = keys.log().key


@cache
def entry(number: int, *, release: str | None = None) -> Entry:
    """Return one of many entries, in turn of five releases; every fourth is a commitment."""
    name = release or f"vendor/product@{number % 5}"
    if number % 4 == 3:
        return CommitmentEntry(
            center="east",
            release=name,
            run=f"20261124T120000Z-{number:08x}",
            claim=Digest.of(b"claim %d" % number),
            seal=Digest.of(b"seal %d" % number),
        )
    return StatementEntry(
        center="east",
        release=name,
        pae=Digest.of(b"%d" % number),
        keyid=Digest.of(b"key").hex,
        predicate_type="https://samebits.example/attempt/v1",
    )


def entries(numbers: Iterable[int]) -> list[Entry]:
    return [entry(number) for number in numbers]


def opened(store: Store, home: Path, *, signed: Path | None = None) -> LogWriter:
    """Open a log as a process does; `signed` is where its signer remembers, by default `home`."""
    signer = LocalCheckpointSigner(keys.log(), signed or home)
    return LogWriter(store, origin=ORIGIN, signer=signer, home=home)


def reader(source: LogSource) -> LogReader:
    return LogReader(source, identity(KEY))


def audited(source: LogSource) -> list[Leaf]:
    """Read all of a log with every check there is, and return its leaves."""
    log, chains, leaves = reader(source), ReleaseChains(), list[Leaf]()
    for _, facts in log.fields(tiles=True):
        assert chains.follow(facts) is None
    for index, leaf in log.leaves():
        assert index == len(leaves)
        leaves.append(leaf)
    root = mth([leaf.to_bytes() for leaf in leaves])
    assert log.checkpoint.checkpoint.root == root
    assert len({leaf.identity for leaf in leaves}) == len(leaves)
    return leaves


def identities(items: Sequence[Leaf] | Sequence[Entry]) -> list[str]:
    return [item.identity for item in items]


def public(store: MemoryStore) -> dict[str, bytes]:
    """Return the objects of a log as a reader sees them."""
    return {key: store.get(key, 1 << 30) for key in sorted(store.objects)}


def hashed(leaf: Leaf) -> bytes:
    return leaf_hash(leaf.to_bytes())


def tree_of(store: MemoryStore) -> Checkpoint:
    return open_checkpoint(store.get(CHECKPOINT, 1000), identity(KEY)).checkpoint


def committed(tree: Checkpoint, which: range, *, sequence: int | None = None) -> Batch:
    """Return a commit that somebody made: of entries that open a release each."""
    leaves = tuple(
        entry(n, release=f"v/p@{n}").leaf(sequence or 0, FIRST).to_bytes() for n in which
    )
    return Batch(tree=tree, leaves=leaves)


def refused(store: MemoryStore, log: LogWriter, match: str) -> None:
    """See that nothing is appended, and nothing written."""
    before = {key: list(versions) for key, versions in store.objects.items()}
    for _ in range(2):
        with pytest.raises(EvidenceError, match=match):
            log.append(entries([9999]))
    assert store.objects == before


def signer(home: Path) -> LocalCheckpointSigner:
    return LocalCheckpointSigner(keys.log(), home)
