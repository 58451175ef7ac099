"""What the public may know of a run, above all of one whose source is closed.

Of a private release everything is copied field by field, and only what is known to be public:
names and digests of what is shipped, words and numbers of our own. Digests of anything else are
keyed by the release's salt, text of other origin is left out. A field that is added to a report
stays private until it is named here.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from builders.build.rebuild_result import Output, OutputKind, RebuildResult
from builders.build.seal import SealedFile
from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.evidence.report import Attempt, Environment, Report, ReviewFact, SourceFact
from pipelines.evidence.robustness import RobustnessRebuild
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.attempt import FailureReason, failure_reason
from pipelines.evidence.statements.comparison import ground
from pipelines.evidence.statements.run import (
    Run,
    judged_attempt,
    public_image_name,
    shipped_digests,
)
from pipelines.judge.finding import Cause, Explanation, Finding, ShippedFact
from pipelines.judge.look import FileFact

WITHHELD = "withheld"
_STEPS = (
    "inputs", "source", "image", "rebuild", "seal", "commit", "shipped", "judge", "look", "confirm",
    "explain", "total",
)  # fmt: skip


def redact(report: Report, salt: Salt) -> Report:
    """Return the public form of the report of a private release."""
    view = _View(salt, shipped_digests(report))
    judged = judged_attempt(report)
    ended = judged.rebuild if judged and judged.rebuild.outcome is report.outcome else None
    return Report(
        vendor=report.vendor,
        product=report.product,
        version=report.version,
        center=report.center,
        run=report.run,
        claim=view.secret(report.claim),
        seal=report.seal,
        outcome=report.outcome,
        reason=_ending(ended) if ended else None,
        verdict=report.verdict,
        artefacts=view.findings(report),
        by_products=tuple(
            SealedFile(name=f"by-product-{number}", size=file.size, hmac=salt.keyed(file.hmac))
            for number, file in enumerate(report.by_products, start=1)
        ),
        environment=view.environment(report.environment),
        timings={step: report.timings[step] for step in _STEPS if step in report.timings},
        attempts=tuple(view.attempt(a, declared_names(report)) for a in report.attempts),
    )


def public_form(report: Report) -> Report:
    """Return the public form of the report of a public release.

    By-products are left to the seal, whose digests are keyed: who could read their plain digests
    could claim to have built them. What broke in the center's own machinery is told in a word: its
    text may name a path or an address.
    """
    broken = report.outcome is Outcome.INFRASTRUCTURE_ERROR
    findings = report.artefacts
    if broken:
        told = f"no rebuild to compare with: {report.outcome}"
        findings = tuple(finding.model_copy(update={"reason": told}) for finding in findings)
    return report.model_copy(
        update={
            "reason": None if broken else report.reason,
            "artefacts": findings,
            "attempts": tuple(_open_attempt(attempt) for attempt in report.attempts),
        }
    )


def _open_attempt(attempt: Attempt) -> Attempt:
    rebuild = attempt.rebuild
    broken = rebuild.outcome is Outcome.INFRASTRUCTURE_ERROR
    shown = tuple(output for output in rebuild.outputs if output.part is not OutputKind.BY_PRODUCT)
    update = {"outputs": shown, "reason": None if broken else rebuild.reason}
    return attempt.model_copy(update={"rebuild": rebuild.model_copy(update=update)})


def redact_run(run: Run, salt: Salt) -> Run:
    """Return a run as the public statements about it are made."""
    return replace(run, report=redact(run.report, salt), recipe=salt.keyed(run.recipe), salt=salt)


def redact_robustness(moved: RobustnessRebuild, report: Report, salt: Salt) -> RobustnessRebuild:
    """Return a moved rebuild of the run that `report`, which is whole, is about, for the public.

    What was moved was not declared, so that all of it is words and numbers of our own.
    """
    view = _View(salt, shipped_digests(report))
    return RobustnessRebuild(
        moved=moved.moved,
        kept=moved.kept,
        rebuild=view.rebuild(moved.rebuild, declared_names(report)),
        tested_on=moved.tested_on,
    )


def declared_names(report: Report) -> frozenset[str]:
    """Return the names of the shipped files."""
    return frozenset(finding.name for finding in report.artefacts if finding.shipped)


def _ending(rebuild: RebuildResult) -> str | None:
    """Return what ended a build, in a word and a number of our own."""
    match word := failure_reason(rebuild):
        case FailureReason.EXIT_CODE:
            return f"exit code {rebuild.exit_code}"
        case FailureReason.SIGNAL:
            return f"signal {rebuild.signal}"
        case _:
            return str(word) if word else None


class _View:
    """Turns each part of a report into what is shown of it."""

    def __init__(self, salt: Salt, shipped: AbstractSet[Digest]) -> None:
        self._salt = salt
        self._shipped = shipped

    def secret(self, digest: Digest | None) -> Digest | None:
        return self._salt.keyed(digest) if digest else None

    def built(self, digest: Digest) -> Digest:
        """Show the digest of a built file only if that very file is shipped."""
        return digest if digest in self._shipped else self._salt.keyed(digest)

    def findings(self, report: Report) -> tuple[Finding, ...]:
        built = report.outcome is Outcome.BUILT
        found, undeclared = [], 0
        for finding in report.artefacts:
            undeclared += finding.shipped is None
            name = finding.name if finding.shipped else f"undeclared-{undeclared}"
            found.append(self._finding(finding, name, built=built))
        return tuple(found)

    def _finding(self, finding: Finding, name: str, *, built: bool) -> Finding:
        shipped, rebuilt, told = finding.shipped, finding.rebuilt, finding.explanation
        return Finding(
            name=name,
            verdict=finding.verdict,
            reason=ground(finding, built=built),
            shipped=ShippedFact(
                published=shipped.published, sha256=shipped.sha256, size=shipped.size
            )
            if shipped
            else None,
            rebuilt=FileFact(sha256=self.built(rebuilt.sha256), size=rebuilt.size)
            if rebuilt
            else None,
            normalizers=finding.normalizers,
            causes=tuple(Cause(name=cause.name, detail=WITHHELD) for cause in finding.causes),
            explanation=Explanation(
                status=told.status,
                json_diff=self.secret(told.json_diff),
                html_diff=self.secret(told.html_diff),
            ),
        )

    def environment(self, told: Environment) -> Environment:
        return Environment(
            declared={},
            method=told.method,
            image=public_image_name(told.image) if told.image else None,
            image_config=told.image_config,
            sources=tuple(
                SourceFact(
                    locator=WITHHELD,
                    sha256=self._salt.keyed(source.sha256),
                    source_digest=self.secret(source.source_digest),
                )
                for source in told.sources
            ),
            samebits=told.samebits,
            visibility=told.visibility,
            reviews=tuple(ReviewFact(name=r.name, key=r.key) for r in told.reviews),
        )

    def attempt(self, attempt: Attempt, declared: AbstractSet[str]) -> Attempt:
        return Attempt(
            number=attempt.number,
            purpose=attempt.purpose,
            rebuild=self.rebuild(attempt.rebuild, declared),
        )

    def rebuild(self, rebuild: RebuildResult, declared: AbstractSet[str]) -> RebuildResult:
        return RebuildResult(
            outcome=rebuild.outcome,
            reason=_ending(rebuild),
            exit_code=rebuild.exit_code,
            signal=rebuild.signal,
            oom_killed=rebuild.oom_killed,
            peak_memory=rebuild.peak_memory,
            wall_seconds=rebuild.wall_seconds,
            log=self.secret(rebuild.log),
            log_truncated=rebuild.log_truncated,
            outputs=tuple(
                Output(
                    name=output.name,
                    size=output.size,
                    sha256=self.built(output.sha256),
                    part=output.part,
                )
                for output in rebuild.outputs
                if output.part is OutputKind.ARTEFACT and output.name in declared
            ),
        )
