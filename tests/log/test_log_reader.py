"""Reading a log that nobody needs to be trusted for: what is altered is refused, wherever it is."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builders.core.errors import NotFoundError
from pipelines.log.checkpoint import open_checkpoint
from pipelines.log.errors import LogError, NoteError
from pipelines.log.leaf import FIRST
from pipelines.log.log_reader import LogReader, published
from pipelines.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from pipelines.log.tiles import (
    CHECKPOINT,
    WIDTH,
    checkpoint_key,
    index_path,
    pack_entries,
    unpack_entries,
)
from pipelines.storage.store import check_limit
from tests.fakes.store import MemoryStore
from tests.log import keys
from tests.log.keys import ORIGIN, identity
from tests.log.logs import KEY, audited, entries, entry, hashed, opened, public, reader

SIZES = (300, 40, 480)
SIZE = sum(SIZES)


@dataclass
class Copy:
    """A copy of a log that anybody may have altered, and what was read of it."""

    objects: dict[str, bytes]
    read: list[str] = field(default_factory=list)

    def get(self, key: str, limit: int) -> bytes:
        self.read.append(key)
        if key not in self.objects:
            raise NotFoundError("the store has no such object", got=key)
        check_limit(key, len(self.objects[key]), limit)
        return self.objects[key]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A log of 820 leaves in three batches: three full tiles a row, and one of 52."""
    store, start = MemoryStore(), 0
    log = opened(store, tmp_path_factory.mktemp("log"))
    for size in SIZES:
        log.append(entries(range(start, start + size)))
        start += size
    return public(store)


@pytest.fixture
def copy(made: dict[str, bytes]) -> Copy:
    return Copy(dict(made))


def test_all_of_a_log_is_read(copy: Copy) -> None:
    assert [leaf.identity for leaf in audited(copy)] == [
        entry(number).identity for number in range(SIZE)
    ]


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (255, 257), (256, 256), (300, 700), (768, 820), (819, 820), (5, 5)]
)
def test_a_part_is_read(copy: Copy, start: int, stop: int) -> None:
    found = list(reader(copy).leaves(start, stop))
    assert [index for index, _ in found] == list(range(start, stop))
    for index, leaf in found:
        assert leaf.identity == entry(index).identity
    facts = list(reader(copy).fields(start, stop))
    assert [(i, leaf.hash) for i, leaf in facts] == [(i, hashed(leaf)) for i, leaf in found]


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 821), (900, None)])
def test_no_more_than_the_checkpoint_covers(copy: Copy, start: int, stop: int | None) -> None:
    with pytest.raises(LogError, match="covers no such leaves"):
        list(reader(copy).leaves(start, stop))


def test_every_leaf_is_proved(copy: Copy) -> None:
    log = reader(copy)
    root = log.checkpoint.checkpoint.root
    for index, facts in log.fields():
        verify_inclusion(
            leaf=facts.hash, index=index, size=SIZE, proof=log.inclusion(index), root=root
        )


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 300, 340, 512, 768, 819, 820])
def test_a_smaller_tree_is_proved(copy: Copy, size: int) -> None:
    log = reader(copy)
    new = log.checkpoint.checkpoint
    old = log.tree(size)
    verify_consistency(
        old_size=size,
        old_root=old.root,
        new_size=new.size,
        new_root=new.root,
        proof=log.consistency(size),
    )
    verify_inclusion(
        leaf=hashed(log.leaf(size - 1)),
        index=size - 1,
        size=size,
        proof=log.inclusion(size - 1, size),
        root=old.root,
    )
    if kept := copy.objects.get(checkpoint_key(size)):
        assert open_checkpoint(kept, identity(KEY)).checkpoint == old


def test_a_tree_that_the_checkpoint_does_not_cover(copy: Copy) -> None:
    match = "covers no such tree; got 821; expected 0 to 820 leaves"
    with pytest.raises(LogError, match=match):
        reader(copy).tree(SIZE + 1)
    with pytest.raises(LogError, match=match):
        reader(copy).inclusion(0, SIZE + 1)
    with pytest.raises(LogError, match=match):
        reader(copy).consistency(3, SIZE + 1)
    with pytest.raises(LogError, match="no tree has that size; got -1"):
        reader(copy).tree(-1)
    with pytest.raises(LogError, match="never shrinks"):
        reader(copy).consistency(SIZE + 1)
    with pytest.raises(LogError, match="no such leaf"):
        reader(copy).inclusion(SIZE)


def use_everything(copy: Copy) -> None:
    """Read all that a log hands out."""
    log = reader(copy)
    for index, _ in log.fields(tiles=True):
        if index % 100 == 0:
            log.inclusion(index)
    log.consistency(300)


def used(objects: dict[str, bytes]) -> list[str]:
    copy = Copy(dict(objects))
    use_everything(copy)
    return sorted(set(copy.read))


def test_whatever_is_altered_is_refused(made: dict[str, bytes]) -> None:
    """One byte of every object that is read: at its start, in its middle, and at its end."""
    names = used(made)
    assert len(names) == 10
    for name in names:
        data = made[name]
        for position in (0, len(data) // 2, len(data) - 1):
            altered = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
            with pytest.raises(LogError):
                use_everything(Copy({**made, name: altered}))


def test_a_tile_that_no_leaf_needs_is_compared_when_asked_for(copy: Copy) -> None:
    tile = f"public/log/tile/0/{index_path(1)}"
    copy.objects[tile] = copy.objects[tile][::-1]
    assert len(list(reader(copy).fields())) == SIZE
    with pytest.raises(LogError, match=rf"{tile} .* is altered"):
        list(reader(copy).fields(tiles=True))


@pytest.mark.parametrize("index", [0, 2, 3])
def test_a_leaf_is_refused_even_where_the_tile_beside_it_agrees(copy: Copy, index: int) -> None:
    part = "" if index < 3 else ".p/52"
    bundle, tile = (f"public/log/tile/{n}/{index_path(index)}{part}" for n in ("entries", "0"))
    count = WIDTH if index < 3 else 52
    leaves = unpack_entries(copy.objects[bundle], count, what=bundle)
    leaves[7] = entry(99_999).leaf(0, FIRST).to_bytes()
    copy.objects[bundle] = pack_entries(leaves)
    with pytest.raises(LogError, match=rf"{index_path(index)}.* is altered"):
        list(reader(copy).leaves())
    copy.objects[tile] = b"".join(map(leaf_hash, leaves))
    for tiles in (False, True):
        with pytest.raises(LogError, match=r"is altered|are not those of its checkpoint"):
            list(reader(copy).fields(tiles=tiles))
    with pytest.raises(LogError, match=r"is altered|are not those of its checkpoint"):
        reader(copy).inclusion(index * WIDTH)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:0],
        lambda data: data + b"\0",
        lambda data: data + data,
        lambda data: data + bytes(20_000_000),
    ],
    ids=["cut", "half", "empty", "longer", "doubled", "bomb"],
)
def test_whatever_has_another_length_is_refused(
    made: dict[str, bytes], change: Callable[[bytes], bytes]
) -> None:
    for name in used(made):
        with pytest.raises(LogError):
            use_everything(Copy({**made, name: change(made[name])}))


def test_whatever_is_missing_is_refused(made: dict[str, bytes]) -> None:
    for name in used(made):
        copy = Copy({key: data for key, data in made.items() if key != name})
        with pytest.raises(LogError, match=r"lacks|there is no log"):
            use_everything(copy)


def test_where_the_partial_one_is_gone_the_full_one_serves(
    made: dict[str, bytes], tmp_path: Path
) -> None:
    """As C2SP tlog-tiles allows: a log may delete a partial tile once the full one is there."""
    store = MemoryStore()
    store.objects = {key: [data] for key, data in made.items()}
    newest = made[CHECKPOINT]
    opened(store, tmp_path).append(entries(range(SIZE, 4 * WIDTH)))
    grown = public(store)
    for level in ("0", "entries"):
        del grown[f"public/log/tile/{level}/{index_path(3)}.p/52"]
        assert f"public/log/tile/{level}/{index_path(3)}" in grown
    use_everything(Copy({**grown, CHECKPOINT: newest}))
    use_everything(Copy(grown))


def test_the_newest_checkpoint_is_found(copy: Copy) -> None:
    found = published(copy, identity(KEY))
    assert found is not None
    assert found.checkpoint.size == SIZE
    del copy.objects[CHECKPOINT]
    assert published(copy, identity(KEY)) is None
    with pytest.raises(LogError, match=f"there is no log {ORIGIN}"):
        _ = reader(copy).checkpoint


def test_another_key_or_log_is_refused(copy: Copy) -> None:
    with pytest.raises(NoteError):
        _ = LogReader(copy, identity(keys.log(word="other").key)).checkpoint
    with pytest.raises(LogError, match="of another log"):
        _ = LogReader(copy, identity(KEY, origin="samebits.example/centers/west")).checkpoint


def test_a_checkpoint_that_was_opened_before_is_looked_at(copy: Copy) -> None:
    old = open_checkpoint(copy.objects[checkpoint_key(300)], identity(KEY))
    log = LogReader(copy, identity(KEY), old)
    assert log.size == 300
    assert len(list(log.leaves())) == 300
    with pytest.raises(LogError):
        log.inclusion(300)


def test_one_view_stays_one_view(copy: Copy, made: dict[str, bytes]) -> None:
    copy.objects[CHECKPOINT] = made[checkpoint_key(300)]
    log = reader(copy)
    assert log.size == 300
    copy.objects[CHECKPOINT] = made[checkpoint_key(820)]
    assert log.size == len(list(log.leaves())) == 300


def test_a_proof_reads_few_tiles(copy: Copy) -> None:
    log = reader(copy)
    log.tiles.frontier()
    assert log.tiles.fetched == 2
    log.inclusion(100)
    assert log.tiles.fetched == 3
    log.inclusion(101)
    assert log.tiles.fetched == 3


def test_memory_does_not_grow_with_the_log(made: dict[str, bytes], tmp_path: Path) -> None:
    store = MemoryStore()
    store.objects = {key: [data] for key, data in made.items()}
    opened(store, tmp_path).append(entries(range(SIZE, 4000)))
    copy = Copy(public(store))

    def peak(stop: int) -> int:
        log = reader(copy)
        tracemalloc.start()
        for _ in log.fields(0, stop, tiles=True):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1000)
    assert peak(4000) < peak(1000) + 100_000


def test_leaf_hashes_are_those_of_the_leaves(copy: Copy) -> None:
    for _, leaves, hashes in reader(copy).entries(250, 260):
        assert hashes == [leaf_hash(leaf) for leaf in leaves]
