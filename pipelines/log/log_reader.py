"""Reading the log of any center: nothing is returned that its signed checkpoint does not cover.

A reader reads the tree of one checkpoint; memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from builders.core.errors import NotFoundError
from pipelines.log.checkpoint import Checkpoint, LogIdentity, SignedCheckpoint, open_checkpoint
from pipelines.log.errors import LogError
from pipelines.log.leaf import Leaf, LeafFields, read_fields, read_leaf
from pipelines.log.merkle import consistency_proof, inclusion_proof, tree_root
from pipelines.log.note import MAX_NOTE
from pipelines.log.tile_reader import LogSource, TileReader
from pipelines.log.tiles import CHECKPOINT, WIDTH, Frontier
from pipelines.storage.store import TooLargeError


def published(
    source: LogSource, log: LogIdentity, key: str = CHECKPOINT
) -> SignedCheckpoint | None:
    """Return a checkpoint that a log has published, by default the newest one, or None.

    Raises `LogError`.
    """
    try:
        data = source.get(key, MAX_NOTE)
    except NotFoundError:
        return None
    except TooLargeError as error:
        raise LogError(
            f"the checkpoint of {log.origin} is too large",
            got="more",
            expected=f"at most {MAX_NOTE} bytes",
            todo="Use another copy of the log, and find out what wrote into this one",
        ) from error
    return open_checkpoint(data, log)


@dataclass
class LogReader:
    """A log as `source` has it; for one thread.

    It reads the tree of the checkpoint `given`, already opened, or else of the newest one when
    needed. `frontier` is used where it gives the checkpoint's root; it saves reading the partial
    tiles.

    All methods raise `LogError` for a log that is altered, shortened or not signed, and
    `StoreError` when the source cannot be read.
    """

    source: LogSource
    log: LogIdentity
    given: SignedCheckpoint | None = None
    frontier: Frontier | None = None

    @cached_property
    def checkpoint(self) -> SignedCheckpoint:
        """The checkpoint of this reader; raises `LogError` when the log has none."""
        found = self.given or published(self.source, self.log)
        if found is None:
            raise LogError(
                f"there is no log {self.log.origin}",
                got=f"no object {CHECKPOINT}",
                expected="its newest checkpoint",
                todo="Nothing was logged there yet, or the log was removed",
            )
        return found

    @property
    def size(self) -> int:
        """Leaves of the tree."""
        return self.checkpoint.checkpoint.size

    @cached_property
    def tiles(self) -> TileReader:
        """The tree itself."""
        return TileReader(self.source, self.checkpoint.checkpoint, frontier=self.frontier)

    def entries(
        self, start: int = 0, stop: int | None = None, *, tiles: bool = False
    ) -> Iterator[tuple[int, list[bytes], list[bytes]]]:
        """Yield, bundle by bundle, the index of the first leaf, leaves, and leaf hashes.

        With `tiles` the hash tiles of the same leaves are read and compared too.
        """
        stop = self.size if stop is None else stop
        if not 0 <= start <= stop <= self.size:
            raise LogError(
                "the checkpoint covers no such leaves",
                got=f"{start} to before {stop}",
                expected=f"0 to before {self.size}",
            )
        position = start
        while position < stop:
            index, skip = divmod(position, WIDTH)
            leaves, hashes = self.tiles.bundle(index, tiles=tiles)
            end = min(len(leaves), stop - index * WIDTH)
            yield position, leaves[skip:end], hashes[skip:end]
            position = index * WIDTH + end

    def fields(
        self, start: int = 0, stop: int | None = None, *, tiles: bool = False
    ) -> Iterator[tuple[int, LeafFields]]:
        """Yield index and fields of the leaves from `start` to before `stop`."""
        for first, leaves, hashes in self.entries(start, stop, tiles=tiles):
            for index, (leaf, found) in enumerate(zip(leaves, hashes, strict=True), first):
                yield index, read_fields(leaf, found)

    def leaves(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Leaf]]:
        """Yield index and leaf from `start` to before `stop`, by default to the end."""
        for first, leaves, _ in self.entries(start, stop):
            for index, leaf in enumerate(leaves, first):
                yield index, read_leaf(leaf)

    def leaf(self, index: int) -> Leaf:
        """Return one leaf."""
        return next(leaf for _, leaf in self.leaves(index, index + 1))

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """Return the path of leaf `index` to the root of the first `size` leaves, or of all."""
        return inclusion_proof(index, self._size(size), self.tiles)

    def consistency(self, old: int, size: int | None = None) -> tuple[bytes, ...]:
        """Return the proof that the tree of `size` leaves, or of all, continues that of `old`."""
        return consistency_proof(old, self._size(size), self.tiles)

    def tree(self, size: int) -> Checkpoint:
        """Return the checkpoint that the first `size` leaves would have; it is not signed."""
        root = tree_root(self._size(size), self.tiles)
        return Checkpoint(origin=self.log.origin, size=size, root=root)

    def _size(self, size: int | None) -> int:
        if size is not None and size > self.size:
            raise LogError(
                "the checkpoint covers no such tree", got=size, expected=f"0 to {self.size} leaves"
            )
        return self.size if size is None else size
