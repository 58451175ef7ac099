"""The comment: what a person says or asks about a reviewed source, and what was answered.

Its subjects are those of a review: source, claim and scope, by plain digests, or by keyed ones
where the source is closed. Of closed source the text is no part of the statement, which then names
it by its keyed digest: the SHA-256 of the canonical JSON of `CommentContent`, keyed as all others.
A question is answered or withdrawn by a later statement that names the digest of its payload.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.statements.people import Reviewer, SourceStatement
from pipelines.evidence.statements.statement import NAMESPACE, DigestSet, StatementPart, Time
from pipelines.evidence.strictjson import printable


def _printable_lines(text: str) -> str:
    """Return text of printable lines, of which neither the first nor the last one is empty."""
    for line in text.split("\n"):
        printable(line)
    if text != text.strip("\n "):
        raise ValueError("expected no empty lines or blanks around the text")
    return text


CommentText = Annotated[
    str, StringConstraints(min_length=1, max_length=4000), AfterValidator(_printable_lines)
]
CommentedPath = Annotated[
    str, StringConstraints(min_length=1, max_length=1024), AfterValidator(printable)
]


class CommentKind(StrEnum):
    """What is said."""

    COMMENT = "comment"
    QUESTION = "question"
    ANSWER = "answer"
    WITHDRAWAL = "withdrawal"


class CommentContent(StatementPart):
    """A text, and the place in the source that it is about."""

    text: CommentText
    path: CommentedPath | None = None
    line: Annotated[int | None, Field(ge=1, lt=1 << 31)] = None

    @model_validator(mode="after")
    def _line_of_a_file(self) -> Self:
        if self.line is not None and self.path is None:
            raise ValueError("expected a path with the line")
        return self

    def to_bytes(self) -> bytes:
        """Return the canonical JSON, as the private twin of a record has it."""
        return canonical_json(self.to_dict())

    def digest(self) -> Digest:
        """Return the SHA-256 that a keyed digest is made of."""
        return Digest.of(self.to_bytes())

    @property
    def place(self) -> str:
        """Return `path:line`, or as much of it as there is."""
        return f"{self.path}:{self.line}" if self.line else self.path or ""


class Comment(StatementPart):
    """Who says what, and when."""

    author: Reviewer
    kind: CommentKind
    content: CommentContent | None = None
    """None in a withdrawal, and where the source is closed."""
    keyed: DigestSet | None = None
    """The keyed digest of the content, where the source is closed."""
    question: Digest | None = None
    """Of the payload of the question that is answered or withdrawn."""
    said_on: Time

    @model_validator(mode="after")
    def _complete(self) -> Self:
        withdraws = self.kind is CommentKind.WITHDRAWAL
        given = [self.content is not None, self.keyed is not None]
        if sum(given) != (0 if withdraws else 1):
            raise ValueError(f"expected {'no content' if withdraws else 'one content'}")
        if self.keyed is not None and set(self.keyed.to_dict()) != {"hmac_sha256"}:
            raise ValueError("expected a keyed digest of the content")
        if (self.question is not None) != (withdraws or self.kind is CommentKind.ANSWER):
            raise ValueError("expected the question in an answer or a withdrawal, and only there")
        return self


class CommentStatement(SourceStatement, kind="comment", predicate_type=f"{NAMESPACE}comment/v1"):
    """A comment; its subjects are `source`, `claim` and `scope`."""

    MAX_BYTES: ClassVar[int] = 64 << 10
    predicate: Comment

    @model_validator(mode="after")
    def _closed_or_not(self) -> Self:
        closed = self.source.sha256 is None
        content = self.predicate.content if closed else self.predicate.keyed
        if content is not None:
            raise ValueError("expected a keyed content exactly where the source is keyed")
        return self
