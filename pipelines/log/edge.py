"""The right edge of a tree: its partial tiles, which is all that a log needs to grow.

An edge holds at most 255 hashes a tile level, and gives the root of its tree without any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.log.merkle import EMPTY_ROOT, node_hash
from pipelines.log.tiles import WIDTH, Tile, count_at, subtree_root


@dataclass(frozen=True)
class Edge:
    """The tree of `size` leaves; `rows` has the hashes of its partial tile at each tile level."""

    size: int = 0
    rows: tuple[tuple[bytes, ...], ...] = ()

    def __post_init__(self) -> None:
        for level, row in enumerate(self.rows):
            if len(row) != count_at(level, self.size) % WIDTH:
                message = f"{len(row)} hashes at level {level} of {self.size} leaves"
                raise ValueError(message)
        if count_at(len(self.rows), self.size):
            message = f"{len(self.rows)} levels of {self.size} leaves"
            raise ValueError(message)

    def root(self) -> bytes:
        """Return the root of the tree."""
        found: bytes | None = None
        for row in self.rows:  # from the bottom: what is on the right is the lowest
            for part in reversed(_complete(row)):
                found = part if found is None else node_hash(part, found)
        return EMPTY_ROOT if found is None else found

    def grown(self, hashes: Sequence[bytes]) -> tuple[Edge, list[tuple[Tile, bytes]]]:
        """Return the edge after these leaf hashes, and the tiles that the larger tree needs anew.

        Full tiles come once, partial ones with the width they have now; lower levels come first.
        """
        size, tiles = self.size + len(hashes), list[tuple[Tile, bytes]]()
        rows, new, level = list(self.rows), list(hashes), 0
        while new:
            if level == len(rows):
                rows.append(())
            row, new = [*rows[level], *new], []
            index = count_at(level, self.size) // WIDTH
            while len(row) >= WIDTH:
                full, row = row[:WIDTH], row[WIDTH:]
                tiles.append((Tile(level=level, index=index, width=WIDTH), b"".join(full)))
                new.append(subtree_root(full))
                index += 1
            if row:
                tiles.append((Tile(level=level, index=index, width=len(row)), b"".join(row)))
            rows[level] = tuple(row)
            level += 1
        return Edge(size, tuple(rows)), tiles


def _complete(row: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of the largest complete subtrees over a row, from left to right."""
    parts, start = [], 0
    while start < len(row):
        width = 1 << ((len(row) - start).bit_length() - 1)
        parts.append(subtree_root(row[start : start + width]))
        start += width
    return parts
