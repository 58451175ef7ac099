"""A log as the portal publishes it: its own C2SP tiles, below `logs/<center>/`.

What is published was read under the log's signed checkpoint, so it is what that checkpoint covers.
Full tiles never change: those of a log of before are published again without reading them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, takewhile

from builders.core.digest import Digest
from pipelines.log.checkpoint import SignedCheckpoint
from pipelines.log.cosignatures import cosigned_checkpoints, merge_cosignatures
from pipelines.log.log_reader import LogReader
from pipelines.log.tiles import (
    CHECKPOINT,
    PREFIX,
    WIDTH,
    Tile,
    count_at,
    levels,
    pack_entries,
    tile_at,
)
from pipelines.storage.store import ReadableStore

_CHECKPOINT = CHECKPOINT.removeprefix(PREFIX)
_BUNDLE = re.compile(r"tile/entries/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?")


def with_cosignatures(reader: LogReader, stores: Iterable[ReadableStore]) -> SignedCheckpoint:
    """Return the checkpoint of a log, with the cosignatures that witnesses keep in their stores.

    Its owner may not have collected them yet. Raises `LogError`, and `StoreError` for the log.
    """
    base = reader.checkpoint
    size = base.checkpoint.size
    kept = (
        takewhile(
            lambda one: one.checkpoint.size >= size, cosigned_checkpoints([store], reader.log)
        )
        for store in stores
    )
    return merge_cosignatures(chain.from_iterable(kept), base)


def log_objects(
    reader: LogReader, checkpoint: SignedCheckpoint, known: int = 0
) -> Iterator[tuple[str, bytes]]:
    """Yield the names of a log's objects, below its folder, and their bytes; the checkpoint last.

    Full tiles of the tree of the first `known` leaves are left out. Raises `LogError` and
    `StoreError`.
    """
    size = reader.size
    for index in range(known // WIDTH, _tiles(0, size)):
        entries, hashes = reader.tiles.bundle(index)
        yield _name(tile_at(None, index, size)), pack_entries(entries)
        yield _name(tile_at(0, index, size)), b"".join(hashes)
    for level in range(1, levels(size)):
        for index in range(count_at(level, known) // WIDTH, _tiles(level, size)):
            yield _name(tile_at(level, index, size)), b"".join(reader.tiles.tile(level, index))
    yield _CHECKPOINT, checkpoint.note.to_bytes()


def full_tiles(size: int) -> Iterator[str]:
    """Yield the names of the full tiles of the tree of `size` leaves."""
    for level in (None, *range(levels(size))):
        for index in range(count_at(level or 0, size) // WIDTH):
            yield _name(Tile(level=level, index=index, width=WIDTH))


def known_leaves(reader: LogReader, published: Mapping[str, str]) -> int:
    """Return how many leaves of a log are published already; 0 where that was another log.

    `published` has the SHA-256 of each object of before by its name. The partial tiles of a tree
    give its root: so where they are the beginning of those of now, all full tiles are the same.
    Raises `LogError`, `StoreError`.
    """
    sizes = (_end(match) for name in published if (match := _BUNDLE.fullmatch(name)))
    size = max(sizes, default=0)
    if not 0 < size <= reader.size or any(name not in published for name in full_tiles(size)):
        return 0
    for level in range(levels(size)):
        index, width = divmod(count_at(level, size), WIDTH)
        if not width:
            continue
        row = b"".join(reader.tiles.tile(level, index)[:width])
        place = Tile(level=level, index=index, width=width)
        if published.get(_name(place)) != Digest.of(row).hex:
            return 0
    return size


def _end(match: re.Match[str]) -> int:
    """Return the index after the last leaf of an entry bundle, by its name."""
    index = int(re.sub(r"\D", "", match[1]))
    return index * WIDTH + int(match[2] or WIDTH)


def _tiles(level: int, size: int) -> int:
    """Return how many tiles of a level a tree has, the partial one included."""
    return -(-count_at(level, size) // WIDTH)


def _name(place: Tile) -> str:
    return place.key.removeprefix(PREFIX)
