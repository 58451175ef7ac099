"""Statement B: what was found for one artefact; subject = the shipped bytes, by published digest.

An output that no declaration covers has no shipped bytes: its own digest is the subject then.
Predicate type `https://samebits.example/comparison/v1`. Words only: no message, path or address.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.evidence.statements.statement import (
    Count,
    DigestSet,
    Identifier,
    Line,
    Part,
    Release,
    RunName,
    Statement,
    Subject,
    Time,
    Uri,
    Word,
)
from pipelines.judge.finding import CauseName, ExplanationStatus, Finding

if TYPE_CHECKING:
    from pipelines.evidence.statements.run import Run

COMPARISON = "https://samebits.example/comparison/v1"


class Ground(StrEnum):
    """Why a verdict is what it is."""

    SAME_DIGEST = "same-digest"
    BYTES_DIFFER = "bytes-differ"
    NOT_THE_PUBLISHED_FILE = "not-the-published-file"
    NOT_REBUILT = "not-rebuilt"
    UNDECLARED_OUTPUT = "undeclared-output"
    NO_REBUILD = "no-rebuild"
    COPIED_INPUT = "copied-input"
    INPUT_NOT_SCANNED = "input-not-scanned"
    SHIPPED_UNREACHABLE = "shipped-unreachable"
    NORMALIZED = "normalized"
    SIGNATURE_GRAFTED = "signature-grafted"


class FileDigest(Part):
    """Digest and size in bytes of one file."""

    digest: DigestSet
    size: Count


class Shipped(Part):
    """The published digest, and the file that was really served; None where none was."""

    published: DigestSet
    served: FileDigest | None = None


class Signature(Part):
    """The vendor's signature: its scheme and the pinned signer it was checked against."""

    scheme: Word
    signer: DigestSet


class Normalizer(Part):
    """A declared normalizer, and the reason that the recipe gives for it."""

    name: Word
    reason: Line


class ExplanationDigests(Part):
    """How far explaining got, and the digests of the differences that it wrote."""

    status: ExplanationStatus
    json_diff: Annotated[DigestSet | None, Field(alias="json")] = None
    html_diff: Annotated[DigestSet | None, Field(alias="html")] = None


class Comparison(Part):
    """The verdict on one artefact, and everything it rests on."""

    release: Release
    center: Identifier
    builder: Uri
    run: RunName
    compared_on: Time
    claim: DigestSet | None = None
    verdict: Verdict
    ground: Ground
    shipped: Shipped | None = None
    rebuilt: FileDigest | None = None
    signature: Signature | None = None
    normalizers: Annotated[tuple[Normalizer, ...], Field(max_length=64)]
    mask_ledger: DigestSet | None = None
    causes: Annotated[tuple[CauseName, ...], Field(max_length=64)]
    explanation: ExplanationDigests
    provenance: DigestSet | None = None
    """Digest of statement A's payload."""


class ComparisonStatement(Statement):
    """Statement B."""

    predicate_type: Literal["https://samebits.example/comparison/v1"] = (
        "https://samebits.example/comparison/v1"
    )
    predicate: Comparison


def comparison(run: Run, finding: Finding, *, provenance: Digest | None) -> ComparisonStatement:
    """Return statement B of one finding; `provenance` is the digest of A's payload, if any.

    Raises ValueError for a finding that is about no bytes at all.
    """
    report, shipped, rebuilt = run.report, finding.shipped, finding.rebuilt
    about = shipped.published if shipped else rebuilt.sha256 if rebuilt else None
    if about is None:
        message = f"{finding.name!r} is about no bytes"
        raise ValueError(message)
    mentioned = provenance if rebuilt else None
    told = finding.explanation
    return ComparisonStatement(
        subject=(Subject(name=finding.name, digest=run.told(about)),),
        predicate=Comparison(
            release=report.release,
            center=run.center.id,
            builder=run.center.builder_id,
            run=report.run,
            compared_on=run.finished,
            claim=run.told(report.claim) if report.claim else None,
            verdict=finding.verdict,
            ground=ground(finding, built=run.built),
            shipped=_shipped(finding),
            rebuilt=FileDigest(digest=run.told(rebuilt.sha256), size=rebuilt.size)
            if rebuilt
            else None,
            normalizers=(),
            causes=tuple(cause.name for cause in finding.causes),
            explanation=ExplanationDigests(
                status=told.status,
                json_diff=run.told(told.json_diff) if told.json_diff else None,
                html_diff=run.told(told.html_diff) if told.html_diff else None,
            ),
            provenance=DigestSet(sha256=mentioned) if mentioned else None,
        ),
    )


def ground(finding: Finding, *, built: bool) -> Ground:
    """Return the word for why a finding has its verdict."""
    if finding.verdict is Verdict.NOT_CHECKED:
        return _unchecked(finding.reason, built=built)
    return _GROUNDS[finding.verdict]


def _unchecked(reason: str, *, built: bool) -> Ground:
    if not built:
        return Ground.NO_REBUILD
    for word in (Ground.COPIED_INPUT, Ground.INPUT_NOT_SCANNED):
        if reason.startswith(word):
            return word
    return Ground.SHIPPED_UNREACHABLE


def _shipped(finding: Finding) -> Shipped | None:
    fact = finding.shipped
    if fact is None:
        return None
    served = None
    if fact.sha256 is not None and fact.size is not None:
        served = FileDigest(digest=DigestSet(sha256=fact.sha256), size=fact.size)
    return Shipped(published=DigestSet(sha256=fact.published), served=served)


_GROUNDS = {
    Verdict.SHIPPED_MISMATCH: Ground.NOT_THE_PUBLISHED_FILE,
    Verdict.DIFFERENT: Ground.BYTES_DIFFER,
    Verdict.UNEXPECTED: Ground.UNDECLARED_OUTPUT,
    Verdict.MISSING: Ground.NOT_REBUILT,
    Verdict.EQUIVALENT: Ground.NORMALIZED,
    Verdict.IDENTICAL_SIGNED: Ground.SIGNATURE_GRAFTED,
    Verdict.IDENTICAL: Ground.SAME_DIGEST,
}
