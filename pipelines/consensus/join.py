"""The findings of the centers joined into one result for one artefact: a pure function.

For each operator the newest findings of its centers for the claim count, by the order of their
logs. A later run that could judge nothing takes no finding away: it is named beside it. An
operator that contradicts itself counts as dissent, and agrees with no other: two centers,
or two statements, that found other bytes for the same claim; a build that it found to be
nondeterministic; a verdict that its own digests do not support. So does one with a run that
committed to the claim, and then states that nothing was built, or nothing at all. The result is
the first of these that holds:

1. NOT_CHECKED: no finding says anything about the bytes, or that they cannot be built.
2. UNBUILDABLE: no operator has built, and at least one found that it cannot be built.
3. SUSPECT: at least k operators built the same bytes (or all no such file), not the shipped ones.
4. SPLIT: some match, and some dissent.
5. CONFIRMED: at least k operators match, in at least as many regions as the policy requires; one
   operator counts for one region.
6. NONDETERMINISTIC: those who dissent disagree, with each other or with themselves.
7. PENDING.

Absence counts neither way. Only findings of equal claim, scope and published digest are joined; of
a delta those in favour must name one base, and a run of their center that judged it. A
match does not count without its proof of work, nor when its key is the key of two operators; a
mismatch counts without. Where nothing can prove the work (`work_proof: none`) a match counts unless
the policy requires a proof. A policy can also require that what matches was built in a user
namespace. With k below one nothing is confirmed, and one mismatch is enough for
SUSPECT. Everything that does not count is in the result, with the reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace

from pipelines.audit.center_finding import (
    CenterFinding,
    Dissent,
    Excluded,
    ExclusionReason,
    newest_findings,
)
from pipelines.consensus.base_standing import BaseStanding
from pipelines.consensus.conclusion import Conclusion, conclusion_of
from pipelines.consensus.consensus_result import (
    Consensus,
    ConsensusSubject,
    OperatorFinding,
    served_file_alarms,
)
from pipelines.consensus.joined_result import Result
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.statements.statement import value_of
from pipelines.policy import ConsensusRules
from pipelines.policy.independence import independent_regions

_UNPROVED = {Proof.ABSENT: ExclusionReason.WORK_ABSENT, Proof.WRONG: ExclusionReason.WORK_WRONG}
_NEITHER = {
    Conclusion.EQUIVALENT: ExclusionReason.EQUIVALENT,
    Conclusion.SERVED_OTHER: ExclusionReason.SERVED_OTHER,
}
_ORDER = tuple(Conclusion)


def join(
    subject: ConsensusSubject,
    findings: Iterable[CenterFinding],
    rules: ConsensusRules,
    dissents: Iterable[Dissent] = (),
    *,
    base: BaseStanding | None = None,
    unwitnessed: bool = False,
) -> Consensus:
    """Return what the operators together found of one artefact, by the rules of this module.

    `findings` are about the artefact of that name, under any claim and published digest. `dissents`
    are of any claim too, and about every artefact of the release. `base` is what is known of
    the base of a delta: without it nothing of that passes. `unwitnessed` says that the
    policy requires no witness of their logs; it labels the result.
    """
    given = tuple(findings)
    about = [f for f in given if subject.is_of(f)]
    shared = _shared_keys(given)
    by_operator: dict[str, list[CenterFinding]] = defaultdict(list)
    for finding in about:
        by_operator[finding.center.operator].append(finding)
    dissenting = {d.center.operator: d for d in dissents if d.claim == value_of(subject.claim)}
    operators = tuple(
        _with_dissent(
            _operator_finding(operator, by_operator[operator], rules, shared, base),
            dissenting.get(operator),
        )
        for operator in sorted({*by_operator, *dissenting})
    )
    result = _result(operators, rules)
    passed = _passed(result, operators, rules)
    rests_badly = passed is True and subject.path is not None and (base is None or bool(base.fault))
    if rests_badly:  # then what it rests on decides
        result, passed = (base.result, False) if base and base.failed else (Result.PENDING, None)
    about_file = (f for f in given if f.published == subject.published)
    served = newest_findings(f for f in about_file if f.served and not f.from_vault)
    return Consensus(
        subject=subject,
        result=result,
        passed=passed,
        rules=rules,
        operators=operators,
        excluded=(
            *_about_others(subject, given, {f.center.id for f in about}),
            *(excluded for operator in operators for excluded in operator.excluded),
        ),
        served=served,
        alarms=served_file_alarms(served, subject.published),
        unwitnessed=unwitnessed,
        base=base,
        rests_badly=rests_badly,
    )


def _about_others(
    subject: ConsensusSubject, given: Iterable[CenterFinding], centers: AbstractSet[str]
) -> list[Excluded]:
    """Return the newest finding of each center that has none about the subject, excluded."""
    others = newest_findings(f for f in given if f.center.id not in centers)
    return [_about_another(subject, finding) for finding in others]


def _about_another(subject: ConsensusSubject, finding: CenterFinding) -> Excluded:
    if finding.published != subject.published:
        return finding.excluded(ExclusionReason.OTHER_PUBLISHED, str(finding.published))
    if finding.claim != subject.claim:
        return finding.excluded(ExclusionReason.OTHER_CLAIM, str(value_of(finding.claim)))
    if not subject.has_scope_of(finding):
        return finding.excluded(ExclusionReason.OTHER_SCOPE, str(value_of(finding.scope)))
    base = finding.path.base if finding.path else "none"
    return finding.excluded(ExclusionReason.OTHER_BASE, str(base))


def _shared_keys(findings: Iterable[CenterFinding]) -> frozenset[str]:
    """Return the keys that more than one operator signs with."""
    owners: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        owners[finding.key].add(finding.center.operator)
    return frozenset(key for key, operators in owners.items() if len(operators) > 1)


def _operator_finding(
    operator: str,
    findings: list[CenterFinding],
    rules: ConsensusRules,
    shared: AbstractSet[str],
    base: BaseStanding | None,
) -> OperatorFinding:
    """Return the finding of one operator: of its centers' newest the first by `Conclusion`.

    One without any finding is `NOT_TRIED`.
    """
    normalizers = rules.normalizers
    judged = newest_findings(f for f in findings if conclusion_of(f, normalizers).judged)
    last = newest_findings(findings)
    by_center = {f.center.id: f for f in (*last, *judged)}
    newest = tuple(by_center[f.center.id] for f in last)
    if _contradicts([(f, conclusion_of(f, normalizers)) for f in findings]):
        return OperatorFinding(
            operator=operator,
            conclusion=Conclusion.CONTRADICTORY,
            built=None,
            newest=newest,
            basis=tuple(findings),
        )
    concluded = [(f, conclusion_of(f, normalizers)) for f in newest]
    first, conclusion = min(
        concluded, key=lambda pair: _ORDER.index(pair[1]), default=(None, Conclusion.NOT_TRIED)
    )
    reasons = [(f, c, _exclusion_reason(f, c, shared, rules, base)) for f, c in concluded]
    return OperatorFinding(
        operator=operator,
        conclusion=conclusion,
        built=first.built if first else None,
        newest=newest,
        basis=newest,
        matching=tuple(f for f, c, reason in reasons if c is Conclusion.MATCH and not reason),
        applying=tuple(f for f, _, _ in reasons if f.is_applied and not _refusal(f, base)),
        excluded=(
            *(f.excluded(reason) for f, _, reason in reasons if reason),
            *(
                f.excluded(ExclusionReason.LATER_FAILURE, f"{f.outcome} in {f.run}")
                for f in last
                if f not in newest
            ),
        ),
    )


def _with_dissent(found: OperatorFinding, dissent: Dissent | None) -> OperatorFinding:
    """Return the finding of an operator that has a run which did not state what it committed to.

    What the operator has found against the published bytes stays as it is.
    """
    if dissent is None or found.dissents:
        return found
    return replace(found, conclusion=Conclusion(dissent.reason), built=None, matching=())


def _contradicts(concluded: list[tuple[CenterFinding, Conclusion]]) -> bool:
    """Return whether an operator ever found two things for one claim, or contradicted itself.

    All its findings for the claim are taken: a later success takes no earlier one away.
    """
    judged = [(f, conclusion) for f, conclusion in concluded if conclusion.judged]
    if any(conclusion is Conclusion.CONTRADICTORY for _, conclusion in judged):
        return True
    return len({(f.built, f.is_refused) for f, _ in judged}) > 1


def _exclusion_reason(
    finding: CenterFinding,
    conclusion: Conclusion,
    shared: AbstractSet[str],
    rules: ConsensusRules,
    base: BaseStanding | None,
) -> ExclusionReason | None:
    """Return why the finding of a center does not count, or None."""
    if conclusion is not Conclusion.MATCH:
        return _NEITHER.get(conclusion)
    if refusal := _refusal(finding, base):
        return refusal
    if finding.work is Proof.NONE and rules.work_proof == "required":
        return ExclusionReason.WORK_NONE
    if not finding.user_namespace and rules.user_namespace == "required":
        return ExclusionReason.NO_USER_NAMESPACE
    return ExclusionReason.SHARED_KEY if finding.key in shared else _UNPROVED.get(finding.work)


def _refusal(finding: CenterFinding, base: BaseStanding | None) -> ExclusionReason | None:
    """Return why a finding in favour of a delta does not count for what it says of its base."""
    return base.refusal(finding) if finding.delta and base else None


def _result(  # noqa: PLR0911  # the order of the results
    operators: tuple[OperatorFinding, ...], rules: ConsensusRules
) -> Result:
    """Return the first result that holds."""
    conclusions = {o.conclusion for o in operators}
    matches = [o for o in operators if o.matching]
    built = Counter(o.built for o in operators if o.conclusion is Conclusion.MISMATCH)
    if conclusions <= {Conclusion.NOT_CHECKED, Conclusion.NOT_TRIED}:
        return Result.NOT_CHECKED
    if conclusions <= {Conclusion.NOT_BUILT, Conclusion.NOT_TRIED}:
        return Result.UNBUILDABLE
    if max(built.values(), default=0) >= max(rules.k, 1):
        return Result.SUSPECT
    if matches and any(o.dissents for o in operators):
        return Result.SPLIT
    if _enough(matches, rules):
        return Result.CONFIRMED
    if len(built) > 1 or Conclusion.CONTRADICTORY in conclusions:
        return Result.NONDETERMINISTIC
    return Result.PENDING


def _enough(matches: list[OperatorFinding], rules: ConsensusRules) -> bool:
    """Return whether the operators that match are enough to confirm."""
    regions = independent_regions(
        (operator.operator, f.center.region) for operator in matches for f in operator.matching
    )
    return 1 <= rules.k <= len(matches) and regions >= rules.regions


def _passed(
    result: Result, operators: tuple[OperatorFinding, ...], rules: ConsensusRules
) -> bool | None:
    """Return what a summary states; over a SPLIT, PASSED only within the allowed dissent."""
    match result:
        case Result.CONFIRMED:
            return True
        case Result.SPLIT:
            matches = [o for o in operators if o.matching]
            dissent = sum(o.dissents for o in operators)
            return _enough(matches, rules) and dissent <= rules.max_dissent
        case Result.SUSPECT | Result.NONDETERMINISTIC:
            return False
        case Result.NOT_CHECKED | Result.UNBUILDABLE | Result.PENDING:
            return None
