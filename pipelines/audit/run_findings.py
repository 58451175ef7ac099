"""From the verified statements of one run to its findings, or why each of them gives none.

A run counts as a whole: a comparison without its attempt, or an attempt whose artefacts were not
all compared, gives no finding. No match counts whose run did not commit to claim and seal before it
was stated, nor one of a run that was not stated by one commit, whose leaves follow each other.
No verdict in favour of a file counts where the rest of its statement contradicts it. One that its
own digests contradict is kept, as is any against a file: those are dissent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.audit.center_finding import (
    IN_FAVOUR,
    MATCHES,
    CenterFinding,
    Excluded,
    ExclusionReason,
)
from pipelines.audit.logged_release import LoggedCommitment
from pipelines.audit.statement_reader import VerifiedStatement
from pipelines.audit.verdict_rule import contradiction, delta_contradiction, is_supported
from pipelines.evidence.statements.comparison import ComparisonStatement, unmatched_artefact
from pipelines.evidence.statements.rebuilds import AttemptStatement, final_attempt
from pipelines.evidence.statements.statement import value_of
from pipelines.log.leaf import commitment_digest

_NOT_WHOLE = frozenset({ExclusionReason.INCOMPLETE, ExclusionReason.CONTRADICTORY})
_Comparison = tuple[VerifiedStatement, ComparisonStatement]
_Attempt = tuple[VerifiedStatement, AttemptStatement]


@dataclass(frozen=True, kw_only=True)
class RunFindings:
    """What the statements of one run say together."""

    attempt: AttemptStatement | None = None
    """The one that has the outcome; None where not all is there, or not in agreement."""
    seal: Digest | None = None
    """Of the run; None where it has none, or several."""
    commitments: tuple[LoggedCommitment, ...] = ()
    """That it made."""
    uncommitted: str | None = None
    """Why they are not what it should have committed to before it was stated; None if they are."""
    findings: tuple[CenterFinding, ...] = ()
    excluded: tuple[Excluded, ...] = ()

    @property
    def is_unbuilt(self) -> bool:
        """Whether it is stated that nothing was built."""
        return self.attempt is not None and self.attempt.predicate.outcome is not Outcome.BUILT

    def fulfils(self, commitments: Iterable[LoggedCommitment]) -> bool:
        """Return whether it was built, and states what it committed to and nothing else."""
        committed = _commitment(self.attempt, self.seal)
        built = committed is not None and not self.is_unbuilt
        return built and {one.digest for one in commitments} == {committed}


def run_findings(
    records: Iterable[VerifiedStatement], commitments: Sequence[LoggedCommitment]
) -> RunFindings:
    """Return what the statements of a run, which made those `commitments`, say together."""
    comparisons: list[_Comparison] = []
    attempts: list[_Attempt] = []
    for record in records:
        if isinstance(record.statement, ComparisonStatement):
            comparisons.append((record, record.statement))
        elif isinstance(record.statement, AttemptStatement):
            attempts.append((record, record.statement))
    verified = [v for v, _ in comparisons]
    last = final_attempt(statement for _, statement in attempts)
    if last is None:
        return _incomplete(verified, "no attempt")
    attempt = next(v for v, statement in attempts if statement is last)
    compared = [statement for _, statement in comparisons]
    for _, statement in attempts:
        if odd := unmatched_artefact(statement, compared):
            return _incomplete([*verified, attempt], odd)
    seals = {a.predicate.seal.sha256 for _, a in attempts if a.predicate.seal}
    seal = seals.pop() if len(seals) == 1 else None
    first = min(v.index for v in (*verified, *(v for v, _ in attempts)))
    uncommitted = _uncommitted(commitments, _commitment(last, seal), before=first)
    scattered = _is_scattered(comparisons, attempts)
    barred = _barred(uncommitted, scattered=scattered)
    found: list[CenterFinding | Excluded] = []
    for comparison in comparisons:
        one = _finding(comparison, (attempt, last), seal, compared)
        if barred and isinstance(one, CenterFinding) and one.verdict in MATCHES:
            one = one.excluded(*barred)
        found.append(one)
    excluded = tuple(one for one in found if isinstance(one, Excluded))
    whole = not scattered and all(e.reason not in _NOT_WHOLE for e in excluded)
    return RunFindings(
        attempt=last if whole else None,
        seal=seal,
        commitments=tuple(commitments),
        uncommitted=uncommitted,
        findings=tuple(one for one in found if isinstance(one, CenterFinding)),
        excluded=excluded,
    )


def _incomplete(verified: Iterable[VerifiedStatement], detail: str) -> RunFindings:
    reason = ExclusionReason.INCOMPLETE
    return RunFindings(excluded=tuple(one.excluded(reason, detail) for one in verified))


def _barred(uncommitted: str | None, *, scattered: bool) -> tuple[ExclusionReason, str] | None:
    """Return why no match of a run counts; None where it may."""
    if uncommitted:
        return ExclusionReason.UNCOMMITTED, uncommitted
    return (ExclusionReason.INCOMPLETE, "not stated by one commit") if scattered else None


def _is_scattered(comparisons: list[_Comparison], attempts: list[_Attempt]) -> bool:
    """Return whether something else stands between the leaves of a run, so that it is half stated.

    Their provenance may be there, and that of files with the vendor's signature. A run wholly of
    format version 1 was logged piece by piece.
    """
    if all(statement.version == 1 for _, statement in (*comparisons, *attempts)):
        return False
    indexes = [verified.index for verified, _ in (*comparisons, *attempts)]
    compared = [statement.predicate for _, statement in comparisons]
    made = any(one.provenance for one in compared)
    grafted = any(one.verdict is Verdict.IDENTICAL_SIGNED for one in compared)
    return max(indexes) - min(indexes) + 1 > len(set(indexes)) + made + grafted


def _commitment(attempt: AttemptStatement | None, seal: Digest | None) -> Digest | None:
    """Return the digest of the commitment that a run must have made; None if it made none."""
    claim = value_of(attempt.predicate.claim) if attempt else None
    if attempt is None or claim is None or seal is None:
        return None
    return commitment_digest(attempt.predicate.run, claim, seal)


def _uncommitted(
    commitments: Sequence[LoggedCommitment], expected: Digest | None, *, before: int
) -> str | None:
    """Return what is wrong with the commitments of a run that was stated from `before` on."""
    if not commitments:
        return "no commitment in the log"
    if len(commitments) > 1:
        return f"it committed more than once, at {commitments[0].index} and {commitments[1].index}"
    (one,) = commitments
    if one.digest != expected:
        return f"the commitment at {one.index} is to another claim or seal"
    return None if one.index < before else f"the commitment at {one.index} is after its statements"


def _finding(
    comparison: _Comparison,
    attempt: _Attempt,
    seal: Digest | None,
    beside: Sequence[ComparisonStatement],
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
    signature = compared.signature if compared.verdict is Verdict.IDENTICAL_SIGNED else None
    grafted = signature.grafted if signature else None
    finding = CenterFinding(
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
        grafted=grafted.digest.sha256 if grafted else None,
        normalizers=frozenset(n.name for n in compared.normalizers),
        update=compared.update,
        delta=compared.delta,
        causes=frozenset(compared.causes or ()),
        comparison=verified.ref,
        attempt=attempt[0].ref,
        index=verified.index,
        seal=seal,
        user_namespace=attempted.has_user_namespace,
    )
    if expected := _contradiction(statement, finding) or delta_contradiction(statement, beside):
        detail = f"{finding.verdict} ({compared.ground}), expected {expected}"
        return verified.excluded(ExclusionReason.CONTRADICTORY, detail)
    return finding


def _contradiction(statement: ComparisonStatement, finding: CenterFinding) -> str | None:
    """Return what a comparison would have to say, where more than its digests contradicts it.

    None for one of format version 1, which has no signature and no ledger.
    """
    built = finding.outcome is Outcome.BUILT
    if statement.version == 1 or finding.verdict not in IN_FAVOUR:
        return None
    return contradiction(statement, built=True) if built and is_supported(finding) else None
