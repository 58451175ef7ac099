"""What witnesses have reported absent: leaves of a log whose statements its center did not show.

A statement that is missing may be there tomorrow: a store fails, a copy lags behind. It is withheld
once a witness of another operator has reported it twice, with the policy's `max_open` between, and
in each report between those. That a reader misses it too is for the audit to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.audit.source import OBJECT_ERRORS, Source, UnreachableError
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError, SignatureError
from pipelines.evidence.publickey import ed25519_key
from pipelines.evidence.statements.absence import Absence, AbsenceStatement
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.notekey import NoteKey
from pipelines.log.witness import absence_folder

MAX_REPORTS = 1000
"""Reports in one store about one log that are read, the newest ones: names begin with a time."""
NAMED_EACH, MAX_NAMED = 100, 10_000
"""Leaves of one release, and of all, that one report names: it can be read as any statement is."""
Reports = dict[NoteKey, list[Absence]]
"""By the key of their witness."""


def read_reports(sources: Iterable[Source], log: LogIdentity) -> Reports:
    """Return the reports about a log that its witnesses have signed, wherever they lie.

    What cannot be read, or is not signed by a witness of the log, reports nothing.
    """
    found: Reports = {}
    for source in sources:
        with suppress(UnreachableError):
            for name in source.last_names(absence_folder(log.origin), limit=MAX_REPORTS):
                with suppress(EvidenceError, *OBJECT_ERRORS):
                    witness, report = _read(source.get(name, MAX_ENVELOPE), log)
                    found.setdefault(witness, []).append(report)
    return found


def _read(data: bytes, log: LogIdentity) -> tuple[NoteKey, Absence]:
    """Return a report and the witness that signed it; raises `EvidenceError`."""
    envelope = Envelope.from_bytes(data)
    keys = {ed25519_key(witness.key).material: witness for witness in log.witnesses}
    (key, *_) = verify_envelope(envelope, [ed25519_key(w.key) for w in log.witnesses])
    report = AbsenceStatement.from_bytes(envelope.payload).predicate
    if report.origin != log.origin:
        raise SignatureError(
            "a report is about another log", got=ascii(report.origin), expected=log.origin
        )
    return keys[key.material], report


@dataclass(frozen=True, kw_only=True)
class Absent:
    """What one witness has reported of one log, by release: read once for all releases."""

    since: dict[str, dict[int, tuple[datetime, datetime]]]
    """What is absent by its newest report, with the first and the last report in a row of that."""
    withheld: dict[str, set[int]]
    """What is absent so in reports that are far enough apart."""
    withheld_once: dict[str, set[int]]
    """What ever was."""

    @classmethod
    def of(cls, reports: Iterable[Absence], limit: timedelta) -> Absent:
        """Return what reports say; they are `limit` apart where something is withheld."""
        made = cls(since={}, withheld={}, withheld_once={})
        for report in sorted(reports, key=lambda one: one.looked_on):
            for one in report.absent:
                before, on = made.since.get(one.release, {}), report.looked_on
                since = {index: (before.get(index, (on,))[0], on) for index in one.indexes}
                withheld = {i for i, (first, last) in since.items() if last - first >= limit}
                made.since[one.release] = since
                made.withheld[one.release] = withheld
                made.withheld_once.setdefault(one.release, set()).update(withheld)
        return made


def due_reports(
    reports: Iterable[Absence],
    missing: Mapping[str, frozenset[int]],
    limit: timedelta,
    now: datetime,
) -> dict[str, frozenset[int]]:
    """Return of what is `missing` now, by release, what a witness has to report beside its reports.

    That is what its newest report does not say, and what it said first so long ago that saying it
    again is a second report. A release that lacks nothing is named if its newest report says that
    it does. Of a release that lacks more the first leaves are named, which are enough to tell of
    it, and of all releases as many as one report can hold: the others are due in the next round.
    """
    before, room = Absent.of(reports, limit), MAX_NAMED
    due = {}
    for release, absent in missing.items():
        since, indexes = before.since.get(release, {}), frozenset(sorted(absent)[:NAMED_EACH])
        repeated = any(
            now - first >= limit > last - first
            for index, (first, last) in since.items()
            if index in indexes
        )
        if (indexes != since.keys() or repeated) and room >= len(indexes):
            due[release] = indexes
            room -= len(indexes)
    return due
