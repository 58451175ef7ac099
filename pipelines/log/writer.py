"""Writing a center's own log: each entry is in it once, in one order, after any crash or race.

A batch is in the log once its object is created; everything else follows from that object, and
every call begins by integrating batches that other writers left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from pipelines.log.batch import MAX_LEAVES, Batch, batch_key
from pipelines.log.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from pipelines.log.errors import LogError
from pipelines.log.integration import SHORTENED, Integrator
from pipelines.log.leaf import (
    FIRST,
    Entry,
    Leaf,
    ReleaseChains,
    StatementLeaf,
    read_fields,
    read_leaf,
)
from pipelines.log.log_reader import LogReader
from pipelines.log.note import MAX_NOTE
from pipelines.log.proof import LogProof
from pipelines.log.signers import CheckpointSigner
from pipelines.log.tiles import CHECKPOINT, WIDTH, checkpoint_key
from pipelines.log.writer_cache import ReleaseHead, WriterCache, open_cache, remove_cache
from pipelines.storage import files as durable
from pipelines.storage.store import Store

_TRIES = 64  # of a batch that meets those of others


@dataclass(frozen=True, kw_only=True)
class PlacedLeaf:
    """The leaf of an entry, and its index in the log."""

    index: int
    leaf: Leaf


@dataclass(frozen=True, kw_only=True)
class AppendResult:
    """The result of appending entries."""

    start: int
    """Leaves that the log had before this call added any."""
    leaves: tuple[PlacedLeaf, ...]
    """One for each entry, in their order; one that the log had already is where it was."""
    size: int
    """Leaves of the checkpoint that was published last, and covers them all."""


class LogWriter:
    """The log `origin` in `store`; safe for threads and processes side by side."""

    def __init__(
        self,
        store: Store,
        *,
        origin: str,
        signer: CheckpointSigner,
        home: Path,
        cosigned: Callable[[], Iterable[Checkpoint]] = tuple,
    ) -> None:
        """Keep lock and cache in the folder `home`; nothing is read or made yet.

        `cosigned` returns what witnesses have accepted of the log, which it must continue. It is
        asked before the log is first opened.
        """
        if signer.key.name != origin:
            raise UsageError(
                "the log's key is of another log", got=signer.key.name, expected=origin
            )
        self.origin = origin
        self._store = store
        self._home = home
        self._cosigned = cosigned
        self._integrator = Integrator(store, signer)

    def append(self, entries: Sequence[Entry]) -> AppendResult:
        """Log `entries` in as few batches as hold them, and publish the checkpoint over them.

        An entry that the log has already is not logged again. Raises `LogError` when the log has it
        with other fields, or is not what was signed, and `StoreError` when the store cannot be read
        or written: then some of the entries may be logged, and the call can be repeated.
        """
        wanted = {entry.identity: entry for entry in entries}
        for entry in entries:
            if wanted[entry.identity] != entry:
                raise _contradicts(entry, wanted[entry.identity])
        with self._open() as cache:
            start, placed = cache.size, self._known(cache, wanted.values())
            queue = iter([entry for name, entry in wanted.items() if name not in placed])
            while batch := list(islice(queue, MAX_LEAVES)):
                placed |= self._append(cache, batch)
            leaves = tuple(placed[entry.identity] for entry in entries)
            return AppendResult(start=start, leaves=leaves, size=cache.size)

    def recover(self) -> Checkpoint | None:
        """Integrate committed batches; return the newest checkpoint, None of an empty log."""
        with self._open() as cache:
            return self._integrator.tree(cache) if cache.size else None

    def checkpoint(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint that is published, or None."""
        return self._integrator.published()

    def publish(self, cosigned: bytes | None = None) -> SignedCheckpoint | None:
        """Publish the newest checkpoint, or a `cosigned` note of it; returns what is published.

        An older one than is published is left unpublished. Raises `LogError` for a note that is
        not of this log, or of a size that it has not signed.
        """
        with self._open() as cache:
            if cosigned is not None:
                self._publish_cosigned(cosigned)
            elif own := self._integrator.kept(cache.size):
                self._integrator.publish(own)
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
        found = open_checkpoint(data, self._integrator.log)
        with self._open_cache() as cache:
            reader = LogReader(self._store, self._integrator.log, found, cache.frontier)
        return LogProof(index=index, hashes=reader.inclusion(index), checkpoint=data)

    def find(self, identity: str) -> int | None:
        """Return the index of the leaf with that identity (`Entry.identity`), or None."""
        with self._open() as cache:
            return cache.find(identity)

    def heads(self) -> tuple[ReleaseHead, ...]:
        """Return the newest leaf of every release key, in order of their names."""
        with self._open() as cache:
            return tuple(cache.heads())

    @contextmanager
    def _open(self) -> Iterator[WriterCache]:
        """Lock the log, and bring the cache to its end."""
        cosigned = self._cosigned()  # before the lock: witnesses may be slow
        with self._open_cache() as cache:
            self._integrator.catch_up(cache, cosigned)
            self._cosigned = tuple  # the signer remembers from here on
            yield cache

    @contextmanager
    def _open_cache(self) -> Iterator[WriterCache]:
        """Lock this home and open the cache; a broken one is removed, and made again next time."""
        path = self._home / "heads.sqlite"
        with durable.held(self._home / "lock"):
            try:
                with open_cache(path, self.origin) as cache:
                    yield cache
            except sqlite3.DatabaseError as error:
                remove_cache(path)
                raise InfrastructureError(
                    f"the cache of the log in {path} cannot be used",
                    got=error,
                    expected="a database that this user can write",
                    todo="Run again: it is made anew from the log",
                ) from error

    def _append(self, cache: WriterCache, entries: Sequence[Entry]) -> dict[str, PlacedLeaf]:
        """Log a batch; others may have logged part of it meanwhile."""
        for _ in range(_TRIES):
            placed = self._known(cache, entries)
            leaves = _sequenced(cache, (e for e in entries if e.identity not in placed))
            if not leaves:
                return placed
            tree = self._integrator.tree(cache)
            batch = Batch(tree=tree, leaves=tuple(leaf.to_bytes() for leaf in leaves))
            try:
                self._store.put_record(batch_key(tree.size), batch.to_bytes())
            except StoreConflictError:
                self._integrator.integrate_committed(cache)
                continue
            self._integrator.integrate(cache, batch)
            return placed | {
                leaf.identity: PlacedLeaf(index=index, leaf=leaf)
                for index, leaf in enumerate(leaves, tree.size)
            }
        raise StoreError(
            f"cannot append to the log {self.origin}",
            got=f"batches of other writers, {_TRIES} times in a row",
            expected="to commit a batch",
            todo="Run again; if it fails again, see what else writes to this log",
        )

    def _known(self, cache: WriterCache, entries: Iterable[Entry]) -> dict[str, PlacedLeaf]:
        """Return those that the log has already; raises `LogError` for one with other fields."""
        tiles = self._integrator.tiles(cache)
        placed = {}
        bundles = dict[int, list[bytes]]()
        for entry in entries:
            if (index := cache.find(entry.identity)) is not None:
                number, offset = divmod(index, WIDTH)
                if number not in bundles:
                    bundles[number], _ = tiles.bundle(number)
                leaf = read_leaf(bundles[number][offset])
                if not _matches(leaf, entry):
                    raise _contradicts(entry, leaf)
                placed[entry.identity] = PlacedLeaf(index=index, leaf=leaf)
        return placed

    def _publish_cosigned(self, data: bytes) -> None:
        new = open_checkpoint(data, self._integrator.log).checkpoint
        own = self._integrator.kept(new.size)
        if own is None or own.checkpoint != new:
            signed = f"root {own.checkpoint.root.hex()}" if own else "a size that was signed"
            raise LogError(
                "a cosigned checkpoint is not one of this log",
                got=f"root {new.root.hex()} of {new.size} leaves",
                expected=signed,
                todo=SHORTENED,
            )
        there = self.checkpoint()
        if there is None or there.checkpoint.size <= new.size:
            self._store.put_latest(CHECKPOINT, data)


def _sequenced(cache: WriterCache, entries: Iterable[Entry]) -> list[Leaf]:
    """Return the leaves of `entries`, in their places after those that the log has."""
    chains, leaves = ReleaseChains(cache.link), list[Leaf]()
    for entry in entries:
        sequence, previous = chains.next(entry.release)
        leaf = entry.leaf(sequence, Digest(previous))
        chains.follow(read_fields(leaf.to_bytes()))
        leaves.append(leaf)
    return leaves


def _matches(leaf: Leaf, entry: Entry) -> bool:
    """Say whether a leaf is that of an entry, wherever its place is."""
    previous = leaf.previous if isinstance(leaf, StatementLeaf) else FIRST
    return entry.leaf(leaf.sequence, previous) == leaf


def _contradicts(entry: Entry, other: object) -> LogError:
    return LogError(
        f"{entry.identity} already has other fields",
        got=entry,
        expected=other,
        todo="One run has one commitment, one statement one leaf: find out where they differ",
    )
