"""The statements of consensus: D, the summary for one artefact, and the cross-check of a proof.

D has the shipped bytes as subject. Field rules: SLSA verification summary v1 (specification 1.2),
and its verified property `SLSA_BUILD_REPRODUCED`. What that format has no field for (result, claim,
who matched and who dissented, the summary that this one supersedes) stands in one extension field,
whose name is a URI of ours, as the format asks; other readers ignore it.

A cross-check is one center on another's proof of work, from its own bytes; subject = its seal. The
keyed digests of by-products that a center publishes can only be made of the bytes themselves
(`builders.rebuild.seal`). A center that built the same claim has those bytes, makes the keyed
digests again, and signs the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.evidence.statements.statement import (
    MAX_LISTED,
    NAMESPACE,
    Count,
    DigestSet,
    Identifier,
    Line,
    ReleaseText,
    RunIdText,
    Statement,
    StatementPart,
    Time,
    Uri,
    Word,
)

EXTENSION = "https://samebits.example/consensus/v1"
REPRODUCED = "SLSA_BUILD_REPRODUCED"
REVIEWED = "SAMEBITS_SOURCE_REVIEWED_"
FAILED_LEVEL = "FAILED"

Level = Annotated[
    str, Field(pattern=r"^(SLSA_BUILD_REPRODUCED|SAMEBITS_SOURCE_REVIEWED_[1-9]\d{0,3}|FAILED)$")
]
Operators = Annotated[tuple[Identifier, ...], Field(max_length=1000)]


class Summed(StrEnum):
    """What a summary says; the words are those of the format."""

    PASSED = "PASSED"
    FAILED = "FAILED"


class Verifier(StatementPart):
    """Who joined: the identity that the center's file gives, and the version of samebits."""

    id: Uri
    version: dict[Word, Line] | None = None


class Reference(StatementPart):
    """A policy or an attestation: where it is, and its digest."""

    uri: Uri
    digest: DigestSet


class Extension(StatementPart):
    """What the format has no field for."""

    release: ReleaseText
    center: Identifier
    result: Literal["SUSPECT", "SPLIT", "CONFIRMED", "NONDETERMINISTIC"]
    claim: DigestSet
    scope: DigestSet | None = None
    """None where the findings are of format version 1, which names none."""
    matched: Operators
    dissenting: Operators
    work_proof: Word
    """`proved`, `none` where a match counts that nothing can prove, or `wrong`; in older summaries
    also `absent`."""
    number: Annotated[Count, Field(ge=1)]
    """Of the summaries that this center made of this artefact, from 1."""
    supersedes: Reference | None = None
    """The one before; by the digest of its payload."""


class VerificationSummary(StatementPart):
    """The predicate of a verification summary."""

    verifier: Verifier
    time_verified: Time
    resource_uri: Uri
    policy: Reference
    input_attestations: Annotated[tuple[Reference, ...], Field(max_length=MAX_LISTED)]
    verification_result: Summed
    verified_levels: Annotated[tuple[Level, ...], Field(max_length=2)]
    slsa_version: Literal["1.2"] = "1.2"
    consensus: Annotated[Extension, Field(alias=EXTENSION)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        passed = self.verification_result is Summed.PASSED
        result = self.consensus.result
        if passed is not (result == "CONFIRMED") and result != "SPLIT":
            raise ValueError(f"{self.verification_result} does not follow from {result}")
        if passed is (FAILED_LEVEL in self.verified_levels) or (
            not passed and self.verified_levels != (FAILED_LEVEL,)
        ):
            message = f"expected the level {FAILED_LEVEL}, alone, with FAILED and only there"
            raise ValueError(message)
        if REPRODUCED in self.verified_levels and len(self.consensus.matched) < 2:
            raise ValueError(f"{REPRODUCED} takes two operators")
        if (self.consensus.number == 1) is not (self.consensus.supersedes is None):
            raise ValueError("expected the summary before this one, from the second on")
        return self


class SummaryStatement(
    Statement, kind="summary", predicate_type="https://slsa.dev/verification_summary/v1"
):
    """Statement D."""

    predicate: VerificationSummary

    @model_validator(mode="after")
    def _about_one_file(self) -> Self:
        if len(self.subject) != 1 or self.subject[0].digest.sha256 is None:
            raise ValueError("expected one shipped file, by its published SHA-256")
        return self


class Proof(StrEnum):
    """What came of checking a proof of work."""

    WRONG = "wrong"
    """The keyed digest is not of these bytes."""
    ABSENT = "absent"
    """There should be a keyed digest, and there is none."""
    PROVED = "proved"
    NONE = "none"
    """There is nothing that could prove anything."""


class CheckedFile(StatementPart):
    """One by-product of the checked run."""

    name: Line
    proof: Proof


class CheckedRun(StatementPart):
    """The run whose work is checked."""

    center: Identifier
    run: RunIdText


class Crosscheck(StatementPart):
    """Who checked whose work, with the bytes of which run of its own, and what came of it."""

    release: ReleaseText
    center: Identifier
    run: RunIdText
    """Of the center that checks: the run whose bytes were used."""
    claim: DigestSet
    """That both runs were of."""
    checked: CheckedRun
    proof: Proof
    seal: Proof
    """Whether all lines of the seal can be made again; `none` where other outputs were built."""
    files: Annotated[tuple[CheckedFile, ...], Field(max_length=MAX_LISTED)]
    checked_on: Time

    @model_validator(mode="after")
    def _of_another(self) -> Self:
        if self.checked.center == self.center:
            raise ValueError("a center cannot prove its own work; expected another center")
        if self.proof is not overall((file.proof for file in self.files), self.seal):
            raise ValueError("the proof is not that of its parts")
        return self


class CrosscheckStatement(Statement, kind="crosscheck", predicate_type=f"{NAMESPACE}crosscheck/v1"):
    """A cross-check; its subject `seal` is the seal of the checked run."""

    predicate: Crosscheck


def overall(files: Iterable[Proof], seal: Proof) -> Proof:
    """Return the proof of the whole: that of its worst part, at most what the by-products prove.

    A seal over nothing but shipped files can be made by anybody who has those.
    """
    found = set(files)
    for bad in (Proof.WRONG, Proof.ABSENT):
        if bad in {*found, seal}:
            return bad
    return Proof.PROVED if Proof.PROVED in found else Proof.NONE
