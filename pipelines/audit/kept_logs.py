"""The leaves of the logs of centers: verified once, and kept in databases.

A log is read bundle by bundle, each verified against a checkpoint that the log has signed. Kept are
the first leaves of the tree of the newest such checkpoint, and that checkpoint. A log that grew is
read on from there, once it has proved that it continues that tree. So reading may end anywhere and
go on in another round, and a log that tells another story in a later round is found out.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from builders.core.digest import Digest
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag, tag_of
from pipelines.audit.source import UnreachableError
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.reader import STATEMENT_TYPES
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.log.checkpoint import (
    Checkpoint,
    LogIdentity,
    SignedCheckpoint,
    open_checkpoint,
)
from pipelines.log.errors import LogError, ProofError
from pipelines.log.leaf import LeafFields, Link, ReleaseChains, read_fields
from pipelines.log.log_reader import LogReader
from pipelines.log.notekey import NoteKey
from pipelines.log.writer_cache import remove_cache

_TRIES = 16
MAX_LEAVES = 1 << 24
"""Leaves of one log that are kept, in some 3 GB."""
_NOTHING = b""
_UNKNOWN = b"?"
_RESULTS = frozenset(ComparisonStatement.PREDICATE_TYPES + AttemptStatement.PREDICATE_TYPES)
_FIRST_FORMAT = {ComparisonStatement.PREDICATE_TYPES[0], AttemptStatement.PREDICATE_TYPES[0]}
_VERSION = 2
_TABLES = """
CREATE TABLE log (checkpoint BLOB, upgraded INTEGER);
CREATE TABLE leaves (
    place INTEGER PRIMARY KEY, digest BLOB NOT NULL, release BLOB NOT NULL, run BLOB NOT NULL
);
CREATE INDEX by_digest ON leaves (digest);
CREATE INDEX by_release ON leaves (release) WHERE release != x'';
CREATE TABLE heads (
    release BLOB PRIMARY KEY, sequence INTEGER NOT NULL, previous TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE unchained (place INTEGER PRIMARY KEY, release BLOB NOT NULL);
INSERT INTO log VALUES (NULL, NULL);
"""
_OF_RELEASE = " FROM leaves WHERE release = ? AND release != x''"
_ABOUT = f"SELECT place, digest, release, run{_OF_RELEASE} ORDER BY place"


def _is_upgraded(leaf: LeafFields) -> bool:
    """Return whether a leaf is a result of a run in a later format version than the first."""
    return leaf.predicate_type in _RESULTS - _FIRST_FORMAT


class _Packed(NamedTuple):
    """A leaf, packed."""

    digest: bytes
    """Of a statement its PAE digest, of a commitment its `commitment_digest`."""
    release: bytes
    """A tag of the release; empty for a statement of a known kind that is no result of a run."""
    run: bytes
    """A tag of the run of a commitment; empty for a statement, `?` for one of unknown kind."""

    @classmethod
    def of(cls, leaf: LeafFields) -> _Packed:
        if leaf.committed is not None:
            run = run_tag(leaf.identity.removeprefix("run:"))
            return cls(bytes.fromhex(leaf.committed.hex), tag_of(leaf.release), run)
        digest = bytes.fromhex(leaf.identity.removeprefix("pae:"))
        if leaf.predicate_type in _RESULTS:
            return cls(digest, tag_of(leaf.release), _NOTHING)
        if leaf.predicate_type in STATEMENT_TYPES:
            return cls(digest, _NOTHING, _NOTHING)
        return cls(digest, tag_of(leaf.release), _UNKNOWN)

    def add_to(self, found: LoggedRelease, index: int) -> None:
        """Add the leaf, which is about that release, in the order of the log."""
        digest = Digest(self.digest.hex())
        if self.run == _UNKNOWN:
            found.unknown.append(index)
        elif self.run != _NOTHING:
            found.commitments.setdefault(self.run, []).append(LoggedCommitment(index, digest))
        elif digest in found.results:
            found.repeated.append(index)
        else:
            found.results[digest] = index


class _OvertakenError(Exception):
    """Another process has kept more of the same log in the meantime."""


class KeptLog:
    """The first leaves of one log; safe for threads and processes.

    All methods raise `UnreachableError` when the database cannot be used.
    """

    def __init__(self, key: NoteKey, database: sqlite3.Connection) -> None:
        """Use an open database, whose tables are made if they are missing or of another version."""
        self._identity = LogIdentity.of(key)
        self._database = database
        self._lock = Lock()
        if database.execute("PRAGMA user_version").fetchone() != (_VERSION,):
            self.clear()

    def __len__(self) -> int:
        """Return how many leaves there are."""
        last = self._value("SELECT max(place) FROM leaves")
        return 0 if last is None else int(last) + 1

    @property
    def checkpoint(self) -> SignedCheckpoint | None:
        """The checkpoint that covers the leaves, and may cover more; None before the first."""
        note = self._value("SELECT checkpoint FROM log")
        return None if note is None else open_checkpoint(note, self._identity)

    @property
    def upgraded_at(self) -> int | None:
        """The index of the first result in a later format than the first; None without one."""
        first: int | None = self._value("SELECT upgraded FROM log")
        return first

    def index_of(self, pae: Digest) -> int | None:
        """Return the index of the first leaf of a statement; None where there is none."""
        digest = bytes.fromhex(pae.hex)
        first: int | None = self._value("SELECT min(place) FROM leaves WHERE digest = ?", digest)
        return first

    def about(self, release: str) -> LoggedRelease:
        """Return what the log has about the runs of a release."""
        found = LoggedRelease()
        with _explained():
            for index, *packed in self._database.execute(_ABOUT, (tag_of(release),)):
                _Packed(*packed).add_to(found, index)
            query = "SELECT place FROM unchained WHERE release = ? ORDER BY place"
            found.unchained.extend(p for (p,) in self._database.execute(query, (tag_of(release),)))
        return found

    def mark(self, release: str, *ends: int) -> tuple[int, ...]:
        """Return the number and the last of the leaves about the runs of a release.

        Then, how many of them are below each of `ends`.
        """
        below = "".join(", total(place < ?)" for _ in ends)
        query = f"SELECT count(*), max(place){below}{_OF_RELEASE}"
        with _explained():
            row = self._database.execute(query, (*ends, tag_of(release))).fetchone()
        return tuple(int(number or 0) for number in row)

    def read(self, reader: LogReader) -> None:
        """Keep what the log has more than is kept, as far as the reader gets.

        Of a log that does not continue what is kept nothing stays, and it is read from its start.
        Raises what the reader does.
        """
        with self._lock:
            for _ in range(_TRIES):
                with suppress(_OvertakenError):
                    return self._read(reader)
            raise UnreachableError("a log is read by many at once", got=f"{_TRIES} tries")

    def _read(self, reader: LogReader) -> None:
        signed, note = reader.checkpoint.checkpoint, reader.checkpoint.note.to_bytes()
        if signed.size > MAX_LEAVES:
            raise UnreachableError(
                "a log is too large", got=f"{signed.size} leaves", expected=f"at most {MAX_LEAVES}"
            )
        kept, known = self._value("SELECT checkpoint FROM log"), self.checkpoint
        if known is not None and not _continues(known.checkpoint, reader):
            self.clear()
            kept = None
        self._keep(kept, note, len(self), [])
        for start, leaves, hashes in reader.entries(len(self)):
            fields = [read_fields(*leaf) for leaf in zip(leaves, hashes, strict=True)]
            self._keep(note, note, start, fields)

    def _keep(
        self, before: bytes | None, note: bytes, start: int, leaves: list[LeafFields]
    ) -> None:
        """Keep leaves from `start` on, and the checkpoint that covers them, in one step."""
        placed = list(enumerate(leaves, start))
        upgraded = next((index for index, leaf in placed if _is_upgraded(leaf)), None)
        with _explained(), self._database as run:
            run.execute("BEGIN IMMEDIATE")
            changed = run.execute(
                "UPDATE log SET checkpoint = ?, upgraded = coalesce(upgraded, ?)"
                " WHERE checkpoint IS ?",
                (note, upgraded, before),
            ).rowcount
            if changed != 1 or len(self) != start:
                raise _OvertakenError
            run.executemany(
                "INSERT INTO leaves VALUES (?, ?, ?, ?)",
                [(index, *_Packed.of(leaf)) for index, leaf in placed],
            )
            self._follow(run, placed)

    def _follow(self, run: sqlite3.Connection, placed: list[tuple[int, LeafFields]]) -> None:
        """Keep which leaves do not follow the one before them of their release, and the last."""
        chains = ReleaseChains(self._link)
        broken = [(index, tag_of(leaf.release)) for index, leaf in placed if chains.follow(leaf)]
        run.executemany("INSERT INTO unchained VALUES (?, ?)", broken)
        run.executemany(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?)",
            [(tag_of(name), *chains.next(name)) for name in {leaf.release for _, leaf in placed}],
        )

    def _link(self, release: str) -> Link | None:
        """Return what the next leaf of a release has to say, by what is kept."""
        query = "SELECT sequence, previous FROM heads WHERE release = ?"
        found: Link | None = self._database.execute(query, (tag_of(release),)).fetchone()
        return found

    def clear(self) -> None:
        """Forget everything."""
        with _explained(), self._database as run:
            run.execute("BEGIN IMMEDIATE")
            for table in ("log", "leaves", "heads", "unchained"):
                run.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in filter(str.strip, _TABLES.split(";")):
                run.execute(statement)
            run.execute(f"PRAGMA user_version = {_VERSION}")

    def _value(self, query: str, *words: bytes) -> Any:
        with _explained():
            return self._database.execute(query, words).fetchone()[0]


class KeptLogs:
    """The logs of all centers; safe for threads."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep databases in `folder`, or in temporary files where none is given or can be used."""
        self._folder = folder
        self._logs: dict[NoteKey, KeptLog] = {}
        self._lock = Lock()

    @property
    def size(self) -> int:
        """How many leaves are kept of the logs that were asked for."""
        return sum(map(len, self._logs.values()))

    def of(self, key: NoteKey) -> KeptLog:
        """Return what is kept of the log that is signed by `key`."""
        with self._lock:
            if key not in self._logs:
                self._logs[key] = self._opened(key)
            return self._logs[key]

    def _opened(self, key: NoteKey) -> KeptLog:
        if self._folder is not None and _is_ours(self._folder):
            path = self._folder / f"{Digest.of(str(key).encode()).hex}.sqlite"
            for _ in range(2):
                with suppress(sqlite3.Error, UnreachableError, LogError):
                    found = KeptLog(key, _connected(str(path)))
                    _ = found.checkpoint, len(found)
                    return found
                with suppress(OSError):
                    remove_cache(path)  # what is damaged is read again
        return KeptLog(key, _connected(""))


def _continues(known: Checkpoint, reader: LogReader) -> bool:
    """Return whether the log begins with what is kept; raises what the reader does."""
    try:
        known.verify_growth(reader.checkpoint.checkpoint, reader.consistency(known.size))
    except ProofError:
        return False
    return True


def _is_ours(folder: Path) -> bool:
    """Make a folder, and return whether nobody else can write there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _connected(path: str) -> sqlite3.Connection:
    """Open a database, or a temporary one for an empty path."""
    database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")  # a lost end is read again
    return database


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise UnreachableError("what is kept of a log cannot be used", got=error) from error
