"""Statements F: heartbeat and receipt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Verdict
from pipelines.evidence.statements.request import Nonce, ReleaseText
from pipelines.evidence.statements.statement import (
    Count,
    DigestSet,
    Identifier,
    Part,
    Release,
    RunName,
    Statement,
    Time,
    Word,
    subject,
)

HEARTBEAT = "https://samebits.example/heartbeat/v1"
RECEIPT = "https://samebits.example/receipt/v1"
HEADS, REQUESTED = "heads", "request"
MAX_HEADS = 20_000
Night = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
"""The name that a center gives one of its nights."""


class Head(Part):
    """The newest leaf of one release in a center's log, so that a missing one is a gap."""

    release: Release
    sequence: Count
    """Of that leaf, among those of its release."""
    newest: DigestSet
    """The leaf's hash (RFC 6962)."""


class Tree(Part):
    """The log as its newest checkpoint has it: leaves, and the root over them (RFC 6962)."""

    size: Count
    root: Digest

    @model_validator(mode="after")
    def _empty_or_not(self) -> Self:
        if (self.size == 0) != (self.root == Digest.of(b"")):
            message = "expected the root of nothing for an empty log, and for no other"
            raise ValueError(message)
        return self


class Work(Part):
    """Releases that were due, those of them that came to a verdict, and those that did not."""

    due: Count
    done: Count
    failed: Count
    night: Night | None = None

    @model_validator(mode="after")
    def _of_those_due(self) -> Self:
        if self.done + self.failed > self.due:
            message = f"expected at most {self.due} done and failed, as many as were due"
            raise ValueError(message)
        return self


class Heartbeat(Part):
    """A center is alive, its log is that long, and these are its newest heads."""

    center: Identifier
    beat_on: Time
    log: Tree
    heads: Annotated[tuple[Head, ...], Field(max_length=MAX_HEADS)]
    releases: Count
    """In the log; more than there are heads where those that moved last alone are listed."""
    work: Work | None = None

    @model_validator(mode="after")
    def _heads_of_the_log(self) -> Self:
        names = [head.release for head in self.heads]
        if names != sorted(set(names)):
            message = "expected each release once, in order"
            raise ValueError(message)
        if not len(names) <= self.releases <= self.log.size:
            message = "expected at most as many heads as releases, and releases as leaves"
            raise ValueError(message)
        if any(head.sequence >= self.log.size for head in self.heads):
            message = "expected a sequence below the size of the log"
            raise ValueError(message)
        return self


class HeartbeatStatement(Statement):
    """A heartbeat; its subject is the canonical JSON of the heads."""

    predicate_type: Literal["https://samebits.example/heartbeat/v1"] = (
        "https://samebits.example/heartbeat/v1"
    )
    predicate: Heartbeat

    @model_validator(mode="after")
    def _about_its_heads(self) -> Self:
        if self.subject != (subject(HEADS, _heads_digest(self.predicate.heads)),):
            message = "expected the digest of its heads as its only subject"
            raise ValueError(message)
        return self


class Answer(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DONE = "done"


class Receipt(Part):
    """What a center does about a request: accepted, refused and why, or done with this verdict."""

    center: Identifier
    release: ReleaseText
    nonce: Nonce
    answer: Answer
    answered_on: Time
    reason: Word | None = None
    """Why it is refused."""
    run: RunName | None = None
    verdict: Verdict | None = None
    """The worst of the run."""
    report: DigestSet | None = None
    """Of the run's public report."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        told = {k for k in ("reason", "run", "verdict", "report") if getattr(self, k) is not None}
        expected = _TOLD[self.answer]
        if told != expected:
            message = f"expected {', '.join(sorted(expected)) or 'nothing more'} with {self.answer}"
            raise ValueError(message)
        return self


class ReceiptStatement(Statement):
    """A receipt; its only subject is the request: the SHA-256 of the record that it stands in."""

    predicate_type: Literal["https://samebits.example/receipt/v1"] = (
        "https://samebits.example/receipt/v1"
    )
    predicate: Receipt

    @model_validator(mode="after")
    def _about_one_request(self) -> Self:
        told = [(s.name, {*s.digest.to_dict()}) for s in self.subject]
        if told != [(REQUESTED, {"sha256"})]:
            message = f"expected the SHA-256 of the {REQUESTED} as its only subject"
            raise ValueError(message)
        return self


def heartbeat(
    *,
    center: str,
    log: Tree,
    heads: Iterable[Head],
    releases: int,
    now: datetime,
    work: Work | None = None,
) -> HeartbeatStatement:
    """Return the heartbeat of a center at `now` (UTC), with heads of its `releases`."""
    listed = tuple(sorted(heads, key=lambda head: head.release))
    return HeartbeatStatement(
        subject=(subject(HEADS, _heads_digest(listed)),),
        predicate=Heartbeat(
            center=center,
            beat_on=now.replace(microsecond=0),
            log=log,
            heads=listed,
            releases=releases,
            work=work,
        ),
    )


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
    return ReceiptStatement(
        subject=(subject(REQUESTED, request),),
        predicate=Receipt(
            center=center,
            release=release,
            nonce=nonce,
            answer=answer,
            answered_on=now.replace(microsecond=0),
            reason=reason,
            run=run,
            verdict=verdict,
            report=DigestSet(sha256=report) if report else None,
        ),
    )


def _heads_digest(heads: tuple[Head, ...]) -> Digest:
    return Digest.of(canonical_json([head.to_dict() for head in heads]))


_TOLD: dict[Answer, set[str]] = {
    Answer.ACCEPTED: set(),
    Answer.REFUSED: {"reason"},
    Answer.DONE: {"run", "verdict", "report"},
}
