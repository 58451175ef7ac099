"""Tiles: names and sizes as C2SP tlog-tiles says, and the same root from every way of growing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.log.checkpoint import Checkpoint
from pipelines.log.errors import LogError
from pipelines.log.merkle import EMPTY_ROOT, leaf_hash
from pipelines.log.tile_reader import TileReader
from pipelines.log.tiles import (
    CHECKPOINT,
    MAX_ENTRY,
    WIDTH,
    Frontier,
    Tile,
    checkpoint_key,
    count_at,
    index_path,
    levels,
    pack_entries,
    subtree_root,
    tile_at,
    unpack_entries,
)
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN
from tests.log.tree import mth


def new_tiles(level: int | None, old: int, new: int) -> Iterator[Tile]:
    """Yield the tiles of one level that a log needs anew when it grows from `old` to `new`."""
    before, after = count_at(level or 0, old), count_at(level or 0, new)
    if after > before:
        for index in range(before // WIDTH, -(-after // WIDTH)):
            yield tile_at(level, index, new)


def some(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]


@pytest.mark.parametrize(
    ("index", "path"),
    [
        (0, "000"),
        (7, "007"),
        (999, "999"),
        (1000, "x001/000"),
        (1234067, "x001/x234/067"),  # the example of the text
        (999_999, "x999/999"),
        (1_000_000, "x001/x000/000"),
    ],
)
def test_an_index_is_spelled_in_threes(index: int, path: str) -> None:
    assert index_path(index) == path
    assert Tile(level=0, index=index, width=WIDTH).key == f"public/log/tile/0/{path}"
    assert Tile(level=2, index=index, width=3).key == f"public/log/tile/2/{path}.p/3"
    assert Tile(level=None, index=index, width=255).key == f"public/log/tile/entries/{path}.p/255"


def test_the_most_bytes_of_a_tile() -> None:
    assert Tile(level=0, index=0, width=3).limit == 3 * 32
    assert Tile(level=1, index=0, width=WIDTH).limit == 256 * 32
    assert Tile(level=None, index=0, width=3).limit == 256 * (2 + MAX_ENTRY)


def test_names_beside_the_tiles() -> None:
    assert CHECKPOINT == "public/log/checkpoint"
    assert checkpoint_key(70_000) == "public/log/checkpoints/70000"


def test_the_example_of_the_text() -> None:
    """A tree of size 70,000 has 273 full tiles and one of 112, one full and one of 17, one of 1."""
    tiles = [tile for level in range(levels(70_000)) for tile in new_tiles(level, 0, 70_000)]
    counts = [(tile.level, tile.width) for tile in tiles]
    assert counts.count((0, WIDTH)) == 273
    assert counts[273:] == [(0, 112), (1, WIDTH), (1, 17), (2, 1)]
    assert [t.width for level in range(levels(256)) for t in new_tiles(level, 0, 256)] == [WIDTH, 1]
    assert levels(0) == 0
    assert [count_at(level, 70_000) for level in range(4)] == [70_000, 273, 1, 0]


def test_a_tile_that_no_log_of_that_size_has() -> None:
    with pytest.raises(LogError, match="a log of 256 leaves has no such tile"):
        tile_at(0, 1, 256)
    with pytest.raises(LogError, match="no such tile"):
        tile_at(2, 0, 256)


@given(st.lists(st.binary(max_size=30), max_size=40))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    data = pack_entries(entries)
    assert len(data) == sum(len(entry) + 2 for entry in entries)
    for count in (0, len(entries) // 2, len(entries)):
        assert unpack_entries(data, count, what="x") == entries[:count]
    with pytest.raises(LogError, match="x is cut off"):
        unpack_entries(data, len(entries) + 1, what="x")
    for cut in range(len(data)):
        with pytest.raises(LogError, match="x is cut off"):
            unpack_entries(data[:cut], len(entries), what="x")


def test_lengths_are_big_endian() -> None:
    assert pack_entries([b"a" * 0x0102])[:2] == b"\1\2"
    assert unpack_entries(pack_entries([b"a" * MAX_ENTRY]), 1, what="x") == [b"a" * MAX_ENTRY]
    with pytest.raises(OverflowError):
        pack_entries([b"a" * (MAX_ENTRY + 1)])


def test_the_hash_over_a_tile_is_that_of_its_leaves() -> None:
    hashes = [leaf_hash(entry) for entry in some(WIDTH)]
    assert subtree_root(hashes) == mth(some(WIDTH))


@example([WIDTH, WIDTH - 1, 1])
@given(st.lists(st.integers(0, 700), max_size=5))
def test_however_a_tree_grows_its_edge_is_the_same(steps: list[int]) -> None:
    edge, store = Frontier(), MemoryStore()
    assert edge.root() == EMPTY_ROOT
    for step in steps:
        before = edge
        edge, tiles = before.grown([leaf_hash(entry) for entry in some(step, before.size)])
        for tile, data in tiles:
            store.put_record(tile.key, data)
        expected = [
            tile
            for level in range(levels(edge.size))
            for tile in new_tiles(level, before.size, edge.size)
        ]
        assert [tile for tile, _ in tiles] == expected
    assert edge == Frontier().grown([leaf_hash(entry) for entry in some(sum(steps))])[0]
    assert edge.root() == mth(some(edge.size))
    tree = Checkpoint(origin=ORIGIN, size=edge.size, root=edge.root())
    assert TileReader(store, tree).frontier() == edge


def test_an_edge_that_does_not_fit_its_size() -> None:
    one = leaf_hash(b"")
    for size, rows in ((1, ()), (1, ((),)), (1, ((one, one),)), (0, ((one,),)), (256, ((),))):
        with pytest.raises(ValueError, match="leaves"):
            Frontier(size, rows)
