"""Whether verdicts follow from the digests beside them, by the rule of the judge.

Of a finding, as consensus joins it; and of a comparison with its ground, as a bundle has it.
"""

from __future__ import annotations

from collections.abc import Iterable

from builders.core.enums import Verdict
from pipelines.audit.center_finding import IN_FAVOUR, CenterFinding
from pipelines.evidence.statements.comparison import (
    GROUNDS,
    UNJUDGED,
    Comparison,
    ComparisonStatement,
    Ground,
    update_ground,
)
from pipelines.judge.finding import verdict_follows


def is_supported(finding: CenterFinding) -> bool:
    """Return whether the digests of a finding support its verdict."""
    rebuilt = finding.rebuilt
    return verdict_follows(
        finding.verdict,
        published=finding.published,
        served=finding.served,
        same=rebuilt.sha256 == finding.published if rebuilt else None,
        normalized=bool(finding.normalizers),
        grafted=finding.grafted == finding.published,
        update=finding.update,
    )


def contradiction(statement: ComparisonStatement, *, built: bool) -> str | None:
    """Return what a comparison of a run would have to say in place of its verdict and ground.

    None where both follow from its digests. `built` is whether the outcome of the run is BUILT.
    """
    found = statement.predicate
    if not built:
        expected = (Verdict.NOT_CHECKED, Ground.NO_REBUILD)
        as_expected = (found.verdict, found.ground) == expected and not found.signature
        return None if as_expected else "NOT_CHECKED, as nothing was built"
    shipped, rebuilt = found.shipped, found.rebuilt
    compared = shipped.compared if shipped else None
    if shipped is None and [s.digest for s in statement.subject] != [rebuilt and rebuilt.digest]:
        return "a verdict on the output itself"
    supported = verdict_follows(
        found.verdict,
        published=shipped.published.sha256 if shipped else None,
        served=compared.digest.sha256 if compared else None,
        same=rebuilt == compared if rebuilt else None,
        normalized=bool(found.normalizers),
        grafted=found.signature is not None and found.signature.grafted == compared,
        update=found.update,
    )
    if not supported:
        return "the verdict of the judge on these digests"
    if not _signature_fits(found):
        return "a signature that was grafted or refused, where its verdict has one"
    if found.mask_fault and found.verdict is not Verdict.DIFFERENT:
        return "a fault of normalizers with DIFFERENT alone"
    grounds = _grounds(found)
    return None if found.ground in grounds else f"one for {' or '.join(grounds)}"


def delta_contradiction(
    statement: ComparisonStatement, compared: Iterable[ComparisonStatement]
) -> str | None:
    """Return what a delta in favour would have to lead to, by the other comparisons of its run.

    None where it leads to a file that the run built and compared, and for any other comparison. Of
    a format that is judged by members, no digest of a file says that it does.
    """
    delta = statement.predicate.delta
    if delta is None or statement.predicate.verdict not in IN_FAVOUR:
        return None
    targets = [
        one.predicate
        for one in compared
        if one is not statement
        and one.predicate.shipped
        and one.predicate.shipped.published == delta.target
    ]
    files = [
        file
        for target in targets
        for file in (target.rebuilt, target.signature and target.signature.grafted)
        if file
    ]
    leads = bool(files) if delta.members else delta.expected in files
    return None if leads else "a file that the run built as its target"


def _signature_fits(found: Comparison) -> bool:
    signature = found.signature
    if signature is None:
        return found.verdict is not Verdict.IDENTICAL_SIGNED
    if signature.fault:
        return found.verdict is Verdict.DIFFERENT
    return found.verdict in {Verdict.IDENTICAL_SIGNED, Verdict.EQUIVALENT}


def _grounds(found: Comparison) -> list[Ground]:
    """Return the grounds that a verdict on what was built can have."""
    if found.signature and found.signature.fault:
        return [Ground.SIGNATURE_REFUSED]
    if found.mask_fault:
        return [Ground.NORMALIZERS_REFUSED]
    if ground := update_ground(found.verdict, found.update, delta=found.delta is not None):
        return [ground]
    if found.verdict is not Verdict.NOT_CHECKED:
        return [GROUNDS[found.verdict]]
    unreachable = found.shipped is not None and found.shipped.compared is None
    return [*UNJUDGED, *([Ground.SHIPPED_UNREACHABLE] if unreachable else [])]
