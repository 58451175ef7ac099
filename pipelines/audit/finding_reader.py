"""From the records of one center to its findings on one release.

A run counts as a whole: a comparison without its attempt, or an attempt whose artefacts were not
all compared, gives no finding. In a run with a record that cannot be read no match counts, and for
a center whose newest run is such a one no match at all, since what that run found is not known. A
mismatch still counts: nobody can hide one by adding an unreadable record. No match counts either
where the log has a statement about the release that is not among the records, since it may be a
mismatch.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from itertools import groupby

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.audit.center_finding import CenterFinding, Excluded, ExclusionReason
from pipelines.audit.statement_reader import (
    Source,
    StatementReader,
    UnreachableError,
    VerifiedStatement,
    short,
)
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.comparison import ComparisonStatement, unmatched_artefact
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.statements.rebuilds import AttemptStatement, final_attempt
from pipelines.log.errors import LogError
from pipelines.storage.names import encode, release_prefix

MAX_RECORDS = 20_000
"""Of one release, by one center."""
MATCHES = frozenset({Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED})
"""The verdicts that can be a match."""
_NOT_READ = ("provenance-", "robustness-")
"""Records that hold no finding."""

_Comparison = tuple[VerifiedStatement, ComparisonStatement]
_Attempt = tuple[VerifiedStatement, AttemptStatement]
_Findings = list[CenterFinding | Excluded]


def center_prefix(release: ReleaseName, center: str) -> str:
    """Return the folder of a center's runs of a release."""
    return f"{release_prefix(*release.parts)}{encode(center)}/"


def read_center_findings(
    reader: StatementReader, source: Source, release: ReleaseName
) -> list[CenterFinding | Excluded]:
    """Return the findings of a center on a release, and for all else why it does not count."""
    if all(center.id != source.center for center in reader.policy.centers):
        return _nothing(source, ExclusionReason.UNKNOWN_CENTER)
    prefix = center_prefix(release, source.center)
    seen: set[Digest | None] = set()
    runs: dict[str, _Findings] = {}
    try:
        # First the log, then the store: a run that ends meanwhile is in both, or in the store.
        logged = _logged(reader, source, release)
        names = sorted(source.names(prefix, limit=MAX_RECORDS))
        for run, keys in groupby(names, key=lambda n: n.removeprefix(prefix).split("/")[0]):
            records = [reader.read(source, key) for key in keys if _may_hold_finding(key)]
            records = [_in_place(record, release, run) for record in records]
            seen |= {record.pae for record in records if not _is_misplaced(record)}
            runs[run] = _run_findings(records)
    except UnreachableError as error:
        return _nothing(source, ExclusionReason.UNREACHABLE, str(error.got))
    except LogError as error:
        return _nothing(source, ExclusionReason.LOG_BROKEN, short(error))
    withheld = sorted(digest.hex for digest in logged - seen)
    if not names and not withheld:
        return _nothing(source, ExclusionReason.NOTHING)
    found = [one for run in runs.values() for one in run]
    if withheld:
        detail = f"{len(withheld)} that its log has, such as {withheld[0][:16]}"
        found += _nothing(source, ExclusionReason.WITHHELD, detail)
    return _without_matches(found) if withheld or _is_unreadable(runs[max(runs)]) else found


def _logged(reader: StatementReader, source: Source, release: ReleaseName) -> AbstractSet[Digest]:
    try:
        return reader.logs.statements_about(source.center, str(release))
    except LogError:  # then no record counts: reading one raises it again
        return frozenset()


def _may_hold_finding(key: str) -> bool:
    return key.endswith(SUFFIX) and not key.rpartition("/")[2].startswith(_NOT_READ)


def _in_place(
    record: VerifiedStatement | Excluded, release: ReleaseName, run: str
) -> VerifiedStatement | Excluded:
    """Return a record of the folder of that run, or that it is misplaced there."""
    if isinstance(record, Excluded):
        return record
    match record.statement:
        case ComparisonStatement() | AttemptStatement() as statement:
            about = statement.predicate
            if (about.release, encode(about.run)) == (str(release), run):
                return record
    return record.excluded(ExclusionReason.MISPLACED)


def _is_misplaced(record: VerifiedStatement | Excluded) -> bool:
    """Return whether a record is elsewhere than its statement belongs.

    There it hides from those who look for it in its place, so it is as good as withheld.
    """
    return isinstance(record, Excluded) and record.reason is ExclusionReason.MISPLACED


def _run_findings(records: list[VerifiedStatement | Excluded]) -> _Findings:
    """Return the findings of one run, and why other records of it do not count."""
    comparisons: list[_Comparison] = []
    attempts: list[_Attempt] = []
    excluded: _Findings = []
    for record in records:
        if isinstance(record, Excluded):
            excluded.append(record)
            continue
        match record.statement:
            case ComparisonStatement() as statement:
                comparisons.append((record, statement))
            case AttemptStatement() as statement:
                attempts.append((record, statement))
    found = [*excluded, *_findings(comparisons, attempts)]
    return _without_matches(found) if _is_unreadable(found) else found


def _is_unreadable(found: _Findings) -> bool:
    """Return whether a record could not be read."""
    excluded = (one for one in found if isinstance(one, Excluded))
    return any(one.reason is ExclusionReason.UNREADABLE for one in excluded)


def _without_matches(found: _Findings) -> _Findings:
    """Return the same without the findings that could be a match."""
    return [one for one in found if isinstance(one, Excluded) or one.verdict not in MATCHES]


def _findings(comparisons: list[_Comparison], attempts: list[_Attempt]) -> _Findings:
    """Return the findings of a run, or for each of its statements why it gives none."""
    verified = [v for v, _ in comparisons]
    last = final_attempt(statement for _, statement in attempts)
    if last is None:
        return [v.excluded(ExclusionReason.INCOMPLETE, "no attempt") for v in verified]
    attempt = next(v for v, statement in attempts if statement is last)
    if odd := unmatched_artefact(last, [statement for _, statement in comparisons]):
        return [v.excluded(ExclusionReason.INCOMPLETE, odd) for v in (*verified, attempt)]
    seals = {a.predicate.seal.sha256 for _, a in attempts if a.predicate.seal}
    seal = seals.pop() if len(seals) == 1 else None
    return [_finding(comparison, (attempt, last), seal) for comparison in comparisons]


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
        run=compared.run,
        outcome=attempted.outcome,
        verdict=compared.verdict,
        served=shipped.served.digest.sha256 if shipped.served else None,
        rebuilt=compared.rebuilt.digest if compared.rebuilt else None,
        grafted=published if signed else None,
        normalizers=frozenset(n.name for n in compared.normalizers),
        causes=frozenset(compared.causes),
        comparison=verified.ref,
        attempt=attempt[0].ref,
        index=verified.index,
        seal=seal,
    )


def _nothing(source: Source, reason: ExclusionReason, detail: str = "") -> _Findings:
    return [Excluded(center=source.center, reason=reason, detail=detail)]
