"""Reading the hashes of a tree from its tiles."""

from __future__ import annotations

import pytest

from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.merkle import leaf_hash
from pipelines.log.tile_reader import TileReader
from pipelines.log.tiles import WIDTH, Frontier, subtree_root
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN


def test_a_tree_of_three_levels() -> None:
    """65,536 leaves and more: a second level fills, and a third begins."""
    size = WIDTH * WIDTH + WIDTH + 1
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    edge, tiles = Frontier().grown(hashes)
    assert [len(row) for row in edge.rows] == [1, 1, 1]
    assert edge.rows[2][0] == subtree_root(hashes[: WIDTH * WIDTH])
    store = MemoryStore()
    for tile, data in tiles:
        store.put_record(tile.key, data)
    tree = Checkpoint(origin=ORIGIN, size=size, root=edge.root())
    reader = TileReader(store, tree)
    assert reader.read(16, 0) == edge.rows[2][0]
    assert reader.read(8, 256) == edge.rows[1][0]
    assert reader.read(9, 3) == subtree_root(hashes[1536:2048])
    assert reader.read(0, size - 1) == hashes[-1]
    with pytest.raises(LogError, match="no such subtree"):
        reader.read(0, size)
    with pytest.raises(LogError, match="no such subtree"):
        reader.read(9, 128)
