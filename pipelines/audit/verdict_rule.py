"""Which verdict follows from which digests: one rule for whoever reads evidence."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.evidence.statements.comparison import (
    GROUNDS,
    Comparison,
    ComparisonStatement,
    Ground,
)
from pipelines.evidence.statements.statement import DigestSet


def follows(
    verdict: Verdict,
    *,
    published: Digest | None,
    served: Digest | None,
    rebuilt: DigestSet | None,
    normalized: bool,
    grafted: Digest | None = None,
) -> bool:
    """Return whether digests support the verdict of the judge on a file that was to be built.

    `published` is None for an output that nobody declared, `served` where no file was compared,
    `rebuilt` where the build left none. `grafted` is the digest of the rebuilt file with the
    vendor's signature.
    """
    if published is None:
        return verdict is Verdict.UNEXPECTED and rebuilt is not None
    genuine = served == published
    same = rebuilt is not None and rebuilt.sha256 == published
    other = rebuilt is not None and not same
    supported = {
        Verdict.SHIPPED_MISMATCH: served is not None and not genuine,
        Verdict.DIFFERENT: genuine and other,
        Verdict.UNEXPECTED: False,
        Verdict.MISSING: rebuilt is None and (served is None or genuine),
        Verdict.NOT_CHECKED: True,
        Verdict.EQUIVALENT: genuine and other and normalized,
        Verdict.IDENTICAL_SIGNED: genuine and rebuilt is not None and grafted == published,
        Verdict.IDENTICAL: genuine and same,
    }
    return supported[verdict]


def contradiction(statement: ComparisonStatement, *, built: bool) -> str | None:
    """Return what a comparison of a run would have to say in place of its verdict and ground.

    None where both follow from its digests. `built` is whether the outcome of the run is BUILT.
    """
    found = statement.predicate
    if not built:
        expected = (Verdict.NOT_CHECKED, Ground.NO_REBUILD)
        as_expected = (found.verdict, found.ground) == expected
        return None if as_expected else "NOT_CHECKED, as nothing was built"
    shipped, rebuilt = found.shipped, found.rebuilt
    compared = shipped.compared if shipped else None
    if shipped is None and [s.digest for s in statement.subject] != [rebuilt and rebuilt.digest]:
        return "a verdict on the output itself"
    if compared and rebuilt and compared.digest == rebuilt.digest and compared.size != rebuilt.size:
        return "one size for one digest"
    supported = follows(
        found.verdict,
        published=shipped.published.sha256 if shipped else None,
        served=compared.digest.sha256 if compared else None,
        rebuilt=rebuilt.digest if rebuilt else None,
        normalized=bool(found.normalizers),
    )
    if not supported:
        return "the verdict of the judge on these digests"
    grounds = _grounds(found)
    return None if found.ground in grounds else f"one for {' or '.join(grounds)}"


def _grounds(found: Comparison) -> list[Ground]:
    """Return the grounds that a verdict on what was built can have."""
    if found.verdict is not Verdict.NOT_CHECKED:
        return [GROUNDS[found.verdict]]
    grounds = [Ground.COPIED_INPUT, Ground.INPUT_NOT_SCANNED]
    unreachable = found.shipped is not None and found.shipped.compared is None
    return [*grounds, Ground.SHIPPED_UNREACHABLE] if unreachable else grounds
