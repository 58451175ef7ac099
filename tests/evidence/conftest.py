"""The stores that the contract suite runs over, and small real file systems to break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.evidence.directory import DirectoryStore
from pipelines.evidence.store import Store
from tests.fakes.disk import small_disk_at
from tests.fakes.store import MemoryStore

Opener = Callable[[], Store]


@pytest.fixture(params=["directory", "memory"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Open one and the same store, again and again, as several processes would."""
    if request.param == "directory":
        return lambda: DirectoryStore(tmp_path / "store")
    memory = MemoryStore()
    return lambda: memory


@pytest.fixture
def store(opener: Opener) -> Store:
    return opener()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    with small_disk_at(tmp_path / "disk") as mount:
        yield mount
