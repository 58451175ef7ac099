"""A center's own log: what is appended is in it once, in one order, whatever dies or races.

A batch is in the log when its commit is created; all else follows from that, and every call begins
by finishing what others left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import (
    InfrastructureError,
    NotFoundError,
    StoreConflictError,
    StoreError,
    UsageError,
)
from pipelines.log import heads as cache
from pipelines.log.chain import Chains
from pipelines.log.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from pipelines.log.checkpointsigner import CheckpointSigner
from pipelines.log.commit import MAX_LEAVES, Commit, commit_key
from pipelines.log.errors import LogError
from pipelines.log.growth import kept, publish
from pipelines.log.heads import Head, Heads
from pipelines.log.leaf import (
    FIRST,
    CommitmentEntry,
    Entry,
    Leaf,
    StatementEntry,
    StatementLeaf,
    read_facts,
    read_leaf,
)
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import MAX_NOTE
from pipelines.log.proof import LogProof
from pipelines.log.reader import LogReader
from pipelines.log.tail import TODO, Tail
from pipelines.log.tiles import CHECKPOINT, WIDTH, checkpoint_key
from pipelines.storage import files as durable
from pipelines.storage.store import Store

__all__ = ["Appended", "CommitmentEntry", "Entry", "Log", "Placed", "StatementEntry"]

_TRIES = 64  # of a batch that meets those of others


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An entry in its place."""

    index: int
    leaf: Leaf


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What became of the entries of one call."""

    start: int
    """Leaves that the log had before this call added any."""
    leaves: tuple[Placed, ...]
    """One for each entry, in their order; one that the log had already is where it was."""
    size: int
    """Leaves of the checkpoint that was published last, and covers them all."""


class Log:
    """The log `origin` in `store`; safe for threads and processes side by side."""

    def __init__(self, store: Store, *, origin: str, signer: CheckpointSigner, home: Path) -> None:
        """Keep lock and cache in the folder `home`; nothing is read or made yet."""
        if signer.key.name != origin:
            raise UsageError(
                "the log's key is of another log", got=signer.key.name, expected=origin
            )
        self.origin = origin
        self._store = store
        self._signer = signer
        self._home = home
        self._tail = Tail(store, signer)

    def append(self, entries: Sequence[Entry]) -> Appended:
        """Log `entries`, in batches of at most 1,000, and publish the checkpoint that covers them.

        What the log has already is not logged again. Raises `LogError` when it has it with other
        facts, or is not what was signed; `StoreError` when the store cannot be read or written:
        then some of the entries may be logged, and the same call again is the way to go on.
        """
        wanted = {entry.identity: entry for entry in entries}
        for entry in entries:
            if wanted[entry.identity] != entry:
                raise _contradicts(entry, wanted[entry.identity])
        with self._open() as heads:
            start, placed = heads.size, self._known(heads, wanted.values())
            queue = iter([entry for name, entry in wanted.items() if name not in placed])
            while batch := list(islice(queue, MAX_LEAVES)):
                placed |= self._append(heads, batch)
            self._tail.finish_others(heads)
            leaves = tuple(placed[entry.identity] for entry in entries)
            return Appended(start=start, leaves=leaves, size=heads.size)

    def recover(self) -> Checkpoint | None:
        """Finish what was left unfinished; returns the newest checkpoint, None of an empty log."""
        with self._open() as heads:
            return self._tail.tree(heads) if heads.size else None

    def checkpoint(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint that is published, or None."""
        return self._tail.published()

    def publish(self, cosigned: bytes | None = None) -> SignedCheckpoint | None:
        """Publish the newest checkpoint, or a `cosigned` note of it; returns what is published.

        An older one than is published is left unpublished. Raises `LogError` for a note that is
        not of this log, or of a size that it has not signed.
        """
        with self._open() as heads:
            if cosigned is not None:
                self._publish_cosigned(cosigned)
            elif heads.size and (own := kept(self._store, self._signer, heads.size)):
                publish(self._store, self._signer, own)
        return self.checkpoint()

    def prove(self, index: int, size: int | None = None) -> LogProof:
        """Return the proof that leaf `index` is in the log, against its newest checkpoint.

        With `size`, against the checkpoint that was kept of that size. Raises `LogError`.
        """
        key = CHECKPOINT if size is None else checkpoint_key(size)
        try:
            data = self._store.get(key, MAX_NOTE)
        except NotFoundError as error:
            raise LogError(
                f"the log {self.origin} has no such checkpoint",
                got=f"no object {key}",
                expected="the newest one, or one of a size that was published",
            ) from error
        keys = [self._signer.key]
        found = open_checkpoint(data, origin=self.origin, keys=keys)
        with self._cache() as heads:
            edge = heads.edge
        reader = LogReader(self._store, origin=self.origin, keys=keys, checkpoint=found, edge=edge)
        return LogProof(index=index, hashes=reader.inclusion(index), checkpoint=data)

    def find(self, identity: str) -> int | None:
        """Return the index of the leaf with that identity (`Entry.identity`), or None."""
        with self._open() as heads:
            return heads.find(identity)

    def heads(self) -> tuple[Head, ...]:
        """Return the newest leaf of every release key, in order of their names."""
        with self._open() as heads:
            return tuple(heads.heads())

    @contextmanager
    def _open(self) -> Iterator[Heads]:
        """Hold the log, with the cache at its end."""
        with self._cache() as heads:
            self._tail.catch_up(heads)
            yield heads

    @contextmanager
    def _cache(self) -> Iterator[Heads]:
        """Hold this home's lock and the cache; one that breaks is made anew the next time."""
        path = self._home / "heads.sqlite"
        with durable.held(self._home / "lock"):
            try:
                with cache.opened(path, self.origin) as heads:
                    yield heads
            except sqlite3.DatabaseError as error:
                cache.remove(path)
                raise InfrastructureError(
                    f"the cache of the log in {path} cannot be used",
                    got=error,
                    expected="a database that this user can write",
                    todo="Run again: it is made anew from the log",
                ) from error

    def _append(self, heads: Heads, entries: Sequence[Entry]) -> dict[str, Placed]:
        """Log a batch; others may have logged part of it meanwhile."""
        for _ in range(_TRIES):
            placed = self._known(heads, entries)
            leaves = _sequenced(heads, [e for e in entries if e.identity not in placed])
            if not leaves:
                return placed
            tree = self._tail.tree(heads)
            commit = Commit(
                origin=self.origin,
                start=tree.size,
                root=tree.root,
                leaves=tuple(data for _, data in leaves),
            )
            try:
                self._store.put_record(commit_key(commit.start), commit.to_bytes())
            except StoreConflictError:
                self._tail.finish_others(heads)
                continue
            self._tail.finish(heads, commit)
            return placed | {
                leaf.identity: Placed(index=index, leaf=leaf)
                for index, (leaf, _) in enumerate(leaves, commit.start)
            }
        raise StoreError(
            f"cannot append to the log {self.origin}",
            got=f"batches of others, {_TRIES} times",
            expected="a turn",
            todo="Run again; if it stays so, see who else writes to this log",
        )

    def _known(self, heads: Heads, entries: Iterable[Entry]) -> dict[str, Placed]:
        """Return those that the log has already; raises `LogError` when it says something else."""
        tiles = self._tail.tiles(heads)
        placed = {}
        for entry in entries:
            if (index := heads.find(entry.identity)) is not None:
                leaf = read_leaf(tiles.bundle(index // WIDTH)[0][index % WIDTH])
                if not _says(leaf, entry):
                    raise _contradicts(entry, leaf)
                placed[entry.identity] = Placed(index=index, leaf=leaf)
        return placed

    def _publish_cosigned(self, data: bytes) -> None:
        new = open_checkpoint(data, origin=self.origin, keys=[self._signer.key]).checkpoint
        own = kept(self._store, self._signer, new.size)
        if own is None or own.checkpoint != new:
            raise LogError(
                "a cosigned checkpoint is not one of this log",
                got=f"root {new.root.hex()} of {new.size} leaves",
                expected="a size that was signed"
                if own is None
                else f"root {own.checkpoint.root.hex()}",
                todo=TODO,
            )
        there = self.checkpoint()
        if there is None or there.checkpoint.size <= new.size:
            self._store.put_latest(CHECKPOINT, data)


def _sequenced(heads: Heads, entries: Sequence[Entry]) -> list[tuple[Leaf, bytes]]:
    """Return the leaves of `entries` after those that the log has, and their bytes."""
    chains, leaves = Chains(heads.link), list[tuple[Leaf, bytes]]()
    for index, entry in enumerate(entries, heads.size):
        sequence, previous = chains.next(entry.release)
        leaf = entry.leaf(sequence, Digest(previous))
        data = leaf.to_bytes()
        chains.follow(index, leaf_hash(data), read_facts(data))
        leaves.append((leaf, data))
    return leaves


def _says(leaf: Leaf, entry: Entry) -> bool:
    """Say whether a leaf stands for that entry, wherever its place is."""
    previous = leaf.previous if isinstance(leaf, StatementLeaf) else FIRST
    return entry.leaf(leaf.sequence, previous) == leaf


def _contradicts(entry: Entry, other: object) -> LogError:
    return LogError(
        f"{entry.identity} was logged already, and says something else now",
        got=entry,
        expected=other,
        todo="One run has one commitment, one statement one leaf: find out where they differ",
    )
