"""Integration of committed batches: from the batch to the tiles and the published checkpoint.

Everything that is written follows from the batch and the tree before it, and every object but the
newest checkpoint is created once; so a process that died here, or raced another, is followed by one
that writes the same bytes again. A log that is shorter than what was signed, cosigned, kept or
published, or other than that, is refused before anything is added.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from builders.core.errors import NotFoundError, StoreConflictError
from pipelines.log.batch import MAX_BATCH, Batch, batch_key, read_batch
from pipelines.log.checkpoint import Checkpoint, LogIdentity, SignedCheckpoint, open_checkpoint
from pipelines.log.errors import LogError
from pipelines.log.leaf import LeafFields, ReleaseChains, read_fields
from pipelines.log.log_reader import LogReader, published
from pipelines.log.merkle import consistency_proof, tree_root
from pipelines.log.note import Note, NoteSignature
from pipelines.log.signers import CheckpointSigner
from pipelines.log.tile_reader import TileReader
from pipelines.log.tiles import CHECKPOINT, WIDTH, checkpoint_key, pack_entries, tile_at
from pipelines.log.writer_cache import WriterCache
from pipelines.storage.store import Store

SHORTENED = (
    "The log was shortened, forked or altered, or an older copy of it was brought back: bring back "
    "the newest copy of the store; where that is lost, `samebits center new-log` begins another log"
)
_FOREIGN = "Another program wrote into the log, or signed with its key: find out which"
_AT_ONCE = 16 * WIDTH  # leaves that are taken into the cache in one step


class Integrator:
    """The log of `signer` in `store`; its methods are called under the log's lock."""

    def __init__(self, store: Store, signer: CheckpointSigner) -> None:
        """Use a store and a signer; nothing is read yet."""
        self.log = LogIdentity.of(signer.key)
        self._store = store
        self._signer = signer

    def published(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint that is published, or None."""
        return published(self._store, self.log)

    def kept(self, size: int) -> SignedCheckpoint | None:
        """Return the checkpoint of that size that this center keeps for good, or None."""
        key = checkpoint_key(size)
        found = published(self._store, self.log, key)
        if found and found.checkpoint.size != size:
            raise LogError(f"{key} is of another size", got=found.checkpoint.size, expected=size)
        return found

    def tree(self, cache: WriterCache) -> Checkpoint:
        """Return the tree that the cache knows."""
        return Checkpoint(origin=self.log.origin, size=cache.size, root=cache.frontier.root())

    def tiles(self, cache: WriterCache) -> TileReader:
        """Return a reader of that tree."""
        return TileReader(self._store, self.tree(cache), frontier=cache.frontier)

    def catch_up(self, cache: WriterCache, cosigned: Iterable[Checkpoint] = ()) -> None:
        """Bring the cache to the end of the log, and integrate what is committed.

        Raises `LogError` for a log that does not continue what was signed or `cosigned` before.
        """
        newest = self.published()
        if not self._follow(cache, newest):
            cache.clear()
            self._follow(cache, newest)
        # The tiles that the log grows from, as they are in the store.
        TileReader(self._store, self.tree(cache)).frontier()
        self.integrate_committed(cache)
        if signed := self._signer.newest():
            if signed.size > cache.size:  # another writer has committed and signed since
                self.integrate_committed(cache)
            self._check_past(cache, signed, "signed")
        for tree in cosigned:
            self._check_past(cache, tree, "cosigned")

    def integrate_committed(self, cache: WriterCache) -> None:
        """Integrate every batch that is committed beyond the cache."""
        while True:
            try:
                data = self._store.get(batch_key(cache.size), MAX_BATCH)
            except NotFoundError:
                return
            self.integrate(cache, read_batch(data, self.tree(cache)))

    def integrate(self, cache: WriterCache, batch: Batch) -> None:
        """Write all that follows from a batch that continues the cache.

        Raises `LogError` where the store holds other bytes.
        """
        leaves = _chained(batch, ReleaseChains(cache.link))
        frontier, tiles = cache.frontier.grown([leaf.hash for leaf in leaves])
        objects = self._bundles(batch, cache)
        objects |= {tile.key: data for tile, data in tiles}
        for key, data in objects.items():
            self._put(key, data)
        tree = Checkpoint(origin=self.log.origin, size=frontier.size, root=frontier.root())
        source = _Overlay(objects, self._store)  # what was written just now is not read again
        self.publish(self._signed(tree, TileReader(source, tree, frontier=frontier)))
        cache.extend(leaves, frontier)

    def publish(self, new: SignedCheckpoint) -> None:
        """Make `new` the newest checkpoint, unless the published one is as new, or newer.

        One of the same size stays, as it may be cosigned. Raises `LogError` when its root differs.
        """
        there, tree = self.published(), new.checkpoint
        if there is None or there.checkpoint.size < tree.size:
            self._store.put_latest(CHECKPOINT, new.note.to_bytes())
        elif there.checkpoint.size == tree.size and there.checkpoint != tree:
            what = f"another root of {tree.size} leaves is published"
            raise tree.other_root(there.checkpoint.root, what, _FOREIGN)

    def _signed(self, tree: Checkpoint, tiles: TileReader) -> SignedCheckpoint:
        """Return the signed checkpoint of `tree`, made and kept now if there is none of its size.

        Raises `LogError` when another root of that size was signed.
        """
        while (found := self.kept(tree.size)) is None:
            old = self._signer.newest()
            try:
                note = self._sign(old, tree, tiles)
            except LogError:
                if self._signer.newest() == old and self.kept(tree.size) is None:
                    raise
                continue  # another writer with the same signer came first
            with suppress(StoreConflictError):
                self._store.put_record(checkpoint_key(tree.size), note)
        if found.checkpoint != tree:
            what = f"another root of {tree.size} leaves was signed"
            raise tree.other_root(found.checkpoint.root, what, _FOREIGN)
        return found

    def _sign(self, old: Checkpoint | None, tree: Checkpoint, tiles: TileReader) -> bytes:
        """Return the signed note of `tree`, with a proof for the signer that it continues `old`."""
        proof = consistency_proof(old.size, tree.size, tiles) if old else ()
        data = self._signer.sign(old, tree, proof)
        line = NoteSignature(name=self.log.origin, id=self._signer.key.id, data=data)
        note = Note(tree.to_text(), (line,)).to_bytes()
        open_checkpoint(note, self.log)
        return note

    def _put(self, key: str, data: bytes) -> None:
        """Create an object of the log; raises `LogError` where another one stands."""
        try:
            self._store.put_record(key, data)
        except StoreConflictError as error:
            raise LogError(
                f"{key} does not fit the log",
                got="other bytes in the store",
                expected="those that follow from the log's leaves",
                todo=_FOREIGN,
            ) from error

    def _bundles(self, batch: Batch, cache: WriterCache) -> dict[str, bytes]:
        """Return the entry bundles that the larger tree needs anew."""
        first, begun = divmod(cache.size, WIDTH)
        leaves = [*(self.tiles(cache).bundle(first)[0] if begun else ()), *batch.leaves]
        size = cache.size + len(batch.leaves)
        return {
            tile_at(None, first + start // WIDTH, size).key: pack_entries(
                leaves[start : start + WIDTH]
            )
            for start in range(0, len(leaves), WIDTH)
        }

    def _follow(self, cache: WriterCache, newest: SignedCheckpoint | None) -> bool:
        """Read the leaves that the cache lacks; return False when the cache is not of this log."""
        if newest is None or newest.checkpoint.size < cache.size:
            # The one object that is replaced went back, or away: those that are kept do not.
            own = self.kept(cache.size)
            if own is None or own.checkpoint != self.tree(cache):
                return False
            if newest is not None:
                self._check_past(cache, newest.checkpoint, "published")
            return True
        reader = LogReader(self._store, self.log, newest, cache.frontier)
        if reader.tree(cache.size) != self.tree(cache):
            return False
        missing = (leaf for _, leaf in reader.fields(cache.size))
        while some := list(islice(missing, _AT_ONCE)):
            cache.extend(some, cache.frontier.grown([leaf.hash for leaf in some])[0])
        return True

    def _check_past(self, cache: WriterCache, old: Checkpoint, what: str) -> None:
        """Refuse a log that is shorter than `old`, or other than that."""
        if old.size > cache.size:
            raise LogError(
                f"the log {self.log.origin} is shorter than what was {what}",
                got=f"{cache.size} leaves",
                expected=f"{old.size} leaves, root {old.root.hex()}",
                todo=SHORTENED,
            )
        root = tree_root(old.size, self.tiles(cache))
        if root != old.root:
            what = f"the log {self.log.origin} does not continue what was {what}"
            raise old.other_root(root, what, SHORTENED)


def _chained(batch: Batch, chains: ReleaseChains) -> list[LeafFields]:
    """Return the leaves of a batch; raises `LogError` unless each follows those before it."""
    leaves = [read_fields(data) for data in batch.leaves]
    for index, leaf in enumerate(leaves, batch.tree.size):
        if broken := chains.follow(leaf):
            raise LogError(
                f"{batch_key(batch.tree.size)} does not continue the log",
                got=f"leaf {index} of {leaf.release}: {broken}",
                expected="leaves that follow those before them",
                todo=SHORTENED,
            )
    return leaves


@dataclass(frozen=True)
class _Overlay:
    """A source of objects, some of which are at hand."""

    objects: dict[str, bytes]
    store: Store

    def get(self, key: str, limit: int) -> bytes:
        return self.objects[key] if key in self.objects else self.store.get(key, limit)
