"""A store, a home, and a log of ours in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.log.writer import LogWriter
from tests.fakes.store import MemoryStore
from tests.log.logs import (
    opened,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def log(store: MemoryStore, home: Path) -> LogWriter:
    return opened(store, home)
