"""What was found for one artefact: its entry in the report.

A finding cannot be built with a verdict that its own digests contradict, so a pass never comes out
of a default or a slip.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field, model_validator

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED
from builders.core.frozen_model import FrozenModel
from pipelines.judge.explanation import Cause, Explanation

EXIT_FAILED = 1
_FAILING = frozenset(
    {
        Verdict.SHIPPED_MISMATCH,
        Verdict.DIFFERENT,
        Verdict.UNEXPECTED,
        Verdict.MISSING,
        Verdict.EQUIVALENT,
    }
)
_PASSING = frozenset({Verdict.IDENTICAL_SIGNED, Verdict.IDENTICAL})
_WORST_FIRST = tuple(Verdict)


class FileFact(FrozenModel):
    """Size in bytes and digest of a file."""

    sha256: Digest
    size: int


class ShippedFact(FrozenModel):
    """The published digest, and what was really fetched; None where nothing was."""

    published: Digest
    sha256: Digest | None = None
    size: int | None = None


class Finding(FrozenModel):
    """One artefact, or one output that no declaration covers."""

    name: str
    verdict: Verdict
    reason: str = Field(min_length=1)
    shipped: ShippedFact | None = None
    rebuilt: FileFact | None = None
    signature: None = None
    normalizers: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    explanation: Explanation = Explanation()

    @model_validator(mode="after")
    def _verdict_holds(self) -> Self:
        if not _holds(self):
            raise ValueError(f"{self.verdict} is contradicted by the digests of {self.name!r}")
        return self


def _holds(finding: Finding) -> bool:
    shipped, rebuilt = finding.shipped, finding.rebuilt
    served = shipped.sha256 if shipped else None
    genuine = shipped is not None and served == shipped.published
    same = rebuilt is not None and shipped is not None and rebuilt.sha256 == served
    same_size = rebuilt is not None and shipped is not None and rebuilt.size == shipped.size
    both = genuine and rebuilt is not None
    holds = {
        Verdict.SHIPPED_MISMATCH: served is not None and not genuine,
        Verdict.DIFFERENT: both and not (same and same_size),
        Verdict.UNEXPECTED: shipped is None and rebuilt is not None,
        Verdict.MISSING: shipped is not None and rebuilt is None,
        Verdict.NOT_CHECKED: True,
        Verdict.EQUIVALENT: both and bool(finding.normalizers),
        Verdict.IDENTICAL_SIGNED: False,  # nothing makes one until signatures are judged
        Verdict.IDENTICAL: both and same and same_size,
    }
    return holds[finding.verdict]


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of `verdicts`; NOT_CHECKED when there are none."""
    return min(verdicts, key=_WORST_FIRST.index, default=Verdict.NOT_CHECKED)


def verdicts_exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return 1 if anything failed, else 2 if anything or everything was not checked, else 0."""
    found = set(verdicts)
    if found & _FAILING:
        return EXIT_FAILED
    return 0 if found and found <= _PASSING else EXIT_NOT_CHECKED
