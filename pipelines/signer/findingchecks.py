"""Checks of what was found: artefacts, shipped bytes, verdicts, explanations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from builders.build.outputs import OutputKind
from builders.core.enums import Outcome, Verdict
from pipelines.evidence.errors import refused
from pipelines.evidence.statements.comparison import ground
from pipelines.evidence.statements.run import confirming_attempt
from pipelines.judge.finding import CauseName, worst
from pipelines.signer.case import Case


def check_missing_artefacts(case: Case) -> None:
    """Require a finding for every artefact, in the order of the recipe."""
    told = [finding.name for finding in case.report.artefacts]
    declared = [artefact.name for artefact in case.recipe.artefacts]
    if [name for name in told if name in set(declared)] != declared:
        raise refused(
            "missing-artefact",
            "an artefact was left out, or stands twice",
            got=f"{len(told)} findings",
            expected=f"one for each of {len(declared)} artefacts, in their order",
        )


def check_extra_artefacts(case: Case) -> None:
    """Require any other finding to be of an undeclared output, and one for each of those."""
    declared = {artefact.name for artefact in case.recipe.artefacts}
    judged = case.run.judged if case.report.outcome is Outcome.BUILT else None
    outputs = judged.outputs if judged else ()
    expected = Counter(o.name for o in outputs if o.part is OutputKind.UNEXPECTED)
    told = Counter(f.name for f in case.report.artefacts if f.name not in declared)
    if told != expected:
        odd = min((told - expected) + (expected - told), default="")
        raise refused(
            "extra-artefact",
            "a finding about something that is neither declared nor left by the build, or none",
            got=f"{odd!a:.120}",
            expected=f"{len(expected)} findings for undeclared outputs",
        )


def check_published(case: Case) -> None:
    """Require the published digests of the recipe."""
    published = {a.name: a.shipped.sha256 for a in case.recipe.artefacts}
    for finding in case.report.artefacts:
        told = finding.shipped.published if finding.shipped else None
        if told != published.get(finding.name):
            raise refused(
                "published",
                f"{finding.name} was published with another digest",
                got=told,
                expected=published.get(finding.name),
            )


def check_shipped_bytes(case: Case) -> None:
    """Require whatever was served in the vault, with its digest and size."""
    for finding in case.report.artefacts:
        fact = finding.shipped
        if fact is None or (fact.sha256 is None and fact.size is None):
            continue
        if fact.sha256 is None or fact.size is None:
            raise refused(
                "shipped-bytes", f"half a file for {finding.name}", got=fact.size, expected="both"
            )
        size = case.source.vaulted(
            fact.sha256, check="shipped-bytes", what=f"shipped file {finding.name}"
        )
        if size != fact.size:
            raise refused(
                "shipped-bytes",
                f"shipped file {finding.name} has another size",
                got=f"{fact.size} bytes",
                expected=f"{size} bytes",
            )


def check_rebuilt(case: Case) -> None:
    """Require findings about the bytes that the build left."""
    for told, found in zip(case.report.artefacts, case.found, strict=True):
        if told.rebuilt != found.rebuilt or told.name != found.name:
            raise refused(
                "rebuilt",
                f"{told.name} was not rebuilt to these bytes",
                got=told.rebuilt.sha256 if told.rebuilt else None,
                expected=found.rebuilt.sha256 if found.rebuilt else "nothing",
            )


def check_verdicts(case: Case) -> None:
    """Require the verdict that the judge comes to here."""
    for told, found in zip(case.report.artefacts, case.found, strict=True):
        if told.verdict is not found.verdict:
            raise refused(
                "verdict",
                f"another verdict on {told.name}",
                got=told.verdict,
                expected=f"{found.verdict}: {found.reason}",
            )


def check_grounds(case: Case) -> None:
    """Require the ground that the judge gives here."""
    for told, found in zip(case.report.artefacts, case.found, strict=True):
        words = [ground(f, built=case.run.built) for f in (told, found)]
        if words[0] is not words[1]:
            raise refused(
                "ground", f"another ground for {told.name}", got=words[0], expected=words[1]
            )


def check_worst(case: Case) -> None:
    """Require the worst of the verdicts as that of the release."""
    expected = worst(case.found)
    if case.report.verdict is not expected:
        raise refused(
            "worst", "another verdict on the release", got=case.report.verdict, expected=expected
        )


def check_confirming(case: Case) -> None:
    """Require a difference for a second rebuild, and that what it showed is told."""
    differs = any(f.verdict is Verdict.DIFFERENT for f in case.found)
    if confirming_attempt(case.report) and not differs:
        raise refused(
            "confirming", "a second rebuild without a difference", got="one", expected="none"
        )
    for told, found in zip(case.report.artefacts, case.found, strict=True):
        shown = [CauseName.NONDETERMINISTIC in {c.name for c in f.causes} for f in (told, found)]
        if shown[0] is not shown[1]:
            raise refused(
                "confirming",
                f"what the second rebuild showed of {told.name}",
                got="nondeterministic" if shown[0] else "the same bytes",
                expected="nondeterministic" if shown[1] else "the same bytes",
            )


def check_explanations(case: Case) -> None:
    """Require a difference for an explanation, and the explanation in the store."""
    for finding in case.report.artefacts:
        told = finding.explanation
        digests = [d for d in (told.json_diff, told.html_diff) if d is not None]
        if digests and finding.verdict is not Verdict.DIFFERENT:
            raise refused(
                "explanation",
                f"{finding.name} is explained",
                got=finding.verdict,
                expected="DIFFERENT",
            )
        for digest in digests:
            case.source.evidence(digest, check="explanation", what=f"explanation of {finding.name}")


def check_normalized(case: Case) -> None:
    """Require that no bytes are masked: nothing declares normalizers yet."""
    for finding in case.report.artefacts:
        if finding.normalizers:
            raise refused(
                "normalized",
                f"{finding.name} was normalized",
                got=", ".join(finding.normalizers)[:120],
                expected="no normalizer that the recipe does not declare",
            )


CHECKS: dict[str, Callable[[Case], None]] = {
    "missing-artefact": check_missing_artefacts,
    "extra-artefact": check_extra_artefacts,
    "published": check_published,
    "shipped-bytes": check_shipped_bytes,
    "normalized": check_normalized,
    "rebuilt": check_rebuilt,
    "verdict": check_verdicts,
    "ground": check_grounds,
    "worst": check_worst,
    "confirming": check_confirming,
    "explanation": check_explanations,
}
