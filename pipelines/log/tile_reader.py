"""Verified reading of tiles: each is compared with the root of a checkpoint before it is used.

The partial tiles of a tree together give its root; every full tile is hashed into one above it. So
everything that this reader returns is part of the tree that the checkpoint signs.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

from builders.core.errors import NotFoundError
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.merkle import HASH_SIZE
from pipelines.log.tiles import (
    HEIGHT,
    WIDTH,
    Frontier,
    Tile,
    count_at,
    levels,
    split_hashes,
    subtree_root,
    tile_at,
    unpack_entries,
)
from pipelines.storage.store import TooLargeError

_KEPT = 64  # full tiles in memory, 17 KiB each


class LogSource(Protocol):
    """A source of a log's objects, such as a store."""

    def get(self, key: str, limit: int) -> bytes:
        """Return an object whole; raises `NotFoundError`, `TooLargeError`, `StoreError`."""


class TileReader:
    """A `HashReader` of the tree of one checkpoint; for one thread."""

    def __init__(
        self, source: LogSource, tree: Checkpoint, *, frontier: Frontier | None = None
    ) -> None:
        """Read `source`; a `frontier` with the root of `tree` saves reading the partial tiles."""
        self.tree = tree
        self.fetched = 0
        """Objects that were read so far."""
        self._source = source
        if frontier and (frontier.size, frontier.root()) != (tree.size, tree.root):
            frontier = None
        self._frontier = frontier
        self._full_tile = lru_cache(_KEPT)(self._read_full_tile)

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of the 2**level leaves from index * 2**level on; raises `LogError`."""
        tile, height = divmod(level, HEIGHT)
        start, width = index << height, 1 << height
        if start + width > count_at(tile, self.tree.size):
            raise LogError(
                "the tree has no such subtree",
                got=f"2^{level} leaves from {index << level} on",
                expected=f"less than {self.tree.size}",
            )
        row = self.tile(tile, start // WIDTH)
        return subtree_root(row[start % WIDTH : start % WIDTH + width])

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile, as wide as this tree has it."""
        place = tile_at(level, index, self.tree.size)
        if place.width < WIDTH:
            return list(self.frontier().rows[level])
        return self._full_tile(level, index)

    def _read_full_tile(self, level: int, index: int) -> list[bytes]:
        place = Tile(level=level, index=index, width=WIDTH)
        row = split_hashes(self._hashes(place))
        if subtree_root(row) != self.read((level + 1) * HEIGHT, index):
            raise self._altered(place)
        return row

    def frontier(self) -> Frontier:
        """Return the partial tiles of the tree."""
        if self._frontier is None:
            size = self.tree.size
            rows = []
            for level in range(levels(size)):
                index, width = divmod(count_at(level, size), WIDTH)
                place = Tile(level=level, index=index, width=width)
                rows.append(tuple(split_hashes(self._hashes(place))) if width else ())
            frontier = Frontier(size, tuple(rows))
            if frontier.root() != self.tree.root:
                what = f"the tiles of {self.tree.origin} are not those of its checkpoint"
                todo = "The log was altered, or another log was signed"
                raise self.tree.other_root(frontier.root(), what, todo)
            self._frontier = frontier
        return self._frontier

    def bundle(self, index: int, *, tiles: bool = False) -> tuple[list[bytes], list[bytes]]:
        """Return leaves and leaf hashes of an entry bundle, as long as this tree has it.

        With `tiles` the hash tile of the same leaves is read and compared too.
        """
        place = tile_at(None, index, self.tree.size)
        data, found = self._fetch(place)
        entries = unpack_entries(data, found.width, what=found.key)
        if len(data) != 2 * len(entries) + sum(map(len, entries)):
            raise self._altered(found)
        entries = entries[: place.width]
        hashes = [sha256(b"\0" + entry).digest() for entry in entries]
        if place.width < WIDTH:
            good = tuple(hashes) == self.frontier().rows[0]
        else:
            good = subtree_root(hashes) == self.read(HEIGHT, index)
        if not good:
            raise self._altered(place)
        if tiles and self._hashes(level := tile_at(0, index, self.tree.size)) != b"".join(hashes):
            raise self._altered(level)
        return entries, hashes

    def _fetch(self, place: Tile) -> tuple[bytes, Tile]:
        """Return a tile or bundle unchecked, and which: the full one where the partial is gone."""
        try:
            return self._get(place), place
        except NotFoundError as error:
            with suppress(NotFoundError):
                return self._get(place.full), place.full
            raise LogError(
                f"the log {self.tree.origin} lacks {place.key}",
                got="no such object",
                expected=f"all tiles and leaves of its checkpoint of {self.tree.size}",
                todo="The log was shortened, or it is being copied",
            ) from error

    def _get(self, place: Tile) -> bytes:
        self.fetched += 1
        try:
            return self._source.get(place.key, place.limit)
        except TooLargeError as error:
            raise self._altered(place) from error

    def _hashes(self, place: Tile) -> bytes:
        """Return the bytes of a hash tile, of a fuller one the part that this tree has."""
        data, found = self._fetch(place)
        if len(data) != found.width * HASH_SIZE:
            raise self._altered(found)
        return data[: place.width * HASH_SIZE]

    def _altered(self, place: Tile) -> LogError:
        return LogError(
            f"{place.key} of the log {self.tree.origin} is altered",
            got="bytes that the checkpoint does not cover",
            expected=f"part of the tree of {self.tree.size} leaves",
            todo="Use another copy of the log, and find out what wrote into this one",
        )
