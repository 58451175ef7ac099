"""The audit of one center on one release: its runs, their states, and what may be believed of them.

A run counts as a whole: a comparison without its attempt, or an attempt whose artefacts were not
all compared, gives no finding. In a run with a record that cannot be read no match counts, and for
a center whose newest run is such a one no match at all, since what that run found is not known. A
mismatch still counts: nobody can hide one by adding an unreadable record. No match counts either
where the log has a statement about the release that is not among the records, since it may be a
mismatch; nor one whose run did not commit to claim and seal before it was stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import groupby

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.audit.center_finding import CenterFinding, Excluded, ExclusionReason
from pipelines.audit.logged_release import LoggedRelease, run_tag
from pipelines.audit.source import BehindError, Source, UnreachableError, short
from pipelines.audit.statement_reader import StatementReader, VerifiedStatement
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement, unmatched_artefact
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.rebuilds import AttemptStatement, final_attempt
from pipelines.evidence.statements.statement import value_of
from pipelines.log.errors import ForkedLogError, LogError
from pipelines.log.leaf import commitment_digest
from pipelines.storage.names import encode, release_prefix

MAX_RECORDS = 20_000
"""Of one release, by one center."""
MATCHES = frozenset({Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED})
"""The verdicts that can be a match."""
_NOT_READ = ("provenance-", "robustness-")
"""Records that hold no finding."""
_Record = VerifiedStatement | Excluded
_Comparison = tuple[VerifiedStatement, ComparisonStatement]
_Attempt = tuple[VerifiedStatement, AttemptStatement]


class RunState(StrEnum):
    """How far a run came, by the log and the records of its center."""

    STATED = "stated"
    """Every artefact was compared, and the attempt says how it ended."""
    FAILED = "failed"
    """It was stated, and nothing was built."""
    INCOMPLETE = "incomplete"
    """Statements are missing, or do not agree with each other."""
    OPEN = "open"
    """The log has its commitment, and nothing says what was found."""


@dataclass(frozen=True, kw_only=True)
class AuditedRun:
    """One run of one center."""

    run: str | None
    """None for a run that the log has a commitment of and the store no record."""
    state: RunState
    findings: tuple[CenterFinding, ...] = ()
    excluded: tuple[Excluded, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether every record could be read."""
        return all(e.reason is not ExclusionReason.UNREADABLE for e in self.excluded)

    def without_matches(self) -> AuditedRun:
        """Return the same run without the findings that could be a match."""
        kept = tuple(f for f in self.findings if f.verdict not in MATCHES)
        return replace(self, findings=kept)


@dataclass(frozen=True, kw_only=True)
class CenterAudit:
    """What may be believed of what one center has on a release, and why all else may not."""

    center: str
    runs: tuple[AuditedRun, ...] = ()
    """In the order of their ids, which begin with the time of their start."""
    whole: tuple[Excluded, ...] = ()
    """What concerns the center as a whole."""

    @property
    def findings(self) -> tuple[CenterFinding, ...]:
        """The findings that count."""
        return tuple(finding for run in self.runs for finding in run.findings)

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        """What does not count, with the reasons."""
        return tuple(e for run in self.runs for e in run.excluded) + self.whole


def center_prefix(release: ReleaseName, center: str) -> str:
    """Return the folder of a center's runs of a release."""
    return f"{release_prefix(*release.parts)}{encode(center)}/"


def audit_centers(
    reader: StatementReader, sources: Iterable[Source], release: ReleaseName
) -> list[CenterAudit]:
    """Audit what each center has on a release, side by side."""
    waits = [(one, one.begin(partial(audit_center, reader, one, release))) for one in sources]
    return [_waited(source, wait) for source, wait in waits]


def _waited(source: Source, wait: Callable[[], CenterAudit]) -> CenterAudit:
    try:
        return wait()
    except BehindError as error:
        return _nothing(source, ExclusionReason.BEHIND, str(error.got))


def audit_center(reader: StatementReader, source: Source, release: ReleaseName) -> CenterAudit:
    """Audit what a center has on a release. A fault of its store or log is part of the result."""
    if all(center.id != source.center for center in reader.policy.centers):
        return _nothing(source, ExclusionReason.UNKNOWN_CENTER)
    prefix = center_prefix(release, source.center)
    runs: list[AuditedRun] = []
    seen: set[Digest | None] = set()
    try:
        # First the log, then the store: a run that ends meanwhile is in both, or in the store.
        logged = reader.logs.about(source.center, str(release))
        names = sorted(source.names(prefix, limit=MAX_RECORDS))
        for run, keys in groupby(names, key=lambda n: n.removeprefix(prefix).split("/")[0]):
            records = [reader.read(source, key) for key in keys if _may_hold_finding(key)]
            placed = [_in_place(record, release, run) for record in records]
            seen |= {record.pae for record in placed if not _is_misplaced(record)}
            audited = _audit_run(run, placed, logged)
            runs.append(_without_old(audited, reader.policy.oldest_evidence))
    except BehindError as error:
        return _nothing(source, ExclusionReason.BEHIND, str(error.got))
    except UnreachableError as error:
        return _nothing(source, ExclusionReason.UNREACHABLE, str(error.got))
    except ForkedLogError as error:
        return _nothing(source, ExclusionReason.LOG_FORKED, short(error))
    except LogError as error:
        return _nothing(source, ExclusionReason.LOG_BROKEN, short(error))
    withheld = {digest: index for digest, index in logged.results.items() if digest not in seen}
    whole = [*_leaf_faults(source, logged)]
    if withheld:
        detail = f"{len(withheld)} that its log has, such as {min(d.hex for d in withheld)[:16]}"
        missing = sorted(withheld.values())
        whole.append(_whole(source, ExclusionReason.WITHHELD, detail, missing))
    elif not names:
        whole.append(_whole(source, ExclusionReason.NOTHING))
    if withheld or (runs and not runs[-1].is_readable):
        runs = [run.without_matches() for run in runs]
    if not withheld:  # what is withheld may be what such a run found
        runs += _open_runs(source, logged, runs)
    return CenterAudit(center=source.center, runs=tuple(runs), whole=tuple(whole))


def _leaf_faults(source: Source, logged: LoggedRelease) -> Iterable[Excluded]:
    """Yield what is odd about leaves, which takes nothing away."""
    if logged.repeated:
        detail = f"{len(logged.repeated)} leaves, such as {logged.repeated[0]}"
        yield _whole(source, ExclusionReason.LOGGED_TWICE, detail)
    if logged.unknown:
        detail = f"{len(logged.unknown)} leaves, such as {logged.unknown[0]}"
        yield _whole(source, ExclusionReason.UNKNOWN_KIND, detail)


def _open_runs(
    source: Source, logged: LoggedRelease, runs: Iterable[AuditedRun]
) -> list[AuditedRun]:
    """Return the runs that committed to a seal, and of which there is no record."""
    told = {run_tag(run.run) for run in runs if run.run}
    return [
        AuditedRun(
            run=None,
            state=RunState.OPEN,
            excluded=(_whole(source, ExclusionReason.OPEN, f"committed at {index}", [index]),),
        )
        for tag, index in ((t, found[0].index) for t, found in logged.commitments.items())
        if tag not in told
    ]


def _may_hold_finding(key: str) -> bool:
    return key.endswith(SUFFIX) and not key.rpartition("/")[2].startswith(_NOT_READ)


def _in_place(record: _Record, release: ReleaseName, run: str) -> _Record:
    """Return a record of the folder of that run, or that it is misplaced there."""
    if isinstance(record, Excluded):
        return record
    match record.statement:
        case ComparisonStatement() | AttemptStatement() as statement:
            about = statement.predicate
            if (about.release, encode(about.run)) == (str(release), run):
                return record
            of = "run" if about.release == str(release) else "release"
            return record.excluded(ExclusionReason.MISPLACED, f"of another {of}")
    return record.excluded(ExclusionReason.MISPLACED, "of another kind")


def _is_misplaced(record: _Record) -> bool:
    """Return whether a record is elsewhere than its statement belongs.

    There it hides from those who look for it in its place, so it is as good as withheld.
    """
    return isinstance(record, Excluded) and record.reason is ExclusionReason.MISPLACED


def _audit_run(run: str, records: list[_Record], logged: LoggedRelease) -> AuditedRun:
    """Return one run, from the records in its folder."""
    comparisons: list[_Comparison] = []
    attempts: list[_Attempt] = []
    excluded: list[Excluded] = []
    for record in records:
        if isinstance(record, Excluded):
            excluded.append(record)
        elif isinstance(record.statement, ComparisonStatement):
            comparisons.append((record, record.statement))
        elif isinstance(record.statement, AttemptStatement):
            attempts.append((record, record.statement))
    state, found = _findings(comparisons, attempts, logged)
    audited = AuditedRun(
        run=run,
        state=state,
        findings=tuple(one for one in found if isinstance(one, CenterFinding)),
        excluded=(*excluded, *(one for one in found if isinstance(one, Excluded))),
    )
    return audited if audited.is_readable else audited.without_matches()


def _without_old(run: AuditedRun, oldest: int) -> AuditedRun:
    """Return a run without the findings of an older format version than those that count."""
    old = [f for f in run.findings if f.version < oldest]
    return replace(
        run,
        findings=tuple(f for f in run.findings if f not in old),
        excluded=(
            *run.excluded,
            *(f.excluded(ExclusionReason.OLD_EVIDENCE, f"version {f.version}") for f in old),
        ),
    )


def _findings(
    comparisons: list[_Comparison], attempts: list[_Attempt], logged: LoggedRelease
) -> tuple[RunState, list[CenterFinding | Excluded]]:
    """Return the findings of a run, or for each of its statements why it gives none."""
    verified = [v for v, _ in comparisons]
    last = final_attempt(statement for _, statement in attempts)
    if last is None:
        return RunState.INCOMPLETE, [
            v.excluded(ExclusionReason.INCOMPLETE, "no attempt") for v in verified
        ]
    attempt = next(v for v, statement in attempts if statement is last)
    if odd := unmatched_artefact(last, [statement for _, statement in comparisons]):
        return RunState.INCOMPLETE, [
            v.excluded(ExclusionReason.INCOMPLETE, odd) for v in (*verified, attempt)
        ]
    seals = {a.predicate.seal.sha256 for _, a in attempts if a.predicate.seal}
    seal = seals.pop() if len(seals) == 1 else None
    first = min(v.index for v in (*verified, *(v for v, _ in attempts)))
    committed = _committed_before(first, last, seal, logged)
    found: list[CenterFinding | Excluded] = []
    for comparison in comparisons:
        one = _finding(comparison, (attempt, last), seal)
        if isinstance(one, CenterFinding) and one.verdict in MATCHES and not committed:
            detail = "no commitment to its claim and seal before it in the log"
            one = one.excluded(ExclusionReason.UNCOMMITTED, detail)
        found.append(one)
    state = RunState.STATED if last.predicate.outcome is Outcome.BUILT else RunState.FAILED
    return state, found


def _committed_before(
    index: int, attempt: AttemptStatement, seal: Digest | None, logged: LoggedRelease
) -> bool:
    """Return whether the run committed to its claim and seal, and to nothing else, before that."""
    claim = value_of(attempt.predicate.claim)
    if claim is None or seal is None:
        return False
    run = attempt.predicate.run
    place = logged.committed_at(run, commitment_digest(run, claim, seal))
    return place is not None and place < index


def _finding(
    comparison: _Comparison, attempt: _Attempt, seal: Digest | None
) -> CenterFinding | Excluded:
    verified, statement = comparison
    compared, attempted = statement.predicate, attempt[1].predicate
    shipped = compared.shipped
    if shipped is None:
        return verified.excluded(ExclusionReason.UNDECLARED, statement.name)
    if compared.claim is None:
        return verified.excluded(ExclusionReason.NO_CLAIM)
    published = shipped.published.sha256
    if published is None or compared.claim != attempted.claim or len(statement.subject) != 1:
        detail = "another claim or subject than its attempt"
        return verified.excluded(ExclusionReason.INCOMPLETE, detail)
    if statement.subject[0].digest != shipped.published:
        detail = "about other bytes than its published digest"
        return verified.excluded(ExclusionReason.INCOMPLETE, detail)
    signed = compared.verdict is Verdict.IDENTICAL_SIGNED and compared.signature is not None
    return CenterFinding(
        center=verified.center,
        key=verified.key.material,
        artefact=statement.name,
        published=published,
        claim=compared.claim,
        scope=compared.scope,
        version=min(statement.version, attempt[1].version),
        run=compared.run,
        outcome=attempted.outcome,
        verdict=compared.verdict,
        served=shipped.compared.digest.sha256 if shipped.compared else None,
        from_vault=shipped.from_vault is not None,
        rebuilt=compared.rebuilt.digest if compared.rebuilt else None,
        grafted=published if signed else None,
        normalizers=frozenset(n.name for n in compared.normalizers),
        causes=frozenset(compared.causes),
        comparison=verified.ref,
        attempt=attempt[0].ref,
        index=verified.index,
        seal=seal,
    )


def _nothing(source: Source, reason: ExclusionReason, detail: str = "") -> CenterAudit:
    return CenterAudit(center=source.center, whole=(_whole(source, reason, detail),))


def _whole(
    source: Source, reason: ExclusionReason, detail: str = "", indexes: Iterable[int] = ()
) -> Excluded:
    return Excluded(center=source.center, reason=reason, detail=detail, indexes=tuple(indexes))
