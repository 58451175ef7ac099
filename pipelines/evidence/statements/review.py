"""Statement C: one reviewer on one source and one claim; subjects = source digest and claim.

Both are plain digests, or both are keyed ones where the source is closed. Reviewers may be
pseudonyms: what counts is the key that signs. A later `withdraw` of the same reviewer takes an
`approve` back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from pipelines.evidence.statements.statement import (
    NAMESPACE,
    DigestSet,
    Statement,
    StatementPart,
    Time,
)

SUBJECTS = ["source", "claim"]

Reviewer = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Decision(StrEnum):
    """What a reviewer says."""

    APPROVE = "approve"
    WITHDRAW = "withdraw"


class Review(StatementPart):
    """Who decided what, and when."""

    reviewer: Reviewer
    decision: Decision
    decided_on: Time


class ReviewStatement(Statement, kind="review", predicate_type=f"{NAMESPACE}review/v1"):
    """Statement C; its subjects are `source` and `claim`."""

    predicate: Review

    @model_validator(mode="after")
    def _source_and_claim(self) -> Self:
        algorithms = [set(s.digest.to_dict()) for s in self.subject]
        if [s.name for s in self.subject] != SUBJECTS or algorithms not in (
            [{"sha256"}] * 2,
            [{"hmac_sha256"}] * 2,
        ):
            message = (
                f"expected the subjects {' and '.join(SUBJECTS)}, each with a SHA-256, or each "
                "with a keyed digest"
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
