"""Statements F: heartbeat, receipt, key event, test result.

The first three have predicate types of ours; a test result is in-toto's own predicate
(`https://in-toto.io/attestation/test-result/v0.1`), with the fields that its text requires.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builders.digest import Digest, canonical_json
from pipelines.evidence.statements.statement import (
    Count,
    DigestSet,
    Identifier,
    Line,
    Part,
    Release,
    Resource,
    RunName,
    Statement,
    Time,
    subject,
)

HEARTBEAT = "https://samebits.example/heartbeat/v1"
RECEIPT = "https://samebits.example/receipt/v1"
KEY_EVENT = "https://samebits.example/key-event/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
HEADS = "heads"
_MAX_LISTED = 20_000
Listed = Annotated[tuple[Line, ...], Field(max_length=_MAX_LISTED)]


class Head(Part):
    """The newest statement of one release in a center's log, so that a missing one is a gap."""

    release: Release
    sequence: Count
    newest: DigestSet


class Heartbeat(Part):
    """A center is alive, and these are its newest heads."""

    center: Identifier
    beat_on: Time
    heads: Annotated[tuple[Head, ...], Field(max_length=_MAX_LISTED)]


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
    """What a center does about a request."""

    center: Identifier
    answer: Answer
    answered_on: Time
    run: RunName | None = None


class ReceiptStatement(Statement):
    """A receipt; its subject is the request."""

    predicate_type: Literal["https://samebits.example/receipt/v1"] = (
        "https://samebits.example/receipt/v1"
    )
    predicate: Receipt


class KeyUse(StrEnum):
    """What a key signs."""

    STATEMENTS = "statements"
    LOG = "log"
    WITNESS = "witness"


class KeyChange(StrEnum):
    """What happened to a key."""

    ADDED = "added"
    REVOKED = "revoked"


class KeyEvent(Part):
    """A key of a center begins or ends to count."""

    center: Identifier
    key_id: Digest
    use: KeyUse
    change: KeyChange
    happened_on: Time


class KeyEventStatement(Statement):
    """A key event; its subject is the file of the public key."""

    predicate_type: Literal["https://samebits.example/key-event/v1"] = (
        "https://samebits.example/key-event/v1"
    )
    predicate: KeyEvent


class Result(StrEnum):
    """How tests went."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"


class TestResult(Part):
    """The predicate of in-toto's test result."""

    __test__ = False  # no test of pytest's

    result: Result
    configuration: Annotated[tuple[Resource, ...], Field(max_length=_MAX_LISTED)]
    passed_tests: Listed | None = None
    warned_tests: Listed | None = None
    failed_tests: Listed | None = None


class TestResultStatement(Statement):
    """A test result; its subject is what was tested."""

    __test__ = False

    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"] = (
        "https://in-toto.io/attestation/test-result/v0.1"
    )
    predicate: TestResult


def heartbeat(*, center: str, heads: Iterable[Head], now: datetime) -> HeartbeatStatement:
    """Return the heartbeat of a center at `now` (UTC)."""
    listed = tuple(sorted(heads, key=lambda head: head.release))
    return HeartbeatStatement(
        subject=(subject(HEADS, _heads_digest(listed)),),
        predicate=Heartbeat(center=center, beat_on=now.replace(microsecond=0), heads=listed),
    )


def receipt(
    *, center: str, request: Digest, answer: Answer, now: datetime, run: str | None = None
) -> ReceiptStatement:
    """Return what a center answers to the request with that digest."""
    return ReceiptStatement(
        subject=(subject("request", request),),
        predicate=Receipt(
            center=center, answer=answer, answered_on=now.replace(microsecond=0), run=run
        ),
    )


def key_event(
    *, center: str, key_id: Digest, pem: bytes, use: KeyUse, change: KeyChange, now: datetime
) -> KeyEventStatement:
    """Return what happens to the key whose public file is `pem`."""
    return KeyEventStatement(
        subject=(subject(f"{use}.pub", Digest.of(pem)),),
        predicate=KeyEvent(
            center=center,
            key_id=key_id,
            use=use,
            change=change,
            happened_on=now.replace(microsecond=0),
        ),
    )


def _heads_digest(heads: tuple[Head, ...]) -> Digest:
    return Digest.of(canonical_json([head.to_dict() for head in heads]))
