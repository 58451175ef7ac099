"""The audit of one center on one release: its runs, their states, and what may be believed of them.

No match counts where the log has a statement about the release that is not among the records, since
it may be a mismatch: nobody can hide one by removing, moving or damaging its record. A record that
cannot be read counts neither way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import groupby, islice

from builders.core.digest import Digest
from pipelines.audit.center_finding import (
    MATCHES,
    CenterFinding,
    Dissent,
    Excluded,
    ExclusionReason,
)
from pipelines.audit.dissents import Obligations
from pipelines.audit.logged_release import LoggedCommitment, LoggedRelease, run_tag
from pipelines.audit.run_findings import RunFindings, run_findings
from pipelines.audit.run_state import UNSTATED, AuditedRun, RunState, mark_superseded, state_of
from pipelines.audit.source import BehindError, Source, UnreachableError, short
from pipelines.audit.statement_reader import StatementReader, VerifiedStatement
from pipelines.audit.versions import without_downgraded, without_old
from pipelines.audit.witnessed import Witnessed
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.rebuilds import AttemptStatement
from pipelines.evidence.statements.seal_lines import SealLinesStatement
from pipelines.log.errors import ForkedLogError, LogError
from pipelines.storage.names import encode, release_prefix

MAX_RECORDS, _PER_LEAF = 20_000, 4
"""Names that one center may have of one release, and how many more for each leaf of its log.

An honest one stays below, however often it has rebuilt. Of more than that the last ones are read,
and what its log has and is not among them is missing.
"""
_AHEAD = 16
_NOT_READ = ("provenance-", "robustness-", "explanation-")
"""Records that hold no finding."""
_Record = VerifiedStatement | Excluded


@dataclass(frozen=True, kw_only=True)
class CenterAudit:
    """What may be believed of what one center has on a release, and why all else may not."""

    center: str
    runs: tuple[AuditedRun, ...] = ()
    """In the order of their ids, which begin with the time of their start."""
    whole: tuple[Excluded, ...] = ()
    """What concerns the center as a whole."""
    provenance: Mapping[str, VerifiedStatement] = field(default_factory=dict)
    """By run, of those that match, where it was asked for and could be read."""

    @property
    def findings(self) -> tuple[CenterFinding, ...]:
        """The findings that count."""
        return tuple(finding for run in self.runs for finding in run.findings)

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        """What does not count, with the reasons."""
        return tuple(e for run in self.runs for e in run.excluded) + self.whole

    @property
    def dissents(self) -> tuple[Dissent, ...]:
        """The runs that committed, and did not state what they found."""
        return tuple(dissent for run in self.runs for dissent in run.dissents)


def center_prefix(release: ReleaseName, center: str) -> str:
    """Return the folder of a center's runs of a release."""
    return f"{release_prefix(*release.parts)}{encode(center)}/"


def audit_centers(
    reader: StatementReader,
    sources: Sequence[Source],
    releases: Iterable[ReleaseName],
    *,
    checker: str | None = None,
) -> Iterator[tuple[ReleaseName, Callable[[], list[CenterAudit]]]]:
    """Audit what each center has on each release; yields it, and what waits for its audits.

    Peers are `_AHEAD` releases ahead of who waits: to change threads for each one costs a tenth of
    the time. For a `checker`, the center that checks the work of others, their provenance is read
    too.
    """
    coming = iter(releases)
    while batch := list(islice(coming, _AHEAD)):
        begun = []
        for one in sources:
            audit = partial(audit_center, reader, one, checked=checker not in {None, one.center})
            begun.append(one.begin_all([partial(audit, release) for release in batch]))
        for place, release in enumerate(batch):
            yield release, partial(_waited, sources, [waits[place] for waits in begun])


def _waited(
    sources: Iterable[Source], waits: Iterable[Callable[[], CenterAudit]]
) -> list[CenterAudit]:
    found = []
    for source, wait in zip(sources, waits, strict=True):
        try:
            found.append(wait())
        except BehindError as error:
            found.append(_nothing(source, ExclusionReason.BEHIND, str(error.got)))
    return found


def audit_center(
    reader: StatementReader, source: Source, release: ReleaseName, *, checked: bool = False
) -> CenterAudit:
    """Audit what a center has on a release. A fault of its store or log is part of the result.

    With `checked` the provenance of runs that match is read too.
    """
    if all(center.id != source.center for center in reader.policy.centers):
        return _nothing(source, ExclusionReason.UNKNOWN_CENTER)
    try:
        # First the log, then the store: a run that ends meanwhile is in both, or in the store.
        logged = reader.logs.about(source.center, str(release))
        found = _Audit(reader, source, release, logged).audit()
    except BehindError as error:
        return _nothing(source, ExclusionReason.BEHIND, str(error.got))
    except UnreachableError as error:
        return _nothing(source, ExclusionReason.UNREACHABLE, str(error.got))
    except LogError as error:
        forked = isinstance(error, ForkedLogError)
        reason = ExclusionReason.LOG_FORKED if forked else ExclusionReason.LOG_BROKEN
        return _nothing(source, reason, short(error))
    return replace(found, provenance=_provenance(reader, source, release, found) if checked else {})


def provenance_key(release: ReleaseName, center: str, run: str) -> str:
    """Return the name of the record with the provenance of a run."""
    return f"{center_prefix(release, center)}{encode(run)}/provenance-1{SUFFIX}"


def _provenance(
    reader: StatementReader, source: Source, release: ReleaseName, audit: CenterAudit
) -> dict[str, VerifiedStatement]:
    """Return the provenance of the runs that match, by run, as far as it can be read."""
    found = {}
    for run in sorted({f.run for f in audit.findings if f.verdict in MATCHES}):
        with suppress(UnreachableError, LogError):
            record = reader.read(source, provenance_key(release, source.center, run))
            if isinstance(record, VerifiedStatement):
                found[run] = record
    return found


@dataclass(frozen=True)
class _Audit:
    """The audit of one center on one release; methods raise `UnreachableError`, `LogError`."""

    reader: StatementReader
    source: Source
    release: ReleaseName
    logged: LoggedRelease

    def audit(self) -> CenterAudit:
        """Return what may be believed of the center."""
        prefix = center_prefix(self.release, self.source.center)
        limit = MAX_RECORDS + _PER_LEAF * len(self.logged.results)
        names = self.source.last_names(prefix, limit=limit + 1)
        too_many, names = len(names) > limit, names[-limit:]
        folders: dict[str, list[_Record]] = {}
        for run, keys in groupby(names, key=lambda n: n.removeprefix(prefix).split("/")[0]):
            records = [self.reader.read(self.source, key) for key in keys if _may_hold_finding(key)]
            folders[run] = [self._placed(record, run) for record in records]
        found = [record for records in folders.values() for record in records]
        missing = self._missing(found)
        whole = [*_leaf_faults(self.source, self.logged), *self._absent(missing)]
        if too_many:
            detail = f"more than {limit}, of which the last are read"
            whole.append(_whole(self.source, ExclusionReason.TOO_MANY_RECORDS, detail))
        if not missing and not names:
            whole.append(_whole(self.source, ExclusionReason.NOTHING))
        # What is missing may be what a run found whose commitment seems to be open.
        runs = [self._run(*one, is_whole=not missing) for one in folders.items()]
        mislabelled = any(e.reason is ExclusionReason.MISLABELLED for r in runs for e in r.excluded)
        if missing or mislabelled:
            runs = [run.without_matches() for run in runs]
        if not missing:
            runs += self._runs_without_records(folders)
        return CenterAudit(
            center=self.source.center, runs=tuple(mark_superseded(runs)), whole=tuple(whole)
        )

    def _placed(self, record: _Record, run: str) -> _Record:
        """Return a record that belongs to that folder and whose leaf says so."""
        placed = _in_place(record, self.release, run)
        if isinstance(placed, Excluded) or _is_labelled(placed, self.logged):
            return placed
        if isinstance(placed.statement, SealLinesStatement):  # no result of a run
            return placed
        return placed.excluded(ExclusionReason.MISLABELLED, f"at index {placed.index} of its log")

    def _missing(self, found: Iterable[_Record]) -> dict[Digest, int]:
        """Return what the log has of the release that is in its place in no folder, by index."""
        seen = {record.pae for record in found if not _is_misplaced(record)}
        return {d: index for d, index in self.logged.results.items() if d not in seen}

    def _absent(self, missing: Mapping[Digest, int]) -> Iterator[Excluded]:
        """Yield the statements that the log has and the store does not show."""
        reported: Collection[int] = ()
        if missing:
            reported = self.reader.logs.reported(self.source.center, str(self.release))
        for reason in (ExclusionReason.WITHHELD, ExclusionReason.MISSING):
            wanted = reason is ExclusionReason.WITHHELD
            found = {d.hex: i for d, i in missing.items() if (i in reported) is wanted}
            if found:
                detail = f"{len(found)} that its log has, such as {min(found)[:16]}"
                yield _whole(self.source, reason, detail, sorted(found.values()))

    def _run(self, run: str, records: list[_Record], *, is_whole: bool) -> AuditedRun:
        """Return one run, from the records in its folder."""
        commitments = self.logged.commitments.get(run_tag(run), [])
        verified = [record for record in records if isinstance(record, VerifiedStatement)]
        told = run_findings(verified, commitments)
        binding = self._obligations.binding(commitments)
        state = state_of(told, binding, self._witnessed)
        if state is RunState.ABANDONED and not is_whole:
            state = RunState.OPEN
        lines = [r.statement for r in verified if isinstance(r.statement, SealLinesStatement)]
        dissents = self._obligations.dissents(binding, state, unbuilt=told.is_unbuilt, lines=lines)
        excluded = [*(r for r in records if isinstance(r, Excluded)), *told.excluded]
        if is_whole and not excluded and state in UNSTATED:
            excluded.append(_open(self.source, binding))
        counted = AuditedRun(
            run=run,
            state=state,
            findings=told.findings,
            excluded=(*excluded, *(dissent.excluded for dissent in dissents)),
            dissents=dissents,
        )
        upgraded_at = self.reader.logs.upgraded_at(self.source.center)
        return without_old(
            without_downgraded(counted, upgraded_at), self.reader.policy.oldest_evidence
        )

    def _runs_without_records(self, folders: Collection[str]) -> Iterator[AuditedRun]:
        """Yield the runs that committed to a seal, and of which there is no record."""
        told = {run_tag(run) for run in folders}
        for tag, commitments in self.logged.commitments.items():
            if tag in told:
                continue
            binding = self._obligations.binding(commitments)
            state = state_of(RunFindings(), binding, self._witnessed) if binding else RunState.OPEN
            dissents = self._obligations.dissents(binding, state)
            excluded = [dissent.excluded for dissent in dissents]
            yield AuditedRun(
                run=dissents[0].run if dissents else None,
                state=state,
                excluded=tuple(excluded or [_open(self.source, commitments)]),
                dissents=dissents,
            )

    @property
    def _obligations(self) -> Obligations:
        return Obligations(reader=self.reader, center=self.source.center)

    @cached_property
    def _witnessed(self) -> Witnessed:
        return self.reader.logs.witnessed(self.source.center)


def _is_labelled(record: VerifiedStatement, logged: LoggedRelease) -> bool:
    """Return whether the leaf of a record says that it is a result of a run of this release.

    If it did not, nobody would miss the record once it is gone.
    """
    return record.pae in logged.results


def _leaf_faults(source: Source, logged: LoggedRelease) -> Iterable[Excluded]:
    """Yield what is odd about leaves, which takes nothing away."""
    for reason, indexes in (
        (ExclusionReason.LOGGED_TWICE, logged.repeated),
        (ExclusionReason.UNKNOWN_KIND, logged.unknown),
        (ExclusionReason.UNCHAINED, logged.unchained),
    ):
        if indexes:
            detail = f"{len(indexes)} leaves, such as {indexes[0]}"
            yield _whole(source, reason, detail, indexes)


def _open(source: Source, commitments: Sequence[LoggedCommitment]) -> Excluded:
    """Return that the commitment of a run is open."""
    index = commitments[0].index
    return _whole(source, ExclusionReason.OPEN, f"committed at {index}", [index])


def _may_hold_finding(key: str) -> bool:
    return key.endswith(SUFFIX) and not key.rpartition("/")[2].startswith(_NOT_READ)


def _in_place(record: _Record, release: ReleaseName, run: str) -> _Record:
    """Return a record of the folder of that run, or that it is misplaced there.

    One that does not count anyway keeps its reason, and shows nothing of its leaf elsewhere.
    """
    if isinstance(record, Excluded):
        named = record.about
        here = named is None or (named.release, encode(named.run)) == (str(release), run)
        return record if here else replace(record, pae=None)
    match record.statement:
        case ComparisonStatement() | AttemptStatement() | SealLinesStatement() as statement:
            about = statement.predicate
            if (about.release, encode(about.run)) == (str(release), run):
                return record
            of = "run" if about.release == str(release) else "release"
            return record.excluded(ExclusionReason.MISPLACED, f"of another {of}")
    return record.excluded(ExclusionReason.MISPLACED, "of another kind")


def _is_misplaced(record: _Record) -> bool:
    """Return whether a record is elsewhere than its statement belongs.

    There it hides from those who look for it in its place, so it is as good as missing.
    """
    return isinstance(record, Excluded) and record.reason is ExclusionReason.MISPLACED


def _nothing(source: Source, reason: ExclusionReason, detail: str = "") -> CenterAudit:
    return CenterAudit(center=source.center, whole=(_whole(source, reason, detail),))


def _whole(
    source: Source, reason: ExclusionReason, detail: str = "", indexes: Iterable[int] = ()
) -> Excluded:
    return Excluded(center=source.center, reason=reason, detail=detail, indexes=tuple(indexes))
