"""The statements of people: C, the review of a source, and the request, with what belongs to it.

A review is of one reviewer on one source, one claim and one scope; those are its subjects, by plain
digests, or by keyed ones where the source is closed. Version 1 names no scope, so it approves none.
Reviewers may be pseudonyms: what counts is the key that signs. A later `withdraw` of the same
reviewer takes an `approve` back.

A request: a known person asks one center to verify one release now; subject = the release.
The digest of the subject is the SHA-256 of the UTF-8 text `vendor/product@version`. A request holds
nothing but that name: no path, command or address fits into any of its fields, and the name of a
release cannot leave the folder that it is looked up in. The center answers with receipts. Who made
a request can cancel it; the cancellation names the record of the request.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import StringConstraints, model_validator

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    DigestSet,
    Identifier,
    RunIdText,
    Statement,
    StatementPart,
    Time,
    Word,
    subject,
)

SUBJECTS = ("source", "claim", "scope")
T = TypeVar("T", bound=Statement)

REVIEWER = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Reviewer = Annotated[str, StringConstraints(pattern=REVIEWER)]


class Decision(StrEnum):
    """What a reviewer says."""

    APPROVE = "approve"
    WITHDRAW = "withdraw"


class Review(StatementPart):
    """Who decided what, and when."""

    reviewer: Reviewer
    decision: Decision
    decided_on: Time


class SourceStatement(Statement, kind="", predicate_type=""):
    """A statement about a reviewed source; its subjects are `source`, `claim` and `scope`."""

    FORMER_SUBJECTS: ClassVar[dict[int, tuple[str, ...]]] = {}
    """The subjects of former versions that name fewer."""

    @model_validator(mode="after")
    def _about_its_subjects(self) -> Self:
        expected = self.FORMER_SUBJECTS.get(self.version, SUBJECTS)
        algorithms = [set(s.digest.to_dict()) for s in self.subject]
        if tuple(s.name for s in self.subject) != expected or algorithms not in (
            [{"sha256"}] * len(expected),
            [{"hmac_sha256"}] * len(expected),
        ):
            message = (
                f"expected the subjects {' and '.join(expected)}, each with a SHA-256, or each "
                "with a keyed digest"
            )
            raise ValueError(message)
        return self

    @property
    def source(self) -> DigestSet:
        """The source digest that it is about."""
        return self.subject[0].digest

    @property
    def claim(self) -> DigestSet:
        """The claim that it is about."""
        return self.subject[1].digest

    @property
    def scope(self) -> DigestSet | None:
        """The scope that it is about; None in a version that names none."""
        return self.subject[2].digest if len(self.subject) > 2 else None


class ReviewStatement(
    SourceStatement,
    kind="review",
    predicate_type=f"{NAMESPACE}review/v2",
    former=(f"{NAMESPACE}review/v1",),
):
    """Statement C; version 1 names no scope."""

    FORMER_SUBJECTS: ClassVar[dict[int, tuple[str, ...]]] = {1: SUBJECTS[:2]}
    predicate: Review


MAX_VALID = timedelta(days=30)

RecipeRelease = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}/[A-Za-z0-9][A-Za-z0-9._+-]{0,127}"
        r"@[A-Za-z0-9][A-Za-z0-9._+~:!-]{0,127}$"
    ),
]
"""`vendor/product@version`, each as recipes spell it."""
Nonce = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class Request(StatementPart):
    """The request of a person to a center, and until when it is valid."""

    center: Identifier
    release: RecipeRelease
    nonce: Nonce
    requester: Reviewer
    requested_on: Time
    expires: Time

    @model_validator(mode="after")
    def _expires_in_time(self) -> Self:
        if not timedelta(0) < self.expires - self.requested_on <= MAX_VALID:
            raise ValueError(f"expected an end after its time, within {MAX_VALID.days} days")
        return self


class RequestStatement(Statement, kind="request", predicate_type=f"{NAMESPACE}request/v1"):
    """A request; its subject is the name of the release."""

    MAX_BYTES: ClassVar[int] = 8 << 10
    predicate: Request

    @model_validator(mode="after")
    def _about_the_release(self) -> Self:
        if self.subject != (subject("release", _release_digest(self.predicate.release)),):
            raise ValueError("expected the digest of the release's name as its only subject")
        return self


def request(
    *, center: str, release: str, nonce: str, requester: str, now: datetime, valid: timedelta
) -> RequestStatement:
    """Return a request made at `now` (UTC); raises ValueError for what no request can say."""
    moment = now.replace(microsecond=0)
    return RequestStatement.of(
        Request(
            center=center,
            release=release,
            nonce=nonce,
            requester=requester,
            requested_on=moment,
            expires=moment + valid,
        ),
        release=_release_digest(release),
    )


class Cancellation(StatementPart):
    """That a requester wants no answer to a request any more."""

    center: Identifier
    release: RecipeRelease
    nonce: Nonce
    requester: Reviewer
    cancelled_on: Time


class CancellationStatement(
    Statement, kind="cancellation", predicate_type=f"{NAMESPACE}cancellation/v1"
):
    """A cancellation; its only subject `request` is the record of the request, by its SHA-256."""

    MAX_BYTES: ClassVar[int] = 8 << 10
    predicate: Cancellation

    @model_validator(mode="after")
    def _about_one_request(self) -> Self:
        return _require_request(self)


class Answer(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DONE = "done"


_FIELDS: dict[Answer, set[str]] = {
    Answer.ACCEPTED: set(),
    Answer.REFUSED: {"reason"},
    Answer.DONE: {"run", "verdict", "report"},
}


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
        return _require_request(self)


def _require_request(statement: T) -> T:
    """Return a statement about one request; raises ValueError for one about something else."""
    if [(s.name, {*s.digest.to_dict()}) for s in statement.subject] != [("request", {"sha256"})]:
        raise ValueError("expected the SHA-256 of the request as its only subject")
    return statement


def _release_digest(release: str) -> Digest:
    return Digest.of(release.encode())
