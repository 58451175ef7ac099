"""Tiles and entry bundles: a log as static objects, exactly as C2SP tlog-tiles has them.

A hash tile holds up to 256 consecutive hashes of subtrees of 256**level leaves each; an entry
bundle holds up to 256 leaves. Full ones never change; a partial one is an object of its own for
every width that a checkpoint needed. The partial tiles of a tree are its frontier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from pipelines.log.errors import LogError
from pipelines.log.merkle import HASH_SIZE, tree_root

PREFIX = "public/log/"
CHECKPOINT = f"{PREFIX}checkpoint"
"""The one object of a store that is replaced: the newest checkpoint."""
HEIGHT = 8
WIDTH = 1 << HEIGHT
"""Hashes of a full tile, leaves of a full bundle."""
MAX_ENTRY = 0xFFFF
MAX_BUNDLE = WIDTH * (2 + MAX_ENTRY)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """The place of a hash tile, or of an entry bundle where `level` is None."""

    level: int | None
    index: int
    width: int

    @property
    def key(self) -> str:
        """Its name in a store."""
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{PREFIX}tile/{level}/{index_path(self.index)}{partial}"

    @property
    def limit(self) -> int:
        """The most bytes that it can have."""
        return MAX_BUNDLE if self.level is None else self.width * HASH_SIZE

    @property
    def full(self) -> Tile:
        """The full tile that it is, or becomes."""
        return Tile(level=self.level, index=self.index, width=WIDTH)


def checkpoint_key(size: int) -> str:
    """Return the name under which this center keeps its own checkpoint of that size for good."""
    return f"{PREFIX}checkpoints/{size}"


def index_path(index: int) -> str:
    """Return a tile's index as path elements of three digits: 1234067 is `x001/x234/067`."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])


def count_at(level: int, size: int) -> int:
    """Return how many hashes of tile level `level` a log of `size` leaves has."""
    return size >> (HEIGHT * level)


def levels(size: int) -> int:
    """Return how many tile levels a log of `size` leaves has."""
    return -(-size.bit_length() // HEIGHT)


def tile_at(level: int | None, index: int, size: int) -> Tile:
    """Return the tile with that index as a log of `size` leaves has it; raises `LogError`."""
    width = min(WIDTH, count_at(level or 0, size) - index * WIDTH)
    if width < 1:
        raise LogError(
            f"a log of {size} leaves has no such tile", got=f"index {index} at level {level}"
        )
    return Tile(level=level, index=index, width=width)


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Return a bundle: each entry with its length before it, as a big-endian uint16."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unpack_entries(data: bytes, count: int, *, what: str) -> list[bytes]:
    """Return the first `count` entries of a bundle, which may hold more; raises `LogError`."""
    entries, position, end = list[bytes](), 0, len(data)
    for _ in range(count):
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if position > end:
            raise LogError(
                f"{what} is cut off",
                got=f"{len(entries)} whole entries in {end} bytes",
                expected=f"{count} entries",
            )
        entries.append(data[start:position])
    return entries


def split_hashes(data: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of the complete subtree over a power of two of hashes."""
    row, hasher = list(hashes), sha256
    while len(row) > 1:
        pairs = iter(row)
        row = [
            hasher(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)
        ]
    return row[0]


@dataclass(frozen=True)
class Frontier:
    """The partial tiles of the tree of `size` leaves: all that a log needs to grow.

    `rows` has the hashes of the partial tile at each tile level, at most 255 of them. They give the
    root of the tree without any other.
    """

    size: int = 0
    rows: tuple[tuple[bytes, ...], ...] = ()

    def __post_init__(self) -> None:
        widths = [count_at(level, self.size) % WIDTH for level in range(levels(self.size))]
        if (got := [len(row) for row in self.rows]) != widths:
            raise ValueError(f"{got} hashes by level, expected {widths} of {self.size} leaves")

    def root(self) -> bytes:
        """Return the root of the tree."""
        return tree_root(self.size, self)

    def read(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree that is not in a larger one, as in `tree_root`."""
        tile, height = divmod(level, HEIGHT)
        start = (index << height) % WIDTH
        return subtree_root(self.rows[tile][start : start + (1 << height)])

    def grown(self, hashes: Sequence[bytes]) -> tuple[Frontier, list[tuple[Tile, bytes]]]:
        """Return the frontier after these leaf hashes, and the tiles that are new in that tree.

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
        return Frontier(size, tuple(rows)), tiles
