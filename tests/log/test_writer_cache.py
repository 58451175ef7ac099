"""The cache of a log can be lost, broken, old, or of another log: the log stays the same."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.core.errors import InfrastructureError
from pipelines.log import writer_cache as cache
from pipelines.log.leaf import FIRST, read_fields
from pipelines.log.tiles import CHECKPOINT, Frontier, checkpoint_key
from pipelines.log.writer import LogWriter
from pipelines.log.writer_cache import WriterCache
from tests.fakes.store import MemoryStore
from tests.log.keys import ORIGIN
from tests.log.logs import audited, entries, entry, identities, opened

NAME = "heads.sqlite"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def log(store: MemoryStore, home: Path) -> LogWriter:
    log = opened(store, home)
    log.append(entries(range(300)))
    return log


def altered(home: Path, *statements: str) -> None:
    with sqlite3.connect(home / NAME) as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def of_another_log(home: Path, size: int) -> None:
    cache.remove_cache(home / NAME)
    opened(MemoryStore(), home, signed=home / "other").append(entries(range(40, 40 + size)))


def written(home: Path, data: bytes) -> None:
    cache.remove_cache(home / NAME)
    (home / NAME).write_bytes(data)


DEFECTS: dict[str, Callable[[Path], None]] = {
    "lost": lambda home: cache.remove_cache(home / NAME),
    "empty": lambda home: written(home, b""),
    "garbage": lambda home: written(home, b"x" * 10_000),
    "cut": lambda home: written(home, (home / NAME).read_bytes()[:5000]),
    "of-a-longer-log": lambda home: of_another_log(home, 320),
    "of-another-log": lambda home: of_another_log(home, 300),
    "of-a-shorter-log": lambda home: of_another_log(home, 40),
    "of-another-origin": lambda home: altered(home, "UPDATE log SET origin = 'x'"),
    "of-another-version": lambda home: altered(home, "PRAGMA user_version = 99"),
    "no-row": lambda home: altered(home, "DELETE FROM log"),
    "two-rows": lambda home: altered(home, "INSERT INTO log SELECT * FROM log"),
    "another-size": lambda home: altered(home, "UPDATE log SET size = 299"),
    "another-edge": lambda home: altered(home, "UPDATE edge SET hashes = zeroblob(44 * 32)"),
    "no-edge": lambda home: altered(home, "DELETE FROM edge"),
    "no-table": lambda home: altered(home, "DROP TABLE releases"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_broken_cache_costs_a_reading_and_nothing_else(
    store: MemoryStore, log: LogWriter, home: Path, defect: str
) -> None:
    before = log.heads()
    DEFECTS[defect](home)
    store.fail_on("put")  # nothing is written to find it out
    for _ in range(2):  # a table that is missing is found when it is used
        try:
            found = opened(store, home).heads()
            break
        except InfrastructureError as error:
            assert defect == "no-table"
            assert "Run again" in str(error)  # noqa: PT017
    assert found == before
    store.heal()
    done = opened(store, home).append(entries(range(290, 310)))
    assert [placed.index for placed in done.leaves] == list(range(290, 310))
    assert identities(audited(store)) == identities(entries(range(310)))


def test_a_cache_that_is_behind_reads_what_it_lacks(
    store: MemoryStore, log: LogWriter, home: Path, tmp_path: Path
) -> None:
    opened(store, tmp_path / "other").append(entries(range(300, 1000)))
    store.calls.clear()
    assert log.find(entry(999).identity) == 999
    read = {key for operation, key in store.calls if operation == "get" and "entries" in key}
    assert read == {f"public/log/tile/entries/{n}" for n in ("001", "002", "003.p/232")}
    assert log.append(entries([999, 1000])).size == 1001


def test_a_cache_of_another_log_is_found_where_the_checkpoint_went_back(
    store: MemoryStore, log: LogWriter, home: Path
) -> None:
    log.append(entries(range(300, 320)))
    before = log.heads()
    store.overwrite(CHECKPOINT, store.get(checkpoint_key(300), 1000))
    of_another_log(home, 320)
    assert log.heads() == before


def test_a_cache_of_another_log_or_version_is_not_looked_at(home: Path, log: LogWriter) -> None:
    with cache.open_cache(home / NAME, ORIGIN) as heads:
        assert heads.size == 300
    altered(home, "PRAGMA user_version = 99")
    with cache.open_cache(home / NAME, ORIGIN) as heads:
        assert heads.size == 0
    log.recover()
    with cache.open_cache(home / NAME, "samebits.example/centers/west") as heads:
        assert heads.size == 0


def test_a_cache_that_is_ahead_of_an_older_copy_is_given_up(
    store: MemoryStore, log: LogWriter, home: Path
) -> None:
    """Without a signer's memory, an older copy of the store is the log that there is."""
    objects = {key: list(versions) for key, versions in store.objects.items()}
    log.append(entries(range(300, 320)))
    store.objects = objects
    (home / "signed").unlink()
    done = opened(store, home).append(entries([310]))
    assert (done.start, done.leaves[0].index) == (300, 300)
    assert identities(audited(store)) == identities(entries([*range(300), 310]))


def test_the_cache_is_copied_with_the_home(
    store: MemoryStore, log: LogWriter, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home, tmp_path / "copy")
    log.append(entries(range(300, 320)))
    done = opened(store, tmp_path / "copy").append(entries(range(310, 330)))
    assert (done.start, done.size) == (320, 330)
    audited(store)


def test_a_cache_that_says_the_same_is_believed_without_reading_leaves(
    store: MemoryStore, log: LogWriter
) -> None:
    store.calls.clear()
    log.recover()
    read = [key for operation, key in store.calls if operation == "get"]
    assert read == [
        CHECKPOINT,
        "public/log/tile/0/001.p/44",
        "public/log/tile/1/000.p/1",
        "public/log/commit/00000000000000000300",
    ]


def test_a_batch_reads_and_writes_little(store: MemoryStore, log: LogWriter) -> None:
    store.calls.clear()
    log.append(entries(range(300, 310)))
    assert len([key for operation, key in store.calls if operation == "put"]) == 5
    assert len([key for operation, key in store.calls if operation == "get"]) <= 9
    assert checkpoint_key(310) in store.objects


def test_rows_are_taken_in_whole(tmp_path: Path) -> None:
    leaf = entry(0).leaf(0, FIRST).to_bytes()
    added = read_fields(leaf)
    edge, _ = Frontier().grown([added.hash])
    with cache.open_cache(tmp_path / NAME, ORIGIN) as heads:
        with pytest.raises(AttributeError):
            heads.extend([added, None], edge)  # type: ignore[list-item]
        with pytest.raises(sqlite3.IntegrityError):
            heads.extend([added._replace(hash=None)], edge)  # type: ignore[arg-type]
        assert (heads.size, heads.find(entry(0).identity), list(heads.heads())) == (0, None, [])
        heads.extend([added], edge)
    with cache.open_cache(tmp_path / NAME, ORIGIN) as heads:
        assert (heads.size, heads.find(entry(0).identity)) == (1, 0)
        assert heads.frontier == edge
        assert heads.link("vendor/product@0") == (1, added.hash.hex())
        assert heads.link("vendor/product@1") is None
        heads.clear()
        assert (heads.size, heads.find(entry(0).identity), list(heads.heads())) == (0, None, [])
        assert isinstance(heads, WriterCache)


def test_a_broken_cache_is_closed_before_it_is_removed(
    log: LogWriter, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(path: Path) -> None:
        files = {file.resolve() for file in Path("/proc/self/fd").iterdir()}
        assert not [file for file in files if file.name.startswith(path.name)]
        remove(path)

    remove = cache.remove_cache
    (home / NAME).write_bytes(b"x" * 10_000)
    monkeypatch.setattr(cache, "remove_cache", removed)
    with cache.open_cache(home / NAME, ORIGIN) as heads:
        assert heads.size == 0


def test_a_cache_is_removed_with_its_journal(home: Path) -> None:
    """SQLite would read a journal that stays into the next database of that name."""
    home.mkdir()
    for suffix in ("", "-wal", "-shm"):
        (home / f"{NAME}{suffix}").write_bytes(b"x")
    cache.remove_cache(home / NAME)
    assert not list(home.iterdir())


def test_a_cache_that_cannot_be_cleared_stays_whole(log: LogWriter, home: Path) -> None:
    def allow(action: int, name: str | None, *_: str | None) -> int:
        refused = (action, name) == (sqlite3.SQLITE_INSERT, "log")
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    with cache.open_cache(home / NAME, ORIGIN) as heads:
        heads.database.set_authorizer(allow)
        with pytest.raises(sqlite3.DatabaseError):
            heads.clear()
    with cache.open_cache(home / NAME, ORIGIN) as heads:
        assert (heads.size, heads.find(entry(0).identity)) == (300, 0)


def test_a_home_that_cannot_be_written_is_named(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InfrastructureError, match="cannot write"):
        opened(store, tmp_path / "file" / "log").append(entries([1]))
    (tmp_path / "home" / NAME).mkdir(parents=True)
    with pytest.raises((InfrastructureError, OSError)):
        opened(store, tmp_path / "home").append(entries([1]))
    assert not store.objects
