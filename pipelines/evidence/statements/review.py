"""Statement C: one reviewer on one source and one claim; subjects = source digest and claim.

Both are told by plain digests, or both by keyed ones where the source is closed. Predicate type
`https://samebits.example/review/v1`. Reviewers may be pseudonyms: what counts is the key that
signs. A later `withdraw` of the same reviewer takes an `approve` back.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from pipelines.evidence.statements.statement import DigestSet, Part, Statement, Subject, Time

REVIEW = "https://samebits.example/review/v1"
SOURCE, CLAIM = "source", "claim"
_TOLD = [[{"sha256"}] * 2, [{"hmac_sha256"}] * 2]

Reviewer = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Decision(StrEnum):
    """What a reviewer says."""

    APPROVE = "approve"
    WITHDRAW = "withdraw"


class Review(Part):
    """Who decided what, and when."""

    reviewer: Reviewer
    decision: Decision
    decided_on: Time


class ReviewStatement(Statement):
    """Statement C."""

    predicate_type: Literal["https://samebits.example/review/v1"] = (
        "https://samebits.example/review/v1"
    )
    predicate: Review

    @model_validator(mode="after")
    def _source_and_claim(self) -> Self:
        told = [{*s.digest.to_dict()} for s in self.subject]
        if [s.name for s in self.subject] != [SOURCE, CLAIM] or told not in _TOLD:
            message = (
                f"expected the subjects {SOURCE} and {CLAIM}, each with a SHA-256, or each with a "
                "keyed digest"
            )
            raise ValueError(message)
        return self

    @property
    def source(self) -> DigestSet:
        """The source digest that was reviewed."""
        return self.subject[0].digest

    @property
    def claim(self) -> DigestSet:
        """The claim that was reviewed."""
        return self.subject[1].digest


def review(
    *, source: DigestSet, claim: DigestSet, reviewer: str, decision: Decision, now: datetime
) -> ReviewStatement:
    """Return a review made at `now` (UTC)."""
    return ReviewStatement(
        subject=(Subject(name=SOURCE, digest=source), Subject(name=CLAIM, digest=claim)),
        predicate=Review(
            reviewer=reviewer, decision=decision, decided_on=now.replace(microsecond=0)
        ),
    )
