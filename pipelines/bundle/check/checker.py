"""All checks of a bundle, in their order; each check is one function.

A check relies on those before it, so the first that finds something wrong is the last that is made.
What cannot be checked does not stop the others, and is never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipelines.bundle.check import (
    explanations,
    log_completeness,
    members,
    reader_trust,
    run_consistency,
    update_bases,
    verdict_consistency,
)
from pipelines.bundle.check.opened import BaseBundle, GivenFile, OpenedBundle, Trust
from pipelines.bundle.check.result import (
    ArtefactAnswer,
    CheckResult,
    CheckStatus,
    NotNeededError,
    Step,
    UncheckedError,
)
from pipelines.evidence.errors import EvidenceError

Check = Callable[[OpenedBundle], str]
_STATUSES = {NotNeededError: CheckStatus.NOTE, UncheckedError: CheckStatus.UNCHECKED}

CHECKS: dict[str, Check] = {
    "form": members.check_form,
    "members": members.check_known_members,
    "digests": members.check_digests,
    "card": members.check_card,
    "keys": members.check_keys,
    "policy": reader_trust.check_policy,
    "given-policy": reader_trust.check_given_policy,
    "envelopes": members.check_envelopes,
    "leaves": log_completeness.check_leaves,
    "inclusion": log_completeness.check_inclusion,
    "chain": log_completeness.check_chain,
    "witnesses": reader_trust.check_witnesses,
    "signatures": reader_trust.check_signatures,
    "key-use": reader_trust.check_key_use,
    "schema": members.check_schema,
    "key-time": reader_trust.check_key_time,
    "builder": reader_trust.check_builder,
    "logged": log_completeness.check_logged,
    "run": run_consistency.check_run,
    "kinds": members.check_kinds,
    "fresh": reader_trust.check_fresh,
    "version": reader_trust.check_version,
    "report": run_consistency.check_report,
    "signed-report": run_consistency.check_signed_report,
    "times": run_consistency.check_times,
    "claim": run_consistency.check_claim,
    "scope": run_consistency.check_scope,
    "attempts": run_consistency.check_attempts,
    "seal": run_consistency.check_seal,
    "complete": verdict_consistency.check_complete,
    "commitment": log_completeness.check_commitment,
    "built": verdict_consistency.check_built,
    "provenance": verdict_consistency.check_provenance,
    "log": run_consistency.check_log,
    "by-products": members.check_by_products,
    "inputs": verdict_consistency.check_not_copied,
    "verdicts": verdict_consistency.check_verdicts,
    "ledgers": verdict_consistency.check_ledgers,
    "grafted": verdict_consistency.check_grafted,
    "deltas": update_bases.check_deltas,
    update_bases.BASES: update_bases.check_bases,
    "tested": run_consistency.check_tested,
    "moved": run_consistency.check_moved,
    "explained": explanations.check_explained,
    "evidence": members.check_evidence,
    "files": members.check_files,
    "sealed": members.check_sealed,
}
"""Every rule by its name."""


def check_bundle(
    data: bytes,
    *,
    trust: Trust,
    files: Iterable[GivenFile] = (),
    bases: Iterable[bytes] = (),
) -> CheckResult:
    """Check the bytes of a bundle, and `files` against it; the result holds all findings.

    `bases` are the bundles of runs that judged the bases of updates.
    """
    given = []
    for base in bases:
        other = OpenedBundle(data=base, trust=trust)
        given.append(BaseBundle(opened=other, result=_checked(other)))
    return _checked(OpenedBundle(data=data, trust=trust, files=tuple(files), bases=tuple(given)))


def _checked(opened: OpenedBundle) -> CheckResult:
    steps: list[Step] = []
    for name, check in CHECKS.items():
        try:
            status, message = CheckStatus.OK, check(opened)
        except EvidenceError as error:
            status, message = _STATUSES.get(type(error), CheckStatus.WRONG), str(error)
        steps.append(Step(name=name, status=status, message=message))
        if status is CheckStatus.WRONG:
            return CheckResult(steps=tuple(steps))
    return CheckResult(
        steps=tuple(steps),
        release=opened.about.release,
        center=opened.card.id,
        run=opened.about.run,
        outcome=opened.outcome,
        artefacts=tuple(
            ArtefactAnswer(name=b.name, verdict=b.predicate.verdict) for b in opened.comparisons
        ),
        files=members.file_answers(opened),
    )
