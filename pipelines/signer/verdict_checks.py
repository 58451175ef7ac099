"""Conditions on what was found: artefacts, shipped bytes, verdicts, explanations."""

from __future__ import annotations

from collections.abc import Iterator

from builders.core.enums import Verdict
from builders.rebuild.rebuild_result import OutputKind
from pipelines.evidence.statements.comparison import ground
from pipelines.judge.finding import CauseName, Finding, worst_verdict
from pipelines.signer.opened_evidence import Condition, OpenedEvidence, equal


def verdict_conditions(opened: OpenedEvidence) -> Iterator[Condition]:
    """Yield the conditions in their order; raises `RefusedError` for bytes that are not there."""
    yield from _artefacts(opened)
    yield from _shipped(opened)
    yield from _recomputed(opened)
    yield from _explanations(opened)


def _artefacts(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require one finding for every artefact in order, and one for every undeclared output."""
    declared = {artefact.name: 0 for artefact in opened.recipe.artefacts}
    claimed = [finding.name for finding in opened.report.artefacts]
    error = "an artefact is missing, or listed twice"
    yield equal("missing-artefact", error, [n for n in claimed if n in declared], list(declared))
    undeclared = sorted(name for name in claimed if name not in declared)
    expected = sorted(o.name for o in opened.outputs if o.part is OutputKind.UNEXPECTED)
    error = "a finding about something that is neither declared nor left by the build, or none"
    yield equal("extra-artefact", error, undeclared, expected)


def _shipped(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the published digests of the recipe, and in the vault every file that was served."""
    digests = {a.name: a.shipped.sha256 for a in opened.recipe.artefacts}
    for finding in opened.report.artefacts:
        published = finding.shipped.published if finding.shipped else None
        error = f"{finding.name} was published with another digest"
        yield equal("published", error, published, digests.get(finding.name))
    for finding in opened.report.artefacts:
        fact, what = finding.shipped, f"shipped file {finding.name}"
        if fact is None:
            continue
        whole = (fact.sha256 is None) == (fact.size is None)
        error = f"half a file for {finding.name}"
        yield Condition("shipped-bytes", error, whole, got=fact.size, expected="digest and size")
        if fact.sha256 is not None:
            size = opened.source.vaulted_size(fact.sha256, check="shipped-bytes", what=what)
            yield equal("shipped-bytes", f"{what} has another size", fact.size, size)
    for finding in opened.report.artefacts:
        error = f"{finding.name} was normalized by what the recipe does not declare"
        yield equal("normalized", error, list(finding.normalizers), [])  # nothing declares them yet


def _recomputed(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require the recomputed findings."""
    built = opened.run.built
    pairs = list(zip(opened.report.artefacts, opened.recomputed, strict=True))
    for claimed, found in pairs:
        error = f"{claimed.name} was not rebuilt to these bytes"
        yield equal("rebuilt", error, [claimed.name, claimed.rebuilt], [found.name, found.rebuilt])
        error = f"another verdict on {claimed.name} ({found.reason})"
        yield equal("verdict", error, claimed.verdict, found.verdict)
        grounds = (ground(claimed, built=built), ground(found, built=built))
        yield equal("ground", f"another ground for {claimed.name}", *grounds)
    expected = worst_verdict(finding.verdict for finding in opened.recomputed)
    yield equal("worst", "another verdict on the release", opened.report.verdict, expected)
    differs = any(found.verdict is Verdict.DIFFERENT for found in opened.recomputed)
    error, none = "a confirming rebuild without a difference", opened.report.confirming is None
    yield Condition("confirming", error, differs or none, "one", "none")
    for claimed, found in pairs:
        error = f"what the confirming rebuild showed of {claimed.name}"
        yield equal("confirming", error, _confirmed(claimed), _confirmed(found))


def _confirmed(finding: Finding) -> str:
    causes = {cause.name for cause in finding.causes}
    return "nondeterministic" if CauseName.NONDETERMINISTIC in causes else "the same bytes"


def _explanations(opened: OpenedEvidence) -> Iterator[Condition]:
    """Require a difference for an explanation, and the explanation in the store."""
    for finding in opened.report.artefacts:
        explanation, what = finding.explanation, f"explanation of {finding.name}"
        digests = [d for d in (explanation.json_diff, explanation.html_diff) if d is not None]
        allowed = not digests or finding.verdict is Verdict.DIFFERENT
        yield Condition(
            "explanation", f"{finding.name} is explained", allowed, finding.verdict, "DIFFERENT"
        )
        for digest in digests:
            opened.source.measure(digest, check="explanation", what=what)
