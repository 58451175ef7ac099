"""The end of a center's own log: seen to be what was signed, read into the cache, and finished.

A log that is shorter than, or other than, what was signed, kept or published is refused before
anything is written.
"""

from __future__ import annotations

from itertools import islice

from builders.core.errors import NotFoundError
from pipelines.log.chain import Chains
from pipelines.log.checkpoint import Checkpoint, SignedCheckpoint
from pipelines.log.checkpointsigner import CheckpointSigner
from pipelines.log.commit import MAX_COMMIT, Commit, commit_key, read_commit
from pipelines.log.errors import LogError
from pipelines.log.growth import kept, write_batch
from pipelines.log.heads import Added, Heads
from pipelines.log.leaf import read_facts
from pipelines.log.merkle import leaf_hash, tree_root
from pipelines.log.reader import LogReader, published
from pipelines.log.tilereader import TileReader
from pipelines.storage.store import Store

TODO = "The log was shortened, forked or altered, or an older copy of it was brought back"
_AT_ONCE = 16  # bundles that are taken into the cache in one step


class Tail:
    """The log of `signer` in `store`; its methods are called under the log's lock."""

    def __init__(self, store: Store, signer: CheckpointSigner) -> None:
        """Use a store and a signer; nothing is read yet."""
        self.origin = signer.key.name
        self._store = store
        self._signer = signer

    def published(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint that is published, or None."""
        return published(self._store, origin=self.origin, keys=[self._signer.key])

    def tree(self, heads: Heads) -> Checkpoint:
        """Return the tree that the cache knows."""
        return Checkpoint(origin=self.origin, size=heads.size, root=heads.edge.root())

    def tiles(self, heads: Heads) -> TileReader:
        """Return a reader of that tree."""
        return TileReader(self._store, self.tree(heads), edge=heads.edge)

    def catch_up(self, heads: Heads) -> None:
        """Bring the cache to the end of the log, and finish what is committed."""
        seen = self.published()
        if not self._follow(heads, seen):
            heads.clear()
            self._follow(heads, seen)
        if heads.size:  # the tiles that the log grows from, as they are in the store
            TileReader(self._store, self.tree(heads)).edge()
        self.finish_others(heads)
        self._check_signed(heads)

    def finish_others(self, heads: Heads) -> None:
        """Finish every batch that is committed beyond the cache."""
        while True:
            try:
                data = self._store.get(commit_key(heads.size), MAX_COMMIT)
            except NotFoundError:
                return
            tree = self.tree(heads)
            self.finish(
                heads, read_commit(data, origin=self.origin, start=tree.size, root=tree.root)
            )

    def finish(self, heads: Heads, commit: Commit) -> None:
        """Write all that follows from a commit that continues the cache."""
        chains, added = Chains(heads.link), list[Added]()
        for index, data in enumerate(commit.leaves, commit.start):
            leaf = Added(leaf_hash(data), read_facts(data))
            if gap := chains.follow(index, leaf.hash, leaf.facts):
                raise LogError(
                    f"{commit_key(commit.start)} does not continue the log",
                    got=str(gap),
                    expected="leaves that follow those before them",
                    todo=TODO,
                )
            added.append(leaf)
        hashes = [leaf.hash for leaf in added]
        heads.extend(added, write_batch(self._store, self._signer, commit, heads.edge, hashes))

    def _follow(self, heads: Heads, seen: SignedCheckpoint | None) -> bool:
        """Read what the log has beyond the cache; False when the cache is not of this log."""
        if not heads.size and seen is None:
            return True
        if seen is None or seen.checkpoint.size < heads.size:
            # The one object that is replaced went back, or away: those that are kept do not.
            own = kept(self._store, self._signer, heads.size)
            if own is None or own.checkpoint != self.tree(heads):
                return False
            if seen is not None:
                self._check_past(self.tiles(heads), seen.checkpoint, "published")
            return True
        reader = LogReader(
            self._store,
            origin=self.origin,
            keys=[self._signer.key],
            checkpoint=seen,
            edge=heads.edge,
        )
        if reader.tree(heads.size) != self.tree(heads):
            return False
        bundles = reader.entries(heads.size)
        while some := list(islice(bundles, _AT_ONCE)):
            added = [
                Added(found, read_facts(leaf))
                for _, leaves, hashes in some
                for leaf, found in zip(leaves, hashes, strict=True)
            ]
            heads.extend(added, heads.edge.grown([leaf.hash for leaf in added])[0])
        return True

    def _check_signed(self, heads: Heads) -> None:
        """Refuse a log that is behind, or beside, what its signer has signed."""
        signed = self._signer.newest()
        if signed is None:
            return
        if signed.size > heads.size:
            raise LogError(
                f"the log {self.origin} is shorter than what was signed",
                got=f"{heads.size} leaves",
                expected=f"{signed.size} leaves, root {signed.root.hex()}",
                todo=TODO,
            )
        self._check_past(self.tiles(heads), signed, "signed")

    def _check_past(self, tiles: TileReader, old: Checkpoint, what: str) -> None:
        root = tree_root(old.size, tiles)
        if root != old.root:
            raise LogError(
                f"the log {self.origin} does not continue what was {what}",
                got=f"root {root.hex()} of {old.size} leaves",
                expected=f"root {old.root.hex()}",
                todo=TODO,
            )
