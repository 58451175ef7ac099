"""Whether a log is whole: no sequence skips, no leaf lacks its statement, no statement its leaf.

Anybody can ask that of anybody's log, with nothing but its public files. Memory grows with the
number of releases, not with that of leaves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from pipelines.evidence.statements import Statement
from pipelines.evidence.statements.attempt import AttemptStatement
from pipelines.evidence.statements.heartbeat import Heartbeat
from pipelines.evidence.statements.statement import value_of
from pipelines.log.chain import Chains
from pipelines.log.chain import Gap as ChainGap
from pipelines.log.leaf import CommitmentLeaf
from pipelines.log.reader import LogReader

MAX_GAPS = 1000
"""Gaps that are told; more are only counted."""
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
    """Something that is not as a whole log has it."""

    kind: GapKind
    about: str
    """The release key, or the name of the record."""
    message: str
    index: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "kind": str(self.kind),
            "about": self.about,
            "index": self.index,
            "message": self.message,
        }


@dataclass(frozen=True, kw_only=True)
class StoredStatement:
    """A statement as the center's store has it: record, run if it is of one, and content."""

    key: str
    identity: str
    """`pae:` and the hex SHA-256 of what is signed."""
    statement: Statement | None
    run: str | None = None


@dataclass(kw_only=True)
class Wholeness:
    """What was found, one gap after the other."""

    leaves: int = 0
    releases: int = 0
    statements: int | None = None
    """Statements of the store that were held against the log; None when no store was asked."""
    gaps: list[Gap] = field(default_factory=list)
    more: int = 0

    def add(self, gap: Gap) -> None:
        """Note a gap; beyond `MAX_GAPS` they are counted."""
        if len(self.gaps) < MAX_GAPS:
            self.gaps.append(gap)
        else:
            self.more += 1

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "leaves": self.leaves,
            "releases": self.releases,
            "statements": self.statements,
            "gaps": [gap.to_dict() for gap in self.gaps],
            "more": self.more,
        }


def check_log(
    reader: LogReader,
    *,
    stored: Iterable[StoredStatement] | None = None,
    heartbeat: Heartbeat | None = None,
    count: Callable[[int], None] = lambda _: None,
) -> Wholeness:
    """Read every leaf of a log against its checkpoint, and hold its store and heartbeat against it.

    `count` is told how many leaves are read. Raises `LogError` for a log whose tiles are not those
    of its checkpoint, `StoreError`.
    """
    found = Wholeness()
    with _identities() as places:
        chains = _check_chains(reader, found, places if stored is not None else None, count)
        if stored is not None:
            _check_stored(reader, found, stored, places)
    if heartbeat is not None:
        _check_heads(reader, found, chains, heartbeat)
    return found


def _check_chains(
    reader: LogReader,
    found: Wholeness,
    places: sqlite3.Connection | None,
    count: Callable[[int], None],
) -> Chains:
    """Require sequences without holes and a chain of hashes, for every release key."""
    chains, releases = Chains(), set[str]()
    facts = reader.facts(tiles=True)
    while batch := list(islice(facts, _BATCH)):
        for index, leaf, fact in batch:
            releases.add(fact.release)
            if (broken := chains.follow(index, leaf, fact)) is not None:
                found.add(_of_chain(broken))
        if places is not None:
            _keep(places, found, batch)
        found.leaves += len(batch)
        count(found.leaves)
    found.releases = len(releases)
    return chains


def _of_chain(broken: ChainGap) -> Gap:
    kind = GapKind.SKIPPED if broken.what == "sequence" else GapKind.UNCHAINED
    return Gap(
        kind=kind,
        about=broken.release,
        index=broken.index,
        message=f"got {broken.what} {broken.got}; expected {broken.expected}",
    )


def _keep(places: sqlite3.Connection, found: Wholeness, batch: list[Any]) -> None:
    before = places.total_changes
    places.executemany(
        "INSERT OR IGNORE INTO places VALUES (?, ?, ?, 0)",
        [(fact.identity, index, fact.release) for index, _, fact in batch],
    )
    if places.total_changes - before == len(batch):
        return
    for index, _, fact in batch:
        if (first := _place(places, fact.identity)) != index:
            found.add(
                Gap(
                    kind=GapKind.TWICE,
                    about=fact.release,
                    index=index,
                    message=f"{fact.identity[:24]} is in the log at {first} already",
                )
            )


def _place(places: sqlite3.Connection, identity: str) -> int | None:
    """Return the index of the leaf with that identity; None where the log has none."""
    row = places.execute("SELECT leaf FROM places WHERE identity = ?", (identity,)).fetchone()
    return None if row is None else int(row[0])


def _check_stored(
    reader: LogReader,
    found: Wholeness,
    stored: Iterable[StoredStatement],
    places: sqlite3.Connection,
) -> None:
    """Require a leaf for each statement and a statement for each leaf, after its commitment."""
    found.statements = 0
    for record in stored:
        found.statements += 1
        place = _place(places, record.identity)
        if place is None:
            found.add(
                Gap(
                    kind=GapKind.UNLOGGED,
                    about=record.key,
                    message="the store has this statement and the log has not",
                )
            )
            continue
        places.execute("UPDATE places SET seen = 1 WHERE identity = ?", (record.identity,))
        _check_commitment(reader, found, record, place, places)
    lost = places.execute(
        "SELECT leaf, release, identity FROM places"
        " WHERE seen = 0 AND identity LIKE 'pae:%' ORDER BY leaf"
    )
    for index, release, identity in lost:
        found.add(
            Gap(
                kind=GapKind.MISSING,
                about=release,
                index=index,
                message=f"the log has the statement {identity[4:20]}, the store has not",
            )
        )


def _check_commitment(
    reader: LogReader,
    found: Wholeness,
    record: StoredStatement,
    index: int,
    places: sqlite3.Connection,
) -> None:
    """Require that the seal of a build was logged before anything that was found with it."""
    if record.run is None:
        return
    place = _place(places, f"run:{record.run}")
    attempt = record.statement
    sealed = isinstance(attempt, AttemptStatement) and attempt.predicate.seal is not None
    if place is None and not sealed:
        return  # nothing was built, so nothing was committed to
    wrong = _wrong_commitment(reader, place, index, attempt)
    if wrong is not None:
        found.add(Gap(kind=GapKind.UNCOMMITTED, about=record.key, index=index, message=wrong))


def _wrong_commitment(
    reader: LogReader, place: int | None, index: int, statement: Statement | None
) -> str | None:
    """Say what is wrong with the commitment at `place` to the statement at `index`, if anything."""
    if place is None:
        return "its run has no commitment in the log"
    if place > index:
        return f"the commitment of its run is at {place}, after the statement"
    if not isinstance(statement, AttemptStatement) or statement.predicate.seal is None:
        return None
    leaf, told = reader.leaf(place), statement.predicate
    if not isinstance(leaf, CommitmentLeaf):
        return f"leaf {place} is no commitment"
    if leaf.claim != value_of(told.claim) or leaf.seal != value_of(told.seal):
        return f"the commitment at {place} is to another claim or seal"
    return None


def _check_heads(
    reader: LogReader,
    found: Wholeness,
    chains: Chains,
    heartbeat: Heartbeat,
) -> None:
    """Require a log that is at least as long as its newest heartbeat said, with those heads."""
    told = heartbeat.log
    if told.size > reader.size:
        message = f"got {reader.size} leaves; expected {told.size} or more, as its heartbeat says"
        found.add(Gap(kind=GapKind.STALE, about=heartbeat.center, message=message))
    elif reader.tree(told.size).root.hex() != told.root.hex:
        message = f"the tree of {told.size} leaves is not the one of its heartbeat"
        found.add(Gap(kind=GapKind.ALTERED, about=heartbeat.center, message=message))
    for head in heartbeat.heads:
        sequence = chains.next(head.release)[0] - 1
        if sequence < head.sequence:
            message = f"got sequence {sequence} as its newest; its heartbeat says {head.sequence}"
            found.add(Gap(kind=GapKind.STALE, about=head.release, message=message))


@contextmanager
def _identities() -> Iterator[sqlite3.Connection]:
    """Open an empty table of what the log has and where, on disk and gone afterwards."""
    with closing(sqlite3.connect("")) as places:
        places.execute(
            "CREATE TABLE places"
            " (identity TEXT PRIMARY KEY, leaf INTEGER, release TEXT, seen INTEGER) WITHOUT ROWID"
        )
        yield places
