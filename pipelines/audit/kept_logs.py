"""The leaves of the logs of centers: verified once, and kept in databases.

A log is read bundle by bundle, each verified against a checkpoint that the log has signed. Kept are
the first leaves of the tree of the newest such checkpoint, and that checkpoint. A log that grew is
read on from there, once it has proved that it continues that tree. So reading may end anywhere and
go on in another round, and a log that tells another story in a later round is found out.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import Any, NamedTuple

from builders.core.digest import Digest
from pipelines.audit.leaf_database import is_damage, is_ours, make_tables, opened
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
_AT_ONCE, _SECONDS = 2048, 0.25
"""Leaves after which those that were read are kept, and after which time where fewer came.

Each step writes most pages of the index of digests anew.
"""
_NOTHING = b""
_UNKNOWN = b"?"
_RESULTS = frozenset(ComparisonStatement.PREDICATE_TYPES + AttemptStatement.PREDICATE_TYPES)
_FIRST_FORMAT = {ComparisonStatement.PREDICATE_TYPES[0], AttemptStatement.PREDICATE_TYPES[0]}
_OF_RELEASE = " FROM leaves WHERE release = ? AND release != x''"
_MARKS = """
SELECT release, last, counted, newest, below_one, below_other FROM heads LEFT JOIN (
    SELECT release, count(*) AS counted, max(place) AS newest, total(place < ?) AS below_one,
        total(place < ?) AS below_other
    FROM leaves WHERE release != x'' GROUP BY release
) USING (release)
"""
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


class ReadAgainError(UnreachableError):
    """What is kept of a log has changed in the meantime; a new reader of the log may succeed."""


class _OvertakenError(Exception):
    """Another process has kept more of the same log in the meantime."""


class KeptLog:
    """The first leaves of one log; safe for threads and processes.

    All methods raise `UnreachableError` when the database cannot be used. A damaged one is removed,
    and the method that found the damage raises `ReadAgainError`.
    """

    def __init__(self, key: NoteKey, path: Path | None = None) -> None:
        """Use the database at `path`, which is made where it is missing, or a temporary one."""
        self._identity = LogIdentity.of(key)
        self._path = path
        self._lock = RLock()
        try:
            self._database = opened(path)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

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
        with self._used() as database:
            for index, *packed in database.execute(_ABOUT, (tag_of(release),)):
                _Packed(*packed).add_to(found, index)
            query = "SELECT place FROM unchained WHERE release = ? ORDER BY place"
            found.unchained.extend(p for (p,) in database.execute(query, (tag_of(release),)))
        return found

    def mark(self, release: str, *ends: int) -> tuple[int, ...]:
        """Return the number and the last of the leaves about the runs of a release.

        Then, how many of them are below each of `ends`.
        """
        below = "".join(", total(place < ?)" for _ in ends)
        query = f"SELECT count(*), max(place){below}{_OF_RELEASE}"
        with self._used() as database:
            row = database.execute(query, (*ends, tag_of(release))).fetchone()
        return tuple(int(number or 0) for number in row)

    def marks(self, *ends: int) -> dict[bytes, tuple[int, ...]]:
        """Return by the tag of each release what `mark` returns of two ends, and its last leaf.

        That one is of whichever kind, such as an explanation.
        """
        with self._used() as database:
            return {
                tag: (*(int(number or 0) for number in numbers), last)
                for tag, last, *numbers in database.execute(_MARKS, ends)
            }

    def read(
        self, reader: LogReader, settled: Callable[[Checkpoint], bool] = lambda _: False
    ) -> None:
        """Keep what the log has more than is kept, as far as the reader gets.

        Raises `ReadAgainError` for a log that does not continue what is kept, such as one of which
        others have kept more since the reader began; and what the reader does. What is kept stays
        then, unless its checkpoint is `settled` to be of no account: then the log is read from its
        start.
        """
        with self._lock:
            for _ in range(_TRIES):
                with suppress(_OvertakenError):
                    return self._read(reader, settled)
            raise UnreachableError("a log is read by many at once", got=f"{_TRIES} tries")

    def _read(self, reader: LogReader, settled: Callable[[Checkpoint], bool]) -> None:
        signed, note = reader.checkpoint.checkpoint, reader.checkpoint.note.to_bytes()
        if signed.size > MAX_LEAVES:
            raise UnreachableError(
                "a log is too large", got=f"{signed.size} leaves", expected=f"at most {MAX_LEAVES}"
            )
        kept, known = self._value("SELECT checkpoint FROM log"), self.checkpoint
        if known is not None and not _continues(known.checkpoint, reader):
            if not settled(known.checkpoint):
                raise ReadAgainError(
                    "a log does not continue what is kept of it",
                    got=f"{signed.size} leaves, and {known.checkpoint.size} are kept",
                    todo="Another process may be reading it: try again",
                )
            self.clear()
            kept = None
        start = len(self)
        self._keep(kept, note, start, [])
        for leaves in _read_fields(reader.entries(start)):
            self._keep(note, note, start, leaves)
            start += len(leaves)

    def _keep(
        self, before: bytes | None, note: bytes, start: int, leaves: list[LeafFields]
    ) -> None:
        """Keep leaves from `start` on, and the checkpoint that covers them, in one step."""
        placed = list(enumerate(leaves, start))
        upgraded = next((index for index, leaf in placed if _is_upgraded(leaf)), None)
        with self._used() as database, database as run:
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
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)",
            [
                (tag_of(name), *chains.next(name), last)
                for name, last in {leaf.release: index for index, leaf in placed}.items()
            ],
        )

    def _link(self, release: str) -> Link | None:
        """Return what the next leaf of a release has to say, by what is kept."""
        query = "SELECT sequence, previous FROM heads WHERE release = ?"
        found: Link | None = self._database.execute(query, (tag_of(release),)).fetchone()
        return found

    def clear(self) -> None:
        """Forget everything."""
        with self._used() as database, database as run:
            run.execute("BEGIN IMMEDIATE")
            make_tables(run)

    def _value(self, query: str, *words: bytes) -> Any:
        with self._used() as database:
            return database.execute(query, words).fetchone()[0]

    @contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        database = self._database
        try:
            yield database
        except sqlite3.Error as error:
            if not is_damage(error):
                raise self._unusable(error) from error
            self._replace(database)
            raise ReadAgainError("what was kept of a log was damaged", got=error) from error

    def _replace(self, damaged: sqlite3.Connection) -> None:
        """Begin with an empty database, unless another thread has done so."""
        with self._lock:
            if self._database is damaged:
                try:
                    if self._path is not None:
                        remove_cache(self._path)
                    self._database = opened(self._path)
                except (OSError, sqlite3.Error) as error:
                    raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UnreachableError:
        return UnreachableError(
            "what is kept of a log cannot be used",
            got=f"{self._path or 'a temporary file'}: {error}",
            expected="a database on a disk with free space, which no other process locks",
            todo="Free disk space, or remove the file: the log is then read from its start",
        )


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
        if self._folder is None or not is_ours(self._folder):
            return KeptLog(key)
        found = KeptLog(key, self._folder / f"{Digest.of(str(key).encode()).hex}.sqlite")
        try:
            _ = found.checkpoint
        except LogError:
            found.clear()  # what is damaged is read again
        except ReadAgainError:
            pass  # it was cleared
        return found


def _read_fields(
    bundles: Iterable[tuple[int, list[bytes], list[bytes]]],
) -> Iterator[list[LeafFields]]:
    """Yield the fields of the leaves of bundles, of many or after a while.

    An error is raised once what was read before it is yielded.
    """
    read: list[LeafFields] = []
    failed: Exception | None = None
    began = time.monotonic()
    try:
        for _, leaves, hashes in bundles:
            read += map(read_fields, leaves, hashes)
            if len(read) >= _AT_ONCE or time.monotonic() - began >= _SECONDS:
                yield read
                read, began = [], time.monotonic()
    except Exception as error:  # noqa: BLE001  # raised below
        failed = error
    if read:
        yield read
    if failed is not None:
        raise failed


def _continues(known: Checkpoint, reader: LogReader) -> bool:
    """Return whether the log begins with what is kept; raises what the reader does."""
    try:
        known.verify_growth(reader.checkpoint.checkpoint, reader.consistency(known.size))
    except ProofError:
        return False
    return True
