"""Kept logs that several processes use at once, and databases that are damaged or cannot grow."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from builders.core.digest import Digest
from pipelines.audit.kept_logs import KeptLog, KeptLogs
from pipelines.audit.source import UnreachableError
from pipelines.log.errors import LogError
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.writer import LogWriter
from tests.audit.test_kept_logs import (
    copied,
    entries,
    index_of_east,
    log,
    read,
    statements,
    store,
    told,
)
from tests.fakes.store import MemoryStore
from tests.log.logs import KEY, reader

__all__ = ["log", "store"]
NEWEST = Digest.of(b"898")
RELEASE = "vendor/product@4"


class GrowsMeanwhile:
    """A log that grows, and that another process reads, just after its checkpoint was fetched."""

    def __init__(self, store: MemoryStore, log: LogWriter, folder: Path, shown: int) -> None:
        self.store = store
        self.early = copied(store)
        self.log = log
        self.folder = folder
        self.shown = shown
        """How often the store shows its old checkpoint."""

    def get(self, key: str, limit: int) -> bytes:
        if key != CHECKPOINT or not self.shown:
            return self.store.get(key, limit)
        self.shown -= 1
        if self.store.get(key, limit) == self.early.get(key, limit):
            self.log.append(entries(range(600, 900)))
            read(KeptLogs(self.folder), self.store)
        return self.early.get(key, limit)


def test_a_reader_that_was_overtaken_takes_no_leaf_from_others(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    slow = reader(store)
    assert slow.size == 600
    log.append(entries(range(600, 900)))
    logs = index_of_east(store, KeptLogs(tmp_path / "kept"))
    assert logs.index_of("east", NEWEST) == 898
    with pytest.raises(UnreachableError, match="got 600 leaves, and 900 are kept"):
        KeptLogs(tmp_path / "kept").of(KEY).read(slow)
    assert logs.index_of("east", NEWEST) == 898
    assert len(logs.about("east", RELEASE).results) == len(
        [one for one in statements(range(900)) if one.release == RELEASE]
    )


def test_a_reader_that_was_overtaken_reads_the_newest_checkpoint(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    source = GrowsMeanwhile(store, log, tmp_path / "kept", shown=1)
    logs = index_of_east(source, KeptLogs(tmp_path / "kept"))
    assert logs.index_of("east", NEWEST) == 898


def test_a_log_that_goes_on_showing_less_than_others_have_kept_is_broken(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    source = GrowsMeanwhile(store, log, tmp_path / "kept", shown=99)
    logs = index_of_east(source, KeptLogs(tmp_path / "kept"))
    with pytest.raises(LogError, match="is not what it has signed"):
        logs.index_of("east", NEWEST)
    assert len(KeptLogs(tmp_path / "kept").of(KEY)) == 900


def test_of_fewer_leaves_than_were_read_nothing_is_answered(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    logs = index_of_east(store, KeptLogs(tmp_path / "kept"))
    assert logs.index_of("east", Digest.of(b"598")) == 598
    upgraded = logs.upgraded_at("east")
    KeptLogs(tmp_path / "kept").of(KEY).clear()
    assert logs.upgraded_at("east") == upgraded, "that was read with the log"
    for question in (
        lambda: logs.index_of("east", Digest.of(b"598")),
        lambda: logs.about("east", RELEASE),
        lambda: logs.mark("east", RELEASE),
    ):
        with pytest.raises(UnreachableError, match="got 0 leaves of the 600"):
            question()


def test_a_log_of_which_nothing_is_kept_once_it_was_read_answers_nothing(
    store: MemoryStore, log: LogWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = KeptLog.read

    def cleared(kept: KeptLog, *more: Any) -> None:
        read(kept, *more)
        kept.clear()

    monkeypatch.setattr(KeptLog, "read", cleared)
    logs = index_of_east(store, KeptLogs(tmp_path / "kept"))
    with pytest.raises(UnreachableError, match="got 0 leaves of the 600"):
        logs.upgraded_at("east")


def overwritten(folder: Path, page: int, kept: KeptLog) -> None:
    """Damage one page of a database, of 4096 bytes."""
    kept._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept._database.close()
    (path,) = folder.glob("*.sqlite")
    data = bytearray(path.read_bytes())
    data[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    path.write_bytes(data)


@pytest.mark.parametrize("page", range(1, 14))
def test_a_log_with_a_damaged_page_is_read_again(
    store: MemoryStore, log: LogWriter, tmp_path: Path, page: int
) -> None:
    folder = tmp_path / "kept"
    kept = read(KeptLogs(folder), store)
    whole = told(kept)
    overwritten(folder, page, kept)
    for last in (False, True):
        logs = index_of_east(store, KeptLogs(folder))
        try:
            found = {name: logs.about("east", name) for name in whole}
            assert [logs.index_of("east", one.pae) for one in statements(range(600))] == [
                number for number in range(600) if number % 4 != 3
            ]
        except UnreachableError:
            assert not last
        else:
            assert found == whole


def test_a_full_disk_is_told_and_nothing_is_lost(
    store: MemoryStore, log: LogWriter, tmp_path: Path
) -> None:
    kept = KeptLogs(tmp_path / "kept")
    found = read(kept, store)
    (pages,) = found._database.execute("PRAGMA page_count").fetchone()
    found._database.execute(f"PRAGMA max_page_count = {pages}")
    log.append(entries(range(600, 3000)))
    with pytest.raises(UnreachableError, match=r"kept/\w+\.sqlite: database or disk is full.*Free"):
        read(kept, store)
    assert len(KeptLogs(tmp_path / "kept").of(KEY)) >= 600


def test_a_database_that_is_locked_is_told_and_stays(
    store: MemoryStore, log: LogWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(KeptLogs(tmp_path / "kept"), store)._database.close()
    (path,) = (tmp_path / "kept").glob("*.sqlite")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("pipelines.audit.leaf_database._PATIENCE", 0)
    with pytest.raises(UnreachableError, match=r"kept/\w+\.sqlite: database is locked"):
        KeptLogs(tmp_path / "kept").of(KEY)
    other.close()
    assert len(KeptLogs(tmp_path / "kept").of(KEY)) == 600


@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_two_that_read_at_once_keep_every_leaf_once(
    store: MemoryStore, log: LogWriter, tmp_path: Path, *, processes: bool
) -> None:
    kept = KeptLogs(tmp_path / "kept")
    read(kept, store)
    log.append(entries(range(600, 605)))
    also = KeptLogs(tmp_path / "kept") if processes else kept
    other = Thread(target=read, args=(also, store))

    class Meanwhile:
        def get(self, key: str, limit: int) -> bytes:
            if other.ident is None:
                other.start()
                other.join(0.2)
            return store.get(key, limit)

    assert len(read(kept, Meanwhile())) == 605
    other.join()
    assert told(read(also, store)) == told(read(KeptLogs(), store))
