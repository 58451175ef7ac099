"""The audit of a whole log: each leaf is accounted for, and so is each statement of its store.

It needs nothing but what a center publishes. Memory grows with the number of releases, not with the
number of leaves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import groupby, islice
from typing import Any

from builders.core.digest import Digest
from builders.core.errors import ScratchError
from pipelines.audit.center_finding import Excluded, ExclusionReason
from pipelines.audit.logged_release import LoggedCommitment
from pipelines.audit.run_findings import run_findings
from pipelines.audit.source import Source
from pipelines.audit.statement_reader import VerifiedStatement, read_record
from pipelines.audit.witnessed import Witnessed
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.log_status import Heartbeat
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.log.leaf import LeafFields, ReleaseChains
from pipelines.log.log_reader import LogReader
from pipelines.policy import PolicyCenter
from pipelines.storage.names import decode, release_run

MAX_GAPS = 1000
"""Gaps that are listed; more are only counted."""
_BATCH = 4096
_OTHERS = ("public/log/", "public/reviews/")
"""Folders of envelopes that are not logged, or signed by others."""
_RELEASES, _RUN_DEPTH = "public/releases/", 7


class GapKind(StrEnum):
    """What is wrong."""

    SKIPPED = "skipped"
    UNCHAINED = "unchained"
    TWICE = "twice"
    MISSING = "missing"
    MISPLACED = "misplaced"
    MISLABELLED = "mislabelled"
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


def audit_log(
    reader: LogReader,
    member: PolicyCenter,
    *,
    source: Source | None = None,
    heartbeat: Heartbeat | None = None,
    count: Callable[[int], None] = lambda _: None,
) -> LogReport:
    """Read every leaf of the log of `member`; compare its store and newest heartbeat with it.

    Who has cosigned the log does not matter here. `count` is called with the number of leaves read
    so far. Raises `LogError` for a log whose tiles are not those of its checkpoint, `StoreError`,
    and `ScratchError` where there is no space for the table of leaves.
    """
    with _explained(), closing(sqlite3.connect("")) as rows:  # on disk, and gone afterwards
        rows.execute(
            "CREATE TABLE leaves (identity TEXT PRIMARY KEY, place INTEGER, release TEXT,"
            " kind TEXT, committed TEXT, seen INTEGER) WITHOUT ROWID"
        )
        audit = _LogAudit(reader, member, rows)
        audit.chains(count)
        if source is not None:
            audit.store(source)
    if heartbeat is not None:
        audit.heads(heartbeat)
    return audit.report


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ScratchError(
            "its leaves cannot be checked, since no temporary database can be used",
            got=error,
            todo="Free space in the folder of temporary files, TMPDIR or else /var/tmp",
        ) from error


class _LogAudit:
    """The audit of one log; `rows` is a table of its leaves. To `read_record` it is that log."""

    def __init__(self, reader: LogReader, member: PolicyCenter, rows: sqlite3.Connection) -> None:
        self.report = LogReport()
        self._reader = reader
        self._member = member
        self._rows = rows
        self._chains = ReleaseChains()

    def index_of(self, center: str, pae: Digest) -> int | None:  # noqa: ARG002  # there is one
        """Return the index of a statement; None where the log has it not."""
        return self._place(f"pae:{pae}")

    def witnessed(self, center: str) -> Witnessed:  # noqa: ARG002  # there is one
        """Return the whole log: what is not cosigned yet has to be whole too."""
        return Witnessed(size=self._reader.size, required=False)

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

    def store(self, source: Source) -> None:
        """Require a leaf for each statement, and for each leaf a statement in its place."""
        self.report.statements = 0
        names = (n for n in source.store.list("public/") if n.endswith(SUFFIX))
        signed = (n for n in names if not n.startswith(_OTHERS))
        for folder, keys in groupby(signed, key=lambda name: name.rpartition("/")[0]):
            parts = folder.split("/")
            is_run = folder.startswith(_RELEASES) and len(parts) == _RUN_DEPTH
            if is_run and parts[5] != self._member.id:
                continue
            records = [read_record(source, key, self._member, self) for key in keys]
            placed = [r for r in records if self._account(r, folder if is_run else None)]
            if is_run:
                self._commitment(folder, [r for r in placed if isinstance(r, VerifiedStatement)])
        lost = self._rows.execute(
            "SELECT place, release, identity FROM leaves"
            " WHERE seen = 0 AND identity LIKE 'pae:%' ORDER BY place"
        )
        for place, release, identity in lost:
            message = f"the log has the statement {identity[4:20]}, the store has not"
            self.report.add(GapKind.MISSING, release, message, place)

    def _account(self, record: VerifiedStatement | Excluded, run: str | None) -> bool:
        """Return whether a record shows its leaf; `run` is the folder of a run that it is in.

        What is not signed by the center, or not readable, shows none.
        """
        if isinstance(record, Excluded):
            name, in_place = record.record, record.reason is not ExclusionReason.MISPLACED
            is_logged = record.reason is not ExclusionReason.NOT_LOGGED
            if is_logged and record.pae is None:
                return False
        else:
            name, in_place, is_logged = record.ref.name, _folder_of(record) == run, True
        self.report.statements = (self.report.statements or 0) + 1
        if not is_logged:
            message = "the store has this statement and the log has not"
            self.report.add(GapKind.UNLOGGED, name, message)
        elif not in_place:
            self.report.add(GapKind.MISPLACED, name, "this statement belongs to another folder")
        else:
            identity = f"pae:{record.pae}"
            self._rows.execute("UPDATE leaves SET seen = 1 WHERE identity = ?", (identity,))
            if isinstance(record, VerifiedStatement):
                self._label(record)
        return is_logged and in_place

    def _label(self, record: VerifiedStatement) -> None:
        """Require of a leaf the kind and the release of its statement."""
        found = self._rows.execute(
            "SELECT kind, release FROM leaves WHERE identity = ?", (f"pae:{record.pae}",)
        ).fetchone()
        statement = record.statement
        about = statement.run_reference
        expected = (statement.predicate_type, about.release if about else found[1])
        if found != expected:
            message = f"its leaf says {found[0]} of {found[1]}; expected {' of '.join(expected)}"
            self.report.add(GapKind.MISLABELLED, record.ref.name, message, record.index)

    def _commitment(self, folder: str, records: Sequence[VerifiedStatement]) -> None:
        """Require that a build was committed to before anything that was found with it."""
        run = decode(folder.rpartition("/")[2])
        found = self._rows.execute(
            "SELECT place, committed FROM leaves WHERE identity = ?", (f"run:{run}",)
        )
        commitments = [LoggedCommitment(place, Digest(committed)) for place, committed in found]
        told = run_findings(records, commitments)
        if told.attempt and not told.is_unbuilt and told.uncommitted:
            first = min(record.index for record in records)
            self.report.add(GapKind.UNCOMMITTED, f"{folder}/", told.uncommitted, first)

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
        before = self._rows.total_changes
        self._rows.executemany(
            "INSERT OR IGNORE INTO leaves VALUES (?, ?, ?, ?, ?, 0)",
            [
                (
                    leaf.identity,
                    place,
                    leaf.release,
                    leaf.predicate_type,
                    leaf.committed and leaf.committed.hex,
                )
                for place, leaf in batch
            ],
        )
        if self._rows.total_changes - before == len(batch):
            return
        for place, leaf in batch:
            if (first := self._place(leaf.identity)) != place:
                message = f"{leaf.identity[:24]} is in the log at {first} already"
                self.report.add(GapKind.TWICE, leaf.release, message, place)

    def _place(self, identity: str) -> int | None:
        """Return the index of the leaf with that identity; None where the log has none."""
        row = self._rows.execute(
            "SELECT place FROM leaves WHERE identity = ?", (identity,)
        ).fetchone()
        return None if row is None else int(row[0])


def _folder_of(record: VerifiedStatement) -> str | None:
    """Return the folder of the run that a statement is about; None for one of no run."""
    about = record.statement.run_reference
    if about is None:
        return None
    release = ReleaseName.parse(about.release)
    return release_run(*release.parts, record.center.id, about.run).rstrip("/")
