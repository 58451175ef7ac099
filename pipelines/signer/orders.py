"""What a signer can be asked for: the statements of a run, a statement of status, a checkpoint.

Each is one JSON object that says its schema; anything else is refused before it is looked at.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.statements.statement import Count
from pipelines.evidence.strictjson import malformed, read_model, read_object
from pipelines.log.checkpoint import Checkpoint
from pipelines.signer.evidence import MAX_EVIDENCE, MAX_VALUES, Bytes, Evidence

MAX_PROOF = 128
"""Hashes in a consistency proof: twice what a log of 2**63 leaves needs."""
_WHAT = "the order"


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an order; raises `MalformedError`."""
        return read_model(data, cls, what=_WHAT, limit=MAX_EVIDENCE)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self.model_dump(mode="json", by_alias=True)

    def to_bytes(self) -> bytes:
        """Return the message that `from_bytes` reads: canonical JSON."""
        return canonical_json(self.to_dict())


class StatusOrder(_Order):
    """Sign what a center says of itself: a heartbeat, a receipt, a cross-check."""

    schema_: Annotated[Literal["samebits/status-order/v1"], Field(alias="schema")] = (
        "samebits/status-order/v1"
    )
    statement: Bytes
    """The payload: an in-toto statement in its one spelling."""


class NewestOrder(_Order):
    """Say which checkpoint of the center's log was signed last."""

    schema_: Annotated[Literal["samebits/newest-order/v1"], Field(alias="schema")] = (
        "samebits/newest-order/v1"
    )


class TreeHead(BaseModel):
    """A size of a log and the root of its tree (RFC 6962)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Count
    root: Digest

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Return the size and root of a checkpoint."""
        return cls(size=checkpoint.size, root=Digest(checkpoint.root.hex()))

    def checkpoint(self, origin: str) -> Checkpoint:
        """Return the checkpoint of the log `origin` that says so; raises `CheckpointError`."""
        return Checkpoint(origin=origin, size=self.size, root=bytes.fromhex(self.root.hex))


class CheckpointOrder(_Order):
    """Sign the next checkpoint of the center's log."""

    schema_: Annotated[Literal["samebits/checkpoint-order/v1"], Field(alias="schema")] = (
        "samebits/checkpoint-order/v1"
    )
    old: TreeHead | None
    """The newest one that is known to be signed; None for the first."""
    new: TreeHead
    proof: Annotated[tuple[Digest, ...], Field(max_length=MAX_PROOF)]
    """That the new tree holds the old one (RFC 6962, section 2.1.2)."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.old is not None and self.old.size > self.new.size:
            message = "expected a log that does not shrink"
            raise ValueError(message)
        return self


Order = Evidence | StatusOrder | NewestOrder | CheckpointOrder


def read_order(data: bytes) -> Order:
    """Read whatever a signer can be asked for; raises `MalformedError`."""
    document = read_object(data, what=_WHAT, limit=MAX_EVIDENCE, nodes=MAX_VALUES, floats=True)
    match document.get("schema"):
        case "samebits/evidence/v1":
            return Evidence.from_bytes(data)
        case "samebits/status-order/v1":
            return StatusOrder.from_bytes(data)
        case "samebits/newest-order/v1":
            return NewestOrder.from_bytes(data)
        case "samebits/checkpoint-order/v1":
            return CheckpointOrder.from_bytes(data)
        case other:
            raise malformed(
                _WHAT,
                got=f"schema {other!a:.80}",
                expected="samebits/evidence/v1, or status-, newest- or checkpoint-order/v1",
            )
