"""The statements about logs: heartbeats, and a witness's refusal to cosign.

A heartbeat says that a center is running, with the state of its log; subject = the heads of the
log. A refusal holds the checkpoint that a log showed, and the one it showed before. It is signed
with the witness's own key, so that the complaint cannot be denied.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.statements.statement import (
    NAMESPACE,
    Count,
    DigestSet,
    Identifier,
    Line,
    ReleaseText,
    Statement,
    StatementPart,
    Time,
    subject,
)

MAX_HEADS = 20_000
Night = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
"""The name that a center gives one of its nights."""


class Head(StatementPart):
    """The newest leaf of one release in a center's log, so that a missing one is a gap."""

    release: ReleaseText
    sequence: Count
    """Of that leaf, among those of its release."""
    newest: DigestSet
    """The leaf's hash (RFC 6962)."""


class Tree(StatementPart):
    """The log as its newest checkpoint has it: leaves, and the root over them (RFC 6962)."""

    size: Count
    root: Digest

    @model_validator(mode="after")
    def _empty_or_not(self) -> Self:
        if (self.size == 0) != (self.root == Digest.of(b"")):
            raise ValueError("expected the root of nothing for an empty log, and for no other")
        return self


class Work(StatementPart):
    """Numbers of releases: due, done (with a verdict), and failed."""

    due: Count
    done: Count
    failed: Count
    night: Night | None = None

    @model_validator(mode="after")
    def _of_those_due(self) -> Self:
        if self.done + self.failed > self.due:
            raise ValueError(f"expected at most {self.due} done and failed, as many as were due")
        return self


class Heartbeat(StatementPart):
    """The time, the size of the log, its newest heads, and the work of the night."""

    center: Identifier
    beat_on: Time
    log: Tree
    heads: Annotated[tuple[Head, ...], Field(max_length=MAX_HEADS)]
    releases: Count
    """In the log; more than there are heads where only those that changed last are listed."""
    work: Work | None = None

    @model_validator(mode="after")
    def _heads_of_the_log(self) -> Self:
        names = [head.release for head in self.heads]
        if names != sorted(set(names)):
            raise ValueError("expected each release once, in order")
        if not len(names) <= self.releases <= self.log.size:
            raise ValueError("expected at most as many heads as releases, and releases as leaves")
        if any(head.sequence >= self.log.size for head in self.heads):
            raise ValueError("expected a sequence below the size of the log")
        return self


class HeartbeatStatement(Statement, kind="heartbeat", predicate_type=f"{NAMESPACE}heartbeat/v1"):
    """A heartbeat; its subject is the canonical JSON of the heads."""

    predicate: Heartbeat

    @model_validator(mode="after")
    def _about_its_heads(self) -> Self:
        if self.subject != (subject("heads", _heads_digest(self.predicate.heads)),):
            raise ValueError("expected the digest of its heads as its only subject")
        return self


def heartbeat_statement(heartbeat: Heartbeat) -> HeartbeatStatement:
    """Return the statement of a heartbeat."""
    return HeartbeatStatement.of(heartbeat, heads=_heads_digest(heartbeat.heads))


def _heads_digest(heads: tuple[Head, ...]) -> Digest:
    return Digest.of(canonical_json([head.to_dict() for head in heads]))


MAX_REASON = 4000


class Complaint(StrEnum):
    """What is wrong with the log."""

    SHORTENED = "shortened"
    FORKED = "forked"
    INCONSISTENT = "inconsistent"
    ALTERED = "altered"
    UNSIGNED = "unsigned"


class Shown(StatementPart):
    """A tree that the log has shown: its size, its root, and the signed note."""

    size: Count
    root: Digest
    note: Annotated[str, Field(max_length=1 << 20)]


class Refusal(StatementPart):
    """Why the witness does not cosign a checkpoint."""

    witness: Line
    origin: Line
    complaint: Complaint
    reason: Annotated[str, Field(max_length=MAX_REASON)]
    before: Shown | None = None
    """What the witness had accepted; None when it had seen none."""
    refused_on: Time


class RefusalStatement(Statement, kind="refusal", predicate_type=f"{NAMESPACE}witness-refusal/v1"):
    """A refusal; its subject `checkpoint` is the note that the log published, byte by byte."""

    predicate: Refusal
