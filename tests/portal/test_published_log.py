"""A log as the portal publishes it: whole for any reader of C2SP tiles, and never read twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.log.tiles import PREFIX
from pipelines.log.writer import LogWriter
from pipelines.portal.published_log import full_tiles, known_leaves, log_objects
from tests.fakes.store import MemoryStore
from tests.log.conftest import home, log, store
from tests.log.logs import audited, entries, opened, reader

__all__ = ["home", "log", "store"]


def grow(log: LogWriter, start: int, stop: int) -> None:
    log.append(entries(range(start, stop)))


def objects(store: MemoryStore, known: int = 0) -> dict[str, bytes]:
    found = reader(store)
    return dict(log_objects(found, found.checkpoint, known))


def digests(published: dict[str, bytes]) -> dict[str, str]:
    return {name: Digest.of(data).hex for name, data in published.items()}


def as_source(published: dict[str, bytes]) -> MemoryStore:
    """Return a store that has the published objects alone."""
    made = MemoryStore()
    for name, data in published.items():
        made.overwrite(f"{PREFIX}{name}", data)
    return made


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_another_reader_finds_a_whole_log(log: LogWriter, store: MemoryStore, size: int) -> None:
    grow(log, 0, size)
    published = objects(store)
    assert len(audited(as_source(published))) == size
    assert list(published)[-1] == "checkpoint"


def test_full_tiles_are_not_read_again(log: LogWriter, store: MemoryStore) -> None:
    grow(log, 0, 600)
    before = objects(store)
    known = known_leaves(reader(store), digests(before))
    assert known == 600
    grow(log, 600, 700)
    now = reader(store)
    assert known_leaves(now, digests(before)) == 600
    store.calls.clear()
    added = objects(store, 600)
    assert {"tile/entries/000", "tile/0/001"}.isdisjoint(added)
    assert not [key for _, key in store.calls if key.endswith(("entries/000", "entries/001"))]
    kept = {name: before[name] for name in full_tiles(600)}
    assert len(audited(as_source({**kept, **added}))) == 700


def test_the_tiles_of_another_log_are_not_kept(
    log: LogWriter, store: MemoryStore, tmp_path: Path
) -> None:
    grow(log, 0, 600)
    other = MemoryStore()
    grow(opened(other, tmp_path / "other"), 1000, 1700)
    before = digests(objects(other))
    assert known_leaves(reader(store), before) == 0
    shorter = MemoryStore()
    grow(opened(shorter, tmp_path / "shorter"), 1000, 1300)
    assert known_leaves(reader(store), digests(objects(shorter))) == 0


def test_a_tile_that_is_not_there_is_read_again(log: LogWriter, store: MemoryStore) -> None:
    grow(log, 0, 600)
    before = digests(objects(store))
    del before["tile/0/001"]
    assert known_leaves(reader(store), before) == 0
    assert known_leaves(reader(store), {}) == 0
    assert known_leaves(reader(store), {"index.html": "0", "tile/entries/none": "1"}) == 0
