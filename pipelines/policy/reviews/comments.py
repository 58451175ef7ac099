"""What was asked and said about a source, and which questions are open: pure code.

Only what a key of the policy has signed is shown as said: that of the author as a reviewer, or as
an operator. A question is answered once somebody else than its author has answered it, and
withdrawn once its author has said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from builders.core.digest import Digest
from pipelines.evidence.clocks import SKEW
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.errors import SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.comment import (
    Comment,
    CommentContent,
    CommentKind,
    CommentStatement,
)
from pipelines.evidence.statements.statement import DigestSet, show_time, value_of
from pipelines.policy import Policy
from pipelines.policy.reviews.count import ExcludedReview, ReviewExclusion


class QuestionState(StrEnum):
    """What became of a question."""

    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class ReadComment:
    """The envelope of a comment in its form, with its content where that is known here."""

    name: str
    """Of its record."""
    envelope: Envelope
    statement: CommentStatement
    content: CommentContent | None
    """None in a withdrawal, and of closed source without its salt or its private twin."""


@dataclass(frozen=True, kw_only=True)
class SaidComment:
    """A comment that a person of the policy has signed."""

    digest: Digest
    """Of the payload: by it other statements name this one."""
    comment: Comment
    content: CommentContent | None
    key: PublicKey
    claim: DigestSet

    @property
    def author(self) -> str:
        """Who said it."""
        return self.comment.author

    @property
    def order(self) -> tuple[datetime, Digest]:
        """Sort key by time."""
        return self.comment.said_on, self.digest

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "id": str(self.digest),
            "author": self.author,
            "key": self.key.keyid,
            "said_on": show_time(self.comment.said_on),
            "claim": str(value_of(self.claim)),
            "content": self.content.to_dict() if self.content else None,
        }


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with its answers, oldest first."""

    asked: SaidComment
    answers: tuple[SaidComment, ...] = ()
    withdrawn_on: datetime | None = None

    @property
    def state(self) -> QuestionState:
        """Whether it is answered by somebody else, or withdrawn by its author."""
        if self.withdrawn_on is not None:
            return QuestionState.WITHDRAWN
        author, key = self.asked.author, self.asked.key.material
        others = (a for a in self.answers if a.author != author and a.key.material != key)
        return QuestionState.ANSWERED if any(others) else QuestionState.OPEN

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            **self.asked.to_dict(),
            "state": str(self.state),
            "answers": [answer.to_dict() for answer in self.answers],
            "withdrawn_on": show_time(self.withdrawn_on) if self.withdrawn_on else None,
        }


@dataclass(frozen=True, kw_only=True)
class Discussion:
    """What was said about the sources of a release, oldest first, and what does not count."""

    questions: tuple[Question, ...] = ()
    comments: tuple[SaidComment, ...] = ()
    excluded: tuple[ExcludedReview, ...] = ()

    @property
    def open(self) -> int:
        """How many questions are open."""
        return sum(question.state is QuestionState.OPEN for question in self.questions)

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "questions": [question.to_dict() for question in self.questions],
            "comments": [comment.to_dict() for comment in self.comments],
            "not_counted": [
                {"author": one.reviewer, "key": one.keyid, "why": str(one.why)}
                for one in self.excluded
            ],
        }


def read_discussion(
    records: Iterable[ReadComment], policy: Policy, sources: Sequence[DigestSet], now: datetime
) -> Discussion:
    """Return what was said about `sources` by people of the policy, at `now` (UTC)."""
    people = _people(policy)
    said: dict[Digest, SaidComment] = {}
    excluded: list[ExcludedReview] = []
    for record in records:
        found = _verified(record, people, sources, now)
        if isinstance(found, SaidComment):
            said.setdefault(found.digest, found)
        else:
            excluded.append(_excluded(record, found))
    ordered = sorted(said.values(), key=lambda one: one.order)
    asked = {s.digest: s for s in ordered if s.comment.kind is CommentKind.QUESTION}
    answers: dict[Digest, list[SaidComment]] = {digest: [] for digest in asked}
    withdrawn: dict[Digest, datetime] = {}
    for one in ordered:
        question = one.comment.question
        if question is None:
            continue
        if (why := _misdirected(one, asked.get(question))) is not None:
            excluded.append(ExcludedReview(reviewer=one.author, keyid=one.key.keyid, why=why))
        elif one.comment.kind is CommentKind.ANSWER:
            answers[question].append(one)
        else:
            withdrawn.setdefault(question, one.comment.said_on)
    return Discussion(
        questions=tuple(
            Question(asked=a, answers=tuple(answers[d]), withdrawn_on=withdrawn.get(d))
            for d, a in asked.items()
        ),
        comments=tuple(s for s in ordered if s.comment.kind is CommentKind.COMMENT),
        excluded=tuple(sorted(excluded)),
    )


def _people(policy: Policy) -> dict[str, list[PublicKey]]:
    """Return the keys of reviewers and operators by name; no revoked ones."""
    found = policy.reviewer_keys()
    for operator in policy.operators:
        if operator.key.keyid not in policy.revoked:
            found.setdefault(operator.name, []).append(operator.key)
    return found


def _verified(
    record: ReadComment,
    people: Mapping[str, Sequence[PublicKey]],
    sources: Sequence[DigestSet],
    now: datetime,
) -> SaidComment | ReviewExclusion:
    statement = record.statement
    comment = statement.predicate
    if comment.author not in people:
        return ReviewExclusion.UNKNOWN_KEY
    try:
        key = verify_envelope(record.envelope, people[comment.author])[0]
    except SignatureError:
        return ReviewExclusion.BAD_SIGNATURE
    if statement.source not in sources:
        return ReviewExclusion.OTHER_SOURCE
    if comment.said_on > now + SKEW:
        return ReviewExclusion.FUTURE
    return SaidComment(
        digest=statement.digest(),
        comment=comment,
        content=record.content,
        key=key,
        claim=statement.claim,
    )


def _misdirected(one: SaidComment, question: SaidComment | None) -> ReviewExclusion | None:
    """Return why an answer or a withdrawal does not count for a question, None if it does."""
    if question is None:
        return ReviewExclusion.NO_QUESTION
    withdraws = one.comment.kind is CommentKind.WITHDRAWAL
    return ReviewExclusion.NOT_ITS_AUTHOR if withdraws and one.author != question.author else None


def _excluded(record: ReadComment, why: ReviewExclusion) -> ExcludedReview:
    author = record.statement.predicate.author
    return ExcludedReview(reviewer=author, keyid=record.envelope.signatures[0].keyid, why=why)
