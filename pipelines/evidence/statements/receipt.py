"""A receipt: what a center answers to a request; subject = the request."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.evidence.statements.request import Nonce, RecipeRelease
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    DigestSet,
    Identifier,
    RunIdText,
    Statement,
    StatementPart,
    Time,
    Word,
)


class Answer(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DONE = "done"


class Receipt(StatementPart):
    """The answer to a request: accepted, refused and why, or done with this verdict."""

    center: Identifier
    release: RecipeRelease
    nonce: Nonce
    answer: Answer
    answered_on: Time
    reason: Word | None = None
    """Why it is refused."""
    run: RunIdText | None = None
    verdict: Verdict | None = None
    """The worst of the run."""
    report: DigestSet | None = None
    """Of the run's public report."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        fields = {k for k in ("reason", "run", "verdict", "report") if getattr(self, k) is not None}
        expected = _FIELDS[self.answer]
        if fields != expected:
            message = f"expected {', '.join(sorted(expected)) or 'nothing more'} with {self.answer}"
            raise ValueError(message)
        return self


class ReceiptStatement(Statement, kind="receipt", predicate_type=f"{NAMESPACE}receipt/v1"):
    """A receipt; its only subject `request` is the record of the request, by its SHA-256."""

    predicate: Receipt

    @model_validator(mode="after")
    def _about_one_request(self) -> Self:
        if [(s.name, {*s.digest.to_dict()}) for s in self.subject] != [("request", {"sha256"})]:
            message = "expected the SHA-256 of the request as its only subject"
            raise ValueError(message)
        return self


def receipt(
    *,
    center: str,
    request: Digest,
    release: str,
    nonce: str,
    answer: Answer,
    now: datetime,
    reason: str | None = None,
    run: str | None = None,
    verdict: Verdict | None = None,
    report: Digest | None = None,
) -> ReceiptStatement:
    """Return what a center answers to the request whose record has that digest."""
    return ReceiptStatement.of(
        Receipt(
            center=center,
            release=release,
            nonce=nonce,
            answer=answer,
            answered_on=now,
            reason=reason,
            run=run,
            verdict=verdict,
            report=DigestSet(sha256=report) if report else None,
        ),
        request=request,
    )


_FIELDS: dict[Answer, set[str]] = {
    Answer.ACCEPTED: set(),
    Answer.REFUSED: {"reason"},
    Answer.DONE: {"run", "verdict", "report"},
}
