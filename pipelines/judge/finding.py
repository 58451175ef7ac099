"""What was found for one artefact: its entry in the report.

A finding cannot be built with a verdict that its own digests contradict, so a pass never comes out
of a default or a slip.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED
from pipelines.judge.look import FileFact, FirstLook
from pipelines.judge.value import Value

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


class CauseName(StrEnum):
    """Why bytes differ, as far as it can be named."""

    NONDETERMINISTIC = "nondeterministic"
    MEMBER_ADDED = "member-added"
    MEMBER_REMOVED = "member-removed"
    MEMBER_CHANGED = "member-changed"
    METADATA_ONLY = "metadata-only"
    CONTAINER_ONLY = "container-only"
    CONTENT = "content"


class Cause(Value):
    """One named cause, and what it was seen in."""

    name: CauseName
    detail: str


class ExplanationStatus(StrEnum):
    """How far the explaining tool got."""

    NONE = "none"
    COMPLETE = "complete"
    TRUNCATED = "truncated"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"


class Carried(Value):
    """A member of the rebuilt artefact that is, unchanged, in an input that is no source."""

    member: str
    sha256: Digest
    size: int
    input: str
    input_member: str


class Explanation(Value):
    """What can be said of a difference. It stands beside a verdict and never changes one."""

    status: ExplanationStatus = ExplanationStatus.NONE
    note: str | None = None
    tool: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    json_diff: Digest | None = Field(default=None, alias="json")
    html_diff: Digest | None = Field(default=None, alias="html")
    first_look: FirstLook | None = None
    carried: tuple[Carried, ...] = ()


class ShippedFact(Value):
    """The published digest, and what was really fetched; None where nothing was."""

    published: Digest
    sha256: Digest | None = None
    size: int | None = None


class Finding(Value):
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
            message = f"{self.verdict} is contradicted by the digests of {self.name!r}"
            raise ValueError(message)
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


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict; NOT_CHECKED when there is nothing to judge."""
    return worst_of(finding.verdict for finding in findings)


def worst_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of `verdicts`; NOT_CHECKED when there are none."""
    return min(verdicts, key=_WORST_FIRST.index, default=Verdict.NOT_CHECKED)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 1 if anything failed, else 2 if anything or everything was not checked, else 0."""
    return exit_code_of(finding.verdict for finding in findings)


def exit_code_of(verdicts: Iterable[Verdict]) -> int:
    """Return the exit code for `verdicts`, as `exit_code` does."""
    found = set(verdicts)
    if found & _FAILING:
        return EXIT_FAILED
    return 0 if found and found <= _PASSING else EXIT_NOT_CHECKED
