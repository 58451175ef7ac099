"""Completeness of a log: no gap in a sequence, and a leaf for each statement and vice versa.

The check needs nothing but the public files of a log. Memory grows with the number of releases, not
with the number of leaves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from pipelines.evidence.statements.log_status import Heartbeat
from pipelines.evidence.statements.rebuilds import AttemptStatement, RebuildAttempt
from pipelines.evidence.statements.statement import Statement, value_of
from pipelines.log.leaf import CommitmentLeaf, LeafFields, ReleaseChains
from pipelines.log.log_reader import LogReader

MAX_GAPS = 1000
"""Gaps that are listed; more are only counted."""
_BATCH = 4096


class GapKind(StrEnum):
    """What is wrong."""

    SKIPPED = "skipped"
    UNCHAINED = "unchained"
    TWICE = "twice"
    MISSING = "missing"
    UNLOGGED = "unlogged"
    UNCOMMITTED = "uncommitted"
    STALE = "stale"
    ALTERED = "altered"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Something that a complete log does not have."""

    kind: GapKind
    about: str
    """The release key, or the name of the record."""
    index: int | None = None
    message: str


@dataclass(frozen=True, kw_only=True)
class StoredStatement:
    """A statement as the center's store has it: record, run if it is of one, and content."""

    key: str
    identity: str
    """`pae:` and the hex SHA-256 of what is signed."""
    statement: Statement | None
    run: str | None = None


@dataclass(kw_only=True)
class LogReport:
    """What a check of a log has found."""

    leaves: int = 0
    releases: int = 0
    statements: int | None = None
    """Statements of the store that were compared with the log; None when no store was."""
    gaps: list[Gap] = field(default_factory=list)
    more: int = 0

    def add(self, kind: GapKind, about: str, message: str, index: int | None = None) -> None:
        """Note a gap; beyond `MAX_GAPS` they are counted."""
        if len(self.gaps) < MAX_GAPS:
            self.gaps.append(Gap(kind=kind, about=about, index=index, message=message))
        else:
            self.more += 1

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return asdict(self)


def verify_completeness(
    reader: LogReader,
    *,
    stored: Iterable[StoredStatement] | None = None,
    heartbeat: Heartbeat | None = None,
    count: Callable[[int], None] = lambda _: None,
) -> LogReport:
    """Read every leaf of a log, and compare its store and its newest heartbeat with it.

    `count` is called with the number of leaves read so far. Raises `LogError` for a log whose tiles
    are not those of its checkpoint, `StoreError`.
    """
    with closing(sqlite3.connect("")) as index:  # on disk, and gone afterwards
        index.execute(
            "CREATE TABLE leaves"
            " (identity TEXT PRIMARY KEY, place INTEGER, release TEXT, seen INTEGER) WITHOUT ROWID"
        )
        check = _Check(reader, index)
        check.chains(count)
        if stored is not None:
            check.stored(stored)
    if heartbeat is not None:
        check.heads(heartbeat)
    return check.report


class _Check:
    """The check of one log; `index` is a table of the leaves' identities and places."""

    def __init__(self, reader: LogReader, index: sqlite3.Connection) -> None:
        self.report = LogReport()
        self._reader = reader
        self._index = index
        self._chains = ReleaseChains()

    def chains(self, count: Callable[[int], None]) -> None:
        """Require sequences without holes and a chain of hashes, for every release key."""
        releases = set[str]()
        leaves = self._reader.fields(tiles=True)
        while batch := list(islice(leaves, _BATCH)):
            for index, leaf in batch:
                releases.add(leaf.release)
                if broken := self._chains.follow(leaf):
                    skipped = broken.what == "sequence"
                    self.report.add(
                        GapKind.SKIPPED if skipped else GapKind.UNCHAINED,
                        leaf.release,
                        f"got {broken.what} {broken.got}; expected {broken.expected}",
                        index,
                    )
            self._keep(batch)
            self.report.leaves += len(batch)
            count(self.report.leaves)
        self.report.releases = len(releases)

    def stored(self, stored: Iterable[StoredStatement]) -> None:
        """Require a leaf for each statement and a statement for each leaf, after its commitment."""
        self.report.statements = 0
        for record in stored:
            self.report.statements += 1
            place = self._place(record.identity)
            if place is None:
                message = "the store has this statement and the log has not"
                self.report.add(GapKind.UNLOGGED, record.key, message)
                continue
            self._index.execute("UPDATE leaves SET seen = 1 WHERE identity = ?", (record.identity,))
            if wrong := self._wrong_commitment(record, place):
                self.report.add(GapKind.UNCOMMITTED, record.key, wrong, place)
        lost = self._index.execute(
            "SELECT place, release, identity FROM leaves"
            " WHERE seen = 0 AND identity LIKE 'pae:%' ORDER BY place"
        )
        for place, release, identity in lost:
            message = f"the log has the statement {identity[4:20]}, the store has not"
            self.report.add(GapKind.MISSING, release, message, place)

    def heads(self, heartbeat: Heartbeat) -> None:
        """Require a log that is at least as long as its newest heartbeat says, with those heads."""
        size, report = heartbeat.log.size, self.report
        if size > self._reader.size:
            message = (
                f"got {self._reader.size} leaves; expected {size} or more, as its heartbeat says"
            )
            report.add(GapKind.STALE, heartbeat.center, message)
        elif self._reader.tree(size).root.hex() != heartbeat.log.root.hex:
            message = f"the tree of {size} leaves is not the one of its heartbeat"
            report.add(GapKind.ALTERED, heartbeat.center, message)
        for head in heartbeat.heads:
            newest = self._chains.next(head.release)[0] - 1
            if newest < head.sequence:
                message = f"got sequence {newest} as its newest; its heartbeat says {head.sequence}"
                report.add(GapKind.STALE, head.release, message)

    def _keep(self, batch: Sequence[tuple[int, LeafFields]]) -> None:
        """Note the places of leaves; an identity that the log has already is a gap."""
        before = self._index.total_changes
        self._index.executemany(
            "INSERT OR IGNORE INTO leaves VALUES (?, ?, ?, 0)",
            [(leaf.identity, place, leaf.release) for place, leaf in batch],
        )
        if self._index.total_changes - before == len(batch):
            return
        for place, leaf in batch:
            if (first := self._place(leaf.identity)) != place:
                message = f"{leaf.identity[:24]} is in the log at {first} already"
                self.report.add(GapKind.TWICE, leaf.release, message, place)

    def _place(self, identity: str) -> int | None:
        """Return the index of the leaf with that identity; None where the log has none."""
        row = self._index.execute(
            "SELECT place FROM leaves WHERE identity = ?", (identity,)
        ).fetchone()
        return None if row is None else int(row[0])

    def _wrong_commitment(self, record: StoredStatement, index: int) -> str | None:
        """Say what is wrong with the commitment of the statement at `index`, None if nothing is.

        The seal of a build must be logged before anything that was found with it.
        """
        if record.run is None:
            return None
        place = self._place(f"run:{record.run}")
        attempt = record.statement if isinstance(record.statement, AttemptStatement) else None
        sealed = attempt.predicate if attempt and attempt.predicate.seal else None
        if place is None:  # where nothing was built, there is nothing to commit to
            return "its run has no commitment in the log" if sealed else None
        if place > index:
            return f"the commitment of its run is at {place}, after the statement"
        return self._other_commitment(place, sealed) if sealed else None

    def _other_commitment(self, place: int, attempt: RebuildAttempt) -> str | None:
        leaf = self._reader.leaf(place)
        told = (value_of(attempt.claim), value_of(attempt.seal))
        if isinstance(leaf, CommitmentLeaf) and (leaf.claim, leaf.seal) == told:
            return None
        return f"the commitment at {place} is to another claim or seal"
