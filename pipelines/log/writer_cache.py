"""The cache of a log's writer: a local database of what it must know of its own log.

It has the newest leaf of each release key, the index of each entry, and the frontier of the tree.
It can be lost or incomplete at any time: the writer compares its root with that of the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pipelines.log.leaf import LeafFields, Link
from pipelines.log.tiles import Frontier, split_hashes

_VERSION = 1
_TABLES = """
CREATE TABLE log (origin TEXT NOT NULL, size INTEGER NOT NULL);
CREATE TABLE edge (level INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
CREATE TABLE releases (
    release TEXT PRIMARY KEY, sequence INTEGER NOT NULL, hash BLOB NOT NULL, leaf INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE entries (identity BLOB PRIMARY KEY, leaf INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, kw_only=True)
class ReleaseHead:
    """The newest leaf of one release key."""

    release: str
    sequence: int
    hash: str
    """Hex of its leaf hash."""
    index: int


class WriterCache:
    """The cache of one log; open it with `open_cache`, and under the log's lock."""

    def __init__(self, connection: sqlite3.Connection, origin: str) -> None:
        """Use an open database, whose tables are made if they are missing or of another log."""
        self.database = connection
        self._origin = origin
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION or not self._is_ours():
            self.clear()
        self.frontier = self._read_frontier()

    @property
    def size(self) -> int:
        """Leaves that the cache knows of."""
        return self.frontier.size

    def link(self, release: str) -> Link | None:
        """Return the sequence and previous of the next leaf of a release, None for its first."""
        row = self.database.execute(
            "SELECT sequence, hash FROM releases WHERE release = ?", (release,)
        ).fetchone()
        return None if row is None else (row[0] + 1, row[1].hex())

    def heads(self) -> Iterator[ReleaseHead]:
        """Yield the newest leaf of every release key, in order of their names."""
        for release, sequence, found, leaf in self.database.execute(
            "SELECT release, sequence, hash, leaf FROM releases ORDER BY release"
        ):
            yield ReleaseHead(release=release, sequence=sequence, hash=found.hex(), index=leaf)

    def find(self, identity: str) -> int | None:
        """Return the index of the leaf with that identity, or None."""
        row = self.database.execute(
            "SELECT leaf FROM entries WHERE identity = ?", (_short(identity),)
        ).fetchone()
        return None if row is None else int(row[0])

    def extend(self, leaves: Sequence[LeafFields], frontier: Frontier) -> None:
        """Take in the leaves after the last one, with the frontier after them, in one step."""
        placed = list(enumerate(leaves, self.size))
        newest = {leaf.release: (leaf, index) for index, leaf in placed}
        with self.database as run:
            run.execute("BEGIN IMMEDIATE")
            run.executemany(
                "INSERT OR IGNORE INTO entries VALUES (?, ?)",
                sorted((_short(leaf.identity), index) for index, leaf in placed),
            )
            run.executemany(
                "INSERT OR REPLACE INTO releases VALUES (?, ?, ?, ?)",
                [(name, leaf.sequence, leaf.hash, index) for name, (leaf, index) in newest.items()],
            )
            run.execute("UPDATE log SET size = ?", (frontier.size,))
            run.execute("DELETE FROM edge")
            run.executemany(
                "INSERT INTO edge VALUES (?, ?)",
                [(level, b"".join(row)) for level, row in enumerate(frontier.rows)],
            )
        self.frontier = frontier

    def clear(self) -> None:
        """Forget everything."""
        with self.database as run:
            run.execute("BEGIN IMMEDIATE")
            for table in ("log", "edge", "releases", "entries"):
                run.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in filter(str.strip, _TABLES.split(";")):
                run.execute(statement)
            run.execute("INSERT INTO log VALUES (?, 0)", (self._origin,))
            run.execute(f"PRAGMA user_version = {_VERSION}")
        self.frontier = Frontier()

    def _read_frontier(self) -> Frontier:
        rows = self.database.execute("SELECT hashes FROM edge ORDER BY level").fetchall()
        size = self.database.execute("SELECT size FROM log").fetchone()[0]
        try:
            return Frontier(size, tuple(tuple(split_hashes(row[0])) for row in rows))
        except ValueError as error:
            raise sqlite3.DatabaseError("the frontier does not fit the size") from error

    def _is_ours(self) -> bool:
        """Say whether the database is of this log, and of no other."""
        rows = self.database.execute("SELECT origin FROM log").fetchall()
        return bool(rows == [(self._origin,)])


@contextmanager
def open_cache(path: Path, origin: str) -> Iterator[WriterCache]:
    """Open the cache of the log `origin` in the file `path`; a broken one is made anew."""
    try:
        cache = _opened(path, origin)
    except sqlite3.DatabaseError:
        remove_cache(path)
        cache = _opened(path, origin)
    with closing(cache.database):
        yield cache


def remove_cache(path: Path) -> None:
    """Remove the cache."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _short(identity: str) -> bytes:
    return sha256(identity.encode()).digest()


def _opened(path: Path, origin: str) -> WriterCache:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a lost end is read from the log again
        return WriterCache(connection, origin)
    except BaseException:
        connection.close()
        raise
