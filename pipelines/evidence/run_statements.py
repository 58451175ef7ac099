"""The statements about one run, made from its report."""

from __future__ import annotations

from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.rebuild.rebuild_result import RebuildResult
from pipelines.evidence.redaction import public_explanation, public_form
from pipelines.evidence.report import Purpose, Robustness, RobustnessRebuild
from pipelines.evidence.run import Run
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.evidence.run_provenance import provenance_of, provenance_of_grafts
from pipelines.evidence.statements.comparison import (
    CarriedBytes,
    Comparison,
    ComparisonStatement,
    ExplanationDigests,
    Shipped,
    SignatureBy,
    VaultCopy,
    VendorSignature,
    ground,
    masked_by,
)
from pipelines.evidence.statements.explanation import (
    ConfirmingRebuild,
    ExplainedComparison,
    ExplanationStatement,
    RunExplained,
)
from pipelines.evidence.statements.rebuilds import (
    AttemptStatement,
    ComparedArtefact,
    RebuildAttempt,
    RobustnessStatement,
    RobustnessTest,
    VariedEntry,
    failure_reason,
    wall_milliseconds,
)
from pipelines.evidence.statements.statement import DigestSet, Statement, Subject, subject
from pipelines.evidence.statements.updates import (
    BaseReference,
    ChainSummary,
    ComparedDelta,
    ComparedManifest,
    FileDigest,
    ManifestClaim,
)
from pipelines.judge.finding import Finding, ShippedFact
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked
from pipelines.judge.signatures.signature_format import Graft, Refused
from pipelines.judge.updates.checked_delta import BaseChain, CheckedBase, CheckedDelta, MadeFile
from pipelines.judge.updates.manifest_format import ManifestFact


def statements_for(
    run: Run,
    *,
    sbom: Digest,
    robustness: RobustnessRebuild | None = None,
    explanation: RunExplanation | None = None,
) -> list[Statement]:
    """Return all statements about a run, in the order of their records.

    A if it was built, and another one of files with the vendor's signature, B for each finding, E
    for each attempt, and what the robustness rebuild showed and what explains the run, if that is
    known. `sbom` is the digest of the SBOM. There is always at least one E. Raises ValueError for
    an explanation of what was not compared.
    """
    made = provenance_of(run, sbom)
    digest = made.digest() if made else None
    grafted = provenance_of_grafts(run, made) if made else None
    comparisons = [_comparison(run, finding, digest) for finding in run.report.artefacts]
    attempts = _attempts(run)
    return [
        *([made] if made else []),
        *([grafted] if grafted else []),
        *comparisons,
        *attempts,
        *([_robustness(run, robustness, attempts)] if robustness else []),
        *([_explanation(run, explanation, comparisons)] if explanation else []),
    ]


def _comparison(run: Run, finding: Finding, provenance: Digest | None) -> ComparisonStatement:
    """Return statement B of one finding; `provenance` is the digest of A's payload, if any.

    Raises ValueError for a finding that is about no bytes at all.
    """
    shipped, rebuilt = finding.shipped, finding.rebuilt
    about = shipped.published if shipped else rebuilt.sha256 if rebuilt else None
    if about is None:
        raise ValueError(f"{finding.name!r} is about no bytes")
    return ComparisonStatement(
        subject=(Subject(name=finding.name, digest=run.digest_set(about)),),
        predicate=Comparison(
            **run.reference,
            scope=run.digest_set_or_none(run.report.scope),
            compared_on=run.finished,
            verdict=finding.verdict,
            ground=ground(finding, built=run.built),
            shipped=_shipped(shipped) if shipped else None,
            rebuilt=FileDigest(digest=run.digest_set(rebuilt.sha256), size=rebuilt.size)
            if rebuilt
            else None,
            signature=_signature(finding.signature),
            **_masked(finding.ledger),
            delta=_delta(run, finding.delta) if finding.delta else None,
            manifest=_manifest(finding.manifest) if finding.manifest else None,
            provenance=DigestSet(sha256=provenance) if provenance and rebuilt else None,
        ),
    )


def _signature(found: Graft | Refused | None) -> VendorSignature | None:
    if not isinstance(found, Graft):
        return VendorSignature(fault=found.fault) if found else None
    return VendorSignature(
        format=found.format,
        signers=tuple(
            SignatureBy(
                certificate=None if isinstance(by, str) else DigestSet(sha256=by),
                key=by if isinstance(by, str) else None,
                **s.only("stamped_on", "weak_digest"),
            )
            for s in found.signers
            for by in (s.certificate,)
        ),
        grafted=FileDigest(digest=DigestSet(sha256=found.sha256), size=found.size),
        taken=found.taken,
        carried=tuple(
            CarriedBytes(
                **part.only("offset", "length", "why", "inside"),
                digest=DigestSet(sha256=part.sha256),
            )
            for part in found.carried
        ),
        packing=found.packing,
    )


def _masked(found: MaskLedger | NotMasked | None) -> dict[str, Any]:
    """Return what a statement says of normalizers."""
    if not isinstance(found, MaskLedger):
        return {"normalizers": (), "mask_fault": found.fault if found else None}
    return {"normalizers": masked_by(found), "mask_ledger": DigestSet(sha256=found.digest())}


def _delta(run: Run, found: CheckedDelta) -> ComparedDelta:
    return ComparedDelta(
        **found.only("format", "judged", "members"),
        target=DigestSet(sha256=found.published),
        base=_base(found.base),
        applied=_made(run, found.applied),
        expected=_made(run, found.expected),
        fault=found.refused.fault if found.refused else None,
    )


def _base(found: CheckedBase) -> BaseReference:
    judged = found.judged
    return BaseReference(
        release=found.release,
        digest=DigestSet(sha256=found.sha256),
        run=judged.run if judged else None,
        comparison=DigestSet(sha256=judged.comparison) if judged else None,
        chain=_chain(judged.chain) if judged else None,
    )


def _chain(found: BaseChain) -> ChainSummary:
    return ChainSummary(
        **found.only("links", "release", "run", "worst", "worst_release"),
        digest=DigestSet(sha256=found.sha256),
    )


def _made(run: Run, file: MadeFile | None) -> FileDigest | None:
    return FileDigest(digest=run.digest_set(file.sha256), size=file.size) if file else None


def _manifest(found: ManifestFact) -> ComparedManifest:
    return ComparedManifest(
        **found.only("format", "version", "expires", "seen_on", "recomputed", "kept"),
        claims=tuple(ManifestClaim(**claim.only("path", "says")) for claim in found.claims),
        previous=_base(found.previous) if found.previous else None,
        fault=found.refused.fault if found.refused else None,
    )


def _shipped(fact: ShippedFact) -> Shipped:
    published = DigestSet(sha256=fact.published)
    if fact.sha256 is None or fact.size is None:
        return Shipped(published=published)
    digest = DigestSet(sha256=fact.sha256)
    if fact.from_vault:
        copy = VaultCopy(digest=digest, size=fact.size, fetched_on=fact.fetched_on)
        return Shipped(published=published, from_vault=copy)
    return Shipped(published=published, served=FileDigest(digest=digest, size=fact.size))


def _attempts(run: Run) -> list[AttemptStatement]:
    """Return a statement E for each attempt of a run; the last one has the run's own outcome."""
    public = run.report if run.salt else public_form(run.report)
    stored = DigestSet(sha256=Digest.of(public.to_json()))
    found = [
        _attempt(run, a.number, Purpose(a.purpose), a.rebuild, stored) for a in run.report.attempts
    ]
    if run.judged is None or run.judged.outcome is not run.report.outcome:
        found.append(_attempt(run, len(found) + 1, Purpose.RUN, None, stored))
    return found


def _attempt(
    run: Run, number: int, purpose: Purpose, rebuild: RebuildResult | None, report: DigestSet
) -> AttemptStatement:
    """Return statement E of one attempt; `report` is the digest of the stored report."""
    made = rebuild or RebuildResult(outcome=run.report.outcome)
    sealed = run.report.seal if rebuild is not None and rebuild is run.judged else None
    return AttemptStatement(
        subject=_published(run),
        predicate=RebuildAttempt(
            **run.reference,
            number=number,
            purpose=purpose,
            **made.only("outcome", "exit_code", "signal", "oom_killed", "peak_memory"),
            reason=failure_reason(rebuild) if rebuild else None,
            wall_milliseconds=wall_milliseconds(made),
            log=run.digest_set_or_none(made.log),
            log_truncated=made.log_truncated,
            uid_map=made.uid_map or None,
            seal=DigestSet(sha256=sealed) if sealed else None,
            report=report,
            started_on=run.started,
            finished_on=run.finished,
        ),
    )


def _robustness(
    run: Run, again: RobustnessRebuild, attempts: list[AttemptStatement]
) -> RobustnessStatement:
    """Return what a robustness rebuild says of a run; raises `ValueError` unless that was BUILT."""
    judged, made = run.judged, again.rebuild
    if not run.built or judged is None or run.report.claim is None:
        raise ValueError("there is no judged rebuild to compare with")
    sealed = [statement for statement in attempts if statement.predicate.seal is not None]
    before, after = _artefacts(run, judged), _artefacts(run, made)
    artefacts = tuple(
        ComparedArtefact(
            name=a.name,
            judged=before.get(a.name),
            moved=after.get(a.name),
            same=before.get(a.name) == after.get(a.name),
        )
        for a in run.loaded.recipe.artefacts
    )
    return RobustnessStatement(
        subject=_published(run),
        predicate=RobustnessTest(
            **run.reference,
            judged=DigestSet(sha256=sealed[-1].digest()),
            moved=tuple(VariedEntry(**dict(factor)) for factor in again.moved),
            kept=again.kept,
            outcome=made.outcome,
            reason=failure_reason(made),
            wall_milliseconds=wall_milliseconds(made),
            log=run.digest_set_or_none(made.log),
            result=Robustness.of(
                built=made.outcome is Outcome.BUILT, same=all(a.same for a in artefacts)
            ),
            artefacts=artefacts,
            tested_on=again.tested_on,
        ),
    )


def _explanation(
    run: Run, explanation: RunExplanation, comparisons: list[ComparisonStatement]
) -> ExplanationStatement:
    """Return what explains a run; raises ValueError for a comparison that it has not."""
    compared = {statement.name: statement for statement in comparisons}
    if odd := [a.name for a in explanation.artefacts if a.name not in compared]:
        raise ValueError(f"{odd[0]!r} was not compared")
    about = [compared[artefact.name] for artefact in explanation.artefacts]
    again = explanation.confirming.rebuild if explanation.confirming else None
    built = _artefacts(run, again) if again else {}
    public = explanation if run.salt else public_explanation(explanation)
    return ExplanationStatement(
        subject=tuple(statement.subject[0] for statement in about),
        predicate=RunExplained(
            **run.reference,
            explained_on=explanation.explained_on,
            confirming=ConfirmingRebuild(
                outcome=again.outcome,
                reason=failure_reason(again),
                wall_milliseconds=wall_milliseconds(again),
                log=run.digest_set_or_none(again.log),
            )
            if again
            else None,
            artefacts=tuple(
                _explained(run, artefact, statement, built.get(artefact.name))
                for artefact, statement in zip(explanation.artefacts, about, strict=True)
            ),
            document=DigestSet(sha256=Digest.of(public.to_json())),
        ),
    )


def _explained(
    run: Run, artefact: ExplainedArtefact, comparison: ComparisonStatement, built: DigestSet | None
) -> ExplainedComparison:
    found = artefact.explanation
    return ExplainedComparison(
        name=artefact.name,
        comparison=DigestSet(sha256=comparison.digest()),
        confirmation=artefact.confirmation,
        rebuilt=built if artefact.confirmation else None,
        causes=tuple(cause.name for cause in artefact.causes),
        explanation=ExplanationDigests(
            status=found.status,
            json_diff=run.digest_set_or_none(found.json_diff),
            html_diff=run.digest_set_or_none(found.html_diff),
        ),
    )


def _published(run: Run) -> tuple[Subject, ...]:
    return tuple(subject(a.name, a.published.sha256) for a in run.loaded.recipe.artefacts)


def _artefacts(run: Run, rebuild: RebuildResult) -> dict[str, DigestSet]:
    return {name: run.digest_set(digest) for name, digest in rebuild.artefacts.items()}
