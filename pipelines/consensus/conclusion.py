"""What a finding concludes: read from its digests.

A verdict that contradicts its own digests is `CONTRADICTORY`. `EQUIVALENT` is never a match. Nor is
`SERVED_OTHER`: that center built the published bytes, but has not compared them with anything.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import StrEnum

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.audit.center_finding import CenterFinding
from pipelines.audit.verdict_rule import is_supported
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.difference import CauseName


class Conclusion(StrEnum):
    """The conclusion of a finding; of several centers of one operator the first listed counts."""

    CONTRADICTORY = "contradicts-itself"
    """Counts as dissent, and agrees with no other finding."""
    ABANDONED = "abandoned"
    """Committed to what it built, and never said what it found: counts as dissent."""
    FAILED_AFTER_COMMITMENT = "failed-after-commitment"
    """Committed to what it built, and then states that nothing was: counts as dissent."""
    OUTPUTS_LOST = "outputs-lost"
    """Committed to what it built, and lost it; the file is not known to be in the seal: dissent."""
    MATCH = "match"
    MISMATCH = "mismatch"
    EQUIVALENT = "equivalent"
    """Equal after normalizers that the policy allows: counts neither way."""
    SERVED_OTHER = "served-another-file"
    """Built the published bytes, but was served others: counts neither way, and is an alarm."""
    NOT_CHECKED = "not-checked"
    """Built, and not compared."""
    NOT_BUILT = "could-not-build"
    NOT_TRIED = "not-tried"
    """Neither built nor found to be unbuildable: cancelled, infrastructure error, no reviews."""

    @property
    def judged(self) -> bool:
        """Whether it says anything about the bytes."""
        return self not in {self.NOT_CHECKED, self.NOT_BUILT, self.NOT_TRIED}


_NOT_TRIED = frozenset(
    {Outcome.SOURCE_NOT_REVIEWED, Outcome.INFRASTRUCTURE_ERROR, Outcome.CANCELLED}
)


def conclusion_of(  # noqa: PLR0911  # one return for each conclusion
    finding: CenterFinding, normalizers: AbstractSet[str]
) -> Conclusion:
    """Return what a finding concludes; `normalizers` are those that the policy allows."""
    if finding.outcome is not Outcome.BUILT and finding.verdict is Verdict.NOT_CHECKED:
        return Conclusion.NOT_TRIED if finding.outcome in _NOT_TRIED else Conclusion.NOT_BUILT
    if finding.outcome is not Outcome.BUILT or not is_supported(finding):
        return Conclusion.CONTRADICTORY
    match finding.verdict:
        case Verdict.NOT_CHECKED:
            return Conclusion.NOT_CHECKED
        case Verdict.IDENTICAL | Verdict.IDENTICAL_SIGNED:
            return Conclusion.MATCH
        case Verdict.DIFFERENT if CauseName.NONDETERMINISTIC in finding.causes:
            return Conclusion.CONTRADICTORY
        case Verdict.EQUIVALENT if finding.normalizers <= normalizers:
            return Conclusion.EQUIVALENT
        case Verdict.SHIPPED_MISMATCH if _is(finding.rebuilt, finding.published):
            return Conclusion.SERVED_OTHER
        case _:
            return Conclusion.MISMATCH


def _is(rebuilt: DigestSet | None, digest: Digest) -> bool:
    """Return whether the rebuilt bytes have that plain digest."""
    return rebuilt is not None and rebuilt.sha256 == digest
