"""The database of the leaves of one log: its tables, opening it, and what is damage to it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from pipelines.log.writer_cache import remove_cache

_PATIENCE = 5  # seconds that a lock of another process may last
_VERSION = 3
_TABLES = """
CREATE TABLE log (checkpoint BLOB, upgraded INTEGER);
CREATE TABLE leaves (
    place INTEGER PRIMARY KEY, digest BLOB NOT NULL, release BLOB NOT NULL, run BLOB NOT NULL
);
CREATE INDEX by_digest ON leaves (digest);
CREATE INDEX by_release ON leaves (release) WHERE release != x'';
CREATE TABLE heads (
    release BLOB PRIMARY KEY, sequence INTEGER NOT NULL, previous TEXT NOT NULL,
    last INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE unchained (place INTEGER PRIMARY KEY, release BLOB NOT NULL);
INSERT INTO log VALUES (NULL, NULL);
"""


def is_ours(folder: Path) -> bool:
    """Make a folder, and return whether nobody else can write there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return False
    return (
        found.st_uid == os.geteuid()
        and not found.st_mode & 0o022
        and os.access(folder, os.W_OK | os.X_OK)
    )


def opened(path: Path | None) -> sqlite3.Connection:
    """Open a database, or a temporary one; a damaged one is made anew."""
    try:
        return _connected(path)
    except sqlite3.Error as error:
        if path is None or not is_damage(error):
            raise
        remove_cache(path)
        return _connected(path)


def _connected(path: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(
        path or "", timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")  # a lost end is read again
    if not _is_current(database):
        with database as run:
            run.execute("BEGIN IMMEDIATE")
            if not _is_current(run):  # another process may have made the tables, and filled them
                make_tables(run)
    return database


def _is_current(database: sqlite3.Connection) -> bool:
    """Return whether the tables are there, and of this version."""
    return bool(database.execute("PRAGMA user_version").fetchone() == (_VERSION,))


def make_tables(run: sqlite3.Connection) -> None:
    """Make empty tables in the place of those that are there."""
    for table in ("log", "leaves", "heads", "unchained"):
        run.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in filter(str.strip, _TABLES.split(";")):
        run.execute(statement)
    run.execute(f"PRAGMA user_version = {_VERSION}")


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether a database has other content than it was given.

    A full disk, a lock and the like are no damage. A missing table is.
    """
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return isinstance(error, sqlite3.DatabaseError)
