"""A log of any leaves, signed by its own key: what only a dishonest center writes."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.log.checkpoint import Checkpoint
from pipelines.log.leaf import Leaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import sign_note
from pipelines.log.tiles import CHECKPOINT, Frontier, Tile, pack_entries
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import ORIGIN


def write_log(store: MemoryStore, leaves: Sequence[Leaf]) -> None:
    """Write a log of fewer than 256 leaves, whatever they say."""
    data = [leaf.to_bytes() for leaf in leaves]
    edge, tiles = Frontier().grown([leaf_hash(leaf) for leaf in data])
    for tile, hashes in tiles:
        store.put_record(tile.key, hashes)
    store.put_record(Tile(level=None, index=0, width=len(data)).key, pack_entries(data))
    checkpoint = Checkpoint(origin=ORIGIN, size=len(data), root=edge.root())
    store.put_latest(CHECKPOINT, sign_note(checkpoint.to_text(), keys.log()))
