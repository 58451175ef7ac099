"""The public form of a report, above all of one whose source is closed.

Of a private release only fields that are listed here are copied: names and digests of what is
shipped, fixed words, and numbers. Other digests are keyed by the salt of the release, and text from
elsewhere is left out. A field that is added to a report stays private until it is listed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import count

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from builders.rebuild.seal import SealedFile
from pipelines.evidence.report import (
    Attempt,
    Environment,
    Report,
    ReviewFact,
    RobustnessRebuild,
    SourceFact,
)
from pipelines.evidence.run import Run, public_image_name
from pipelines.evidence.run_explanation import ExplainedArtefact, RunExplanation
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.comparison import ground
from pipelines.evidence.statements.rebuilds import FailureReason, failure_reason
from pipelines.judge.difference import Cause
from pipelines.judge.finding import Explanation, FileFact, Finding
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked
from pipelines.judge.signatures.signature_format import Graft, Refused
from pipelines.judge.updates.checked_delta import CheckedDelta, MadeFile
from pipelines.judge.updates.update_fault import UpdateRefused

WITHHELD = "withheld"
_REBUILD_FACTS = (
    "outcome", "exit_code", "signal", "oom_killed", "peak_memory", "wall_seconds", "log_truncated",
    "uid_map",
)  # fmt: skip
_STEPS = (
    "inputs", "source", "image", "rebuild", "seal", "commit", "shipped", "judge", "total",
)  # fmt: skip


def public_form(report: Report) -> Report:
    """Return the public form of the report of a public release.

    By-products are left to the seal, whose digests are keyed: anybody who reads their plain digests
    could claim to have built them. Of an infrastructure error only the outcome is published: its
    text may name a path or an address.
    """
    broken = report.outcome is Outcome.INFRASTRUCTURE_ERROR
    findings = report.artefacts
    if broken:
        reason = f"no rebuild to compare with: {report.outcome}"
        findings = tuple(finding.model_copy(update={"reason": reason}) for finding in findings)
    return report.model_copy(
        update={
            "reason": None if broken else report.reason,
            "artefacts": findings,
            "attempts": tuple(_public_attempt(attempt) for attempt in report.attempts),
        }
    )


def public_explanation(explanation: RunExplanation) -> RunExplanation:
    """Return the public form of what explains the run of a public release; see `public_form`.

    The note of an explanation that no tool has made is that of an error of our own machinery.
    """
    confirming = explanation.confirming
    return explanation.model_copy(
        update={
            "confirming": _public_attempt(confirming) if confirming else None,
            "artefacts": tuple(
                one
                if one.explanation.tool
                else one.model_copy(
                    update={"explanation": one.explanation.model_copy(update={"note": None})}
                )
                for one in explanation.artefacts
            ),
        }
    )


def _public_attempt(attempt: Attempt) -> Attempt:
    rebuild = attempt.rebuild
    broken = rebuild.outcome is Outcome.INFRASTRUCTURE_ERROR
    shown = tuple(output for output in rebuild.outputs if not output.part.is_by_product)
    update = {"outputs": shown, "reason": None if broken else rebuild.reason}
    return attempt.model_copy(update={"rebuild": rebuild.model_copy(update=update)})


def redact(report: Report, salt: Salt) -> Report:
    """Return the public form of the report of a private release."""
    redaction = _Redaction(report, salt)
    judged = report.judged.rebuild if report.judged else None
    return Report(
        **report.only("vendor", "product", "version", "center", "run", "seal", "outcome"),
        claim=redaction.keyed(report.claim),
        scope=redaction.keyed(report.scope),
        reason=_ending(judged) if judged and judged.outcome is report.outcome else None,
        verdict=report.verdict,
        artefacts=redaction.findings(report),
        by_products=redact_by_products(report.by_products, salt),
        environment=redaction.environment(report.environment),
        timings={step: report.timings[step] for step in _STEPS if step in report.timings},
        attempts=tuple(redaction.attempt(attempt) for attempt in report.attempts),
    )


def redact_by_products(files: Iterable[SealedFile], salt: Salt) -> tuple[SealedFile, ...]:
    """Return the lines of by-products as they are published: numbered, and keyed once more."""
    return tuple(
        SealedFile(name=f"by-product-{number}", size=file.size, hmac=salt.keyed(file.hmac))
        for number, file in enumerate(files, start=1)
    )


def redact_run(run: Run, salt: Salt) -> Run:
    """Return a run as the public statements about it are made."""
    return replace(run, report=redact(run.report, salt), recipe=salt.keyed(run.recipe), salt=salt)


def redact_robustness(
    robustness: RobustnessRebuild, report: Report, salt: Salt
) -> RobustnessRebuild:
    """Return the public form of the robustness rebuild of the run that the whole `report` is about.

    A factor that was moved is not declared, so its values are fixed words and numbers.
    """
    rebuild = _Redaction(report, salt).rebuild(robustness.rebuild)
    return RobustnessRebuild(**robustness.only("moved", "kept", "tested_on"), rebuild=rebuild)


def redact_explanation(explanation: RunExplanation, report: Report, salt: Salt) -> RunExplanation:
    """Return the public form of what explains the run that the whole `report` is about."""
    redaction = _Redaction(report, salt)
    return RunExplanation(
        **explanation.only("vendor", "product", "version", "center", "run", "explained_on"),
        confirming=redaction.attempt(explanation.confirming) if explanation.confirming else None,
        artefacts=tuple(
            ExplainedArtefact(
                **one.only("name", "comparison", "confirmation"),
                causes=tuple(Cause(name=cause.name, detail=WITHHELD) for cause in one.causes),
                explanation=Explanation(
                    status=one.explanation.status,
                    json_diff=redaction.keyed(one.explanation.json_diff),
                    html_diff=redaction.keyed(one.explanation.html_diff),
                ),
            )
            for one in explanation.artefacts
        ),
    )


def _public_signature(found: Graft | Refused | None) -> Graft | Refused | None:
    return Refused(fault=found.fault, detail=WITHHELD) if isinstance(found, Refused) else found


def _public_refusal(found: UpdateRefused | None) -> UpdateRefused | None:
    return UpdateRefused(fault=found.fault, detail=WITHHELD) if found else None


class _Redaction:
    """Redacts each part of one report."""

    def __init__(self, report: Report, salt: Salt) -> None:
        self._salt = salt
        self._shipped: AbstractSet[Digest] = report.shipped_digests
        self._declared = {finding.name for finding in report.artefacts if finding.shipped}

    def keyed(self, digest: Digest | None) -> Digest | None:
        return self._salt.keyed(digest) if digest else None

    def _built(self, digest: Digest) -> Digest:
        """Return the digest of a built file, plain only if that very file is shipped."""
        return digest if digest in self._shipped else self._salt.keyed(digest)

    def findings(self, report: Report) -> tuple[Finding, ...]:
        undeclared = (f"undeclared-{number}" for number in count(1))
        built = report.outcome is Outcome.BUILT
        return tuple(
            self._finding(f, f.name if f.shipped else next(undeclared), built=built)
            for f in report.artefacts
        )

    def _finding(self, finding: Finding, name: str, *, built: bool) -> Finding:
        shipped, rebuilt = finding.shipped, finding.rebuilt
        return Finding(
            **finding.only("verdict", "normalizers"),
            ledger=self._ledger(finding.ledger),
            delta=self._delta(finding.delta),
            manifest=finding.manifest.model_copy(
                update={"refused": _public_refusal(finding.manifest.refused)}
            )
            if finding.manifest
            else None,
            name=name,
            reason=ground(finding, built=built),
            shipped=shipped,
            rebuilt=FileFact(sha256=self._built(rebuilt.sha256), size=rebuilt.size)
            if rebuilt
            else None,
            signature=_public_signature(finding.signature),
        )

    def _delta(self, found: CheckedDelta | None) -> CheckedDelta | None:
        """Return what was found of a delta: what it gave is ours, and may not be shipped."""
        if found is None:
            return None
        files = {
            name: file and MadeFile(sha256=self._built(file.sha256), size=file.size)
            for name in ("applied", "expected")
            for file in (getattr(found, name),)
        }
        return found.model_copy(update={**files, "refused": _public_refusal(found.refused)})

    def _ledger(self, found: MaskLedger | NotMasked | None) -> MaskLedger | NotMasked | None:
        """Return a ledger without what it says of our file, whose few bytes could be guessed.

        Members of the shipped file have the names of ours.
        """
        if isinstance(found, NotMasked):
            return NotMasked(fault=found.fault, detail=WITHHELD)
        if found is None:
            return None
        keyed = self._salt.keyed
        lines = (
            line.model_copy(
                update={
                    "members": (WITHHELD,) * bool(line.members),
                    "rebuilt": keyed(line.rebuilt),
                    "reason": WITHHELD,
                }
            )
            for line in found.lines
        )
        return found.model_copy(update={"lines": tuple(lines)})

    def environment(self, environment: Environment) -> Environment:
        return Environment(
            **environment.only("method", "image_config", "samebits", "visibility"),
            declared={},
            image=public_image_name(environment.image) if environment.image else None,
            sources=tuple(
                SourceFact(
                    locator=WITHHELD,
                    sha256=self._salt.keyed(source.sha256),
                    source_digest=self.keyed(source.source_digest),
                )
                for source in environment.sources
            ),
            reviews=tuple(ReviewFact(**r.only("name", "key")) for r in environment.reviews),
        )

    def attempt(self, attempt: Attempt) -> Attempt:
        rebuild = self.rebuild(attempt.rebuild)
        return Attempt(**attempt.only("number", "purpose"), rebuild=rebuild)

    def rebuild(self, rebuild: RebuildResult) -> RebuildResult:
        return RebuildResult(
            **rebuild.only(*_REBUILD_FACTS),
            reason=_ending(rebuild),
            log=self.keyed(rebuild.log),
            outputs=tuple(
                Output(**output.only("name", "size", "part"), sha256=self._built(output.sha256))
                for output in rebuild.outputs
                if output.part is OutputKind.ARTEFACT and output.name in self._declared
            ),
        )


def _ending(rebuild: RebuildResult) -> str | None:
    """Return what ended a build, in a fixed word and a number."""
    match reason := failure_reason(rebuild):
        case FailureReason.EXIT_CODE:
            return f"exit code {rebuild.exit_code}"
        case FailureReason.SIGNAL:
            return f"signal {rebuild.signal}"
        case _:
            return str(reason) if reason else None
