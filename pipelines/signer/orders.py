"""The interface of a center's signer, and its orders: evidence of a run, status, a checkpoint.

Each order is one JSON object that names its schema; anything else is refused before its content is
read. Outputs, logs, shipped files and inputs are not in the evidence of a run: the report names
them by digest, and the signer reads them from the center's store. No path of it is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from builders.core.digest import Digest, canonical_json
from builders.core.frozen_model import FrozenModel
from builders.recipe.claim import MAX_SCRIPT
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.report import Report, RobustnessRebuild
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.evidence.statements.statement import Count, Statement
from pipelines.evidence.strictbase64 import Base64
from pipelines.evidence.strictjson import malformed, read_model, read_object
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.notekey import NoteKey
from pipelines.log.signers import CheckpointSigner

MAX_ORDER = 64 << 20
MAX_VALUES = 5_000_000
MAX_RECIPE = 8 << 20
MAX_PROOF = 128
"""Hashes in a consistency proof: twice what a log of 2**63 leaves needs."""


Bytes = Annotated[Base64, Field(max_length=MAX_RECIPE)]


class _Order(FrozenModel):
    floats: ClassVar[bool] = False

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an order; raises `MalformedError`."""
        return read_model(
            data, cls, what="the order", limit=MAX_ORDER, nodes=MAX_VALUES, floats=cls.floats
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self.model_dump(mode="json", by_alias=True)

    def to_bytes(self) -> bytes:
        """Return the message that `from_bytes` reads: canonical JSON."""
        return canonical_json(self.to_dict())


class Evidence(_Order):
    """Sign the statements of a run: its report, and the files of the recipe that it is about."""

    floats: ClassVar[bool] = True

    schema_: Annotated[Literal["samebits/evidence/v1"], Field(alias="schema")] = (
        "samebits/evidence/v1"
    )
    recipe: Bytes
    """The recipe's file."""
    script: Annotated[Bytes | None, Field(max_length=MAX_SCRIPT)] = None
    """The script file of the recipe, if it has one."""
    image: Digest
    """Config digest of the builder image that the claim holds."""
    sbom: Digest
    """SHA-256 of the SBOM."""
    report: Report
    robustness: RobustnessRebuild | None = Field(default=None, alias="moved")
    """The robustness rebuild, if one was made; it is no part of the report."""
    explanation: RunExplanation | None = None
    """What explains the run, once its comparisons are logged; no part of the report either."""

    def about(self) -> str:
        """Return the release and the run."""
        return f"{self.report.release} {self.report.run}"


class StatusOrder(_Order):
    """Sign what a center states about itself, such as a heartbeat, a receipt or a summary."""

    schema_: Annotated[Literal["samebits/status-order/v1"], Field(alias="schema")] = (
        "samebits/status-order/v1"
    )
    statement: Bytes
    """The payload: an in-toto statement in its canonical form."""

    def about(self) -> str:
        """Say that it is a statement of status."""
        return "statement of status"


class NewestOrder(_Order):
    """Return the newest checkpoint of the center's log that was signed."""

    schema_: Annotated[Literal["samebits/newest-order/v1"], Field(alias="schema")] = (
        "samebits/newest-order/v1"
    )

    def about(self) -> str:
        """Say that it is a question."""
        return "newest checkpoint"


class TreeHead(FrozenModel):
    """A size of a log and the root of its tree (RFC 6962)."""

    size: Count
    root: Digest

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Return the size and root of a checkpoint."""
        return cls(size=checkpoint.size, root=Digest(checkpoint.root.hex()))

    def checkpoint(self, origin: str) -> Checkpoint:
        """Return the checkpoint of the log `origin` with this tree; raises `CheckpointError`."""
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
    """That the new tree continues the old one (RFC 6962, section 2.1.2)."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.old is not None and self.old.size > self.new.size:
            message = "expected a log that does not shrink"
            raise ValueError(message)
        return self

    def checkpoints(self, origin: str) -> tuple[Checkpoint | None, Checkpoint, list[bytes]]:
        """Return old and new as checkpoints of the log `origin`, and the proof."""
        old = None if self.old is None else self.old.checkpoint(origin)
        proof = [bytes.fromhex(found.hex) for found in self.proof]
        return old, self.new.checkpoint(origin), proof

    def about(self) -> str:
        """Return the size of the new tree."""
        return f"checkpoint of {self.new.size} leaves"


Order = Evidence | StatusOrder | NewestOrder | CheckpointOrder
_ORDERS: dict[str, type[Order]] = {
    order.model_fields["schema_"].default: order
    for order in (Evidence, StatusOrder, NewestOrder, CheckpointOrder)
}


def read_order(data: bytes) -> Order:
    """Read an order of any kind; raises `MalformedError`."""
    document = read_object(data, what="the order", limit=MAX_ORDER, nodes=MAX_VALUES, floats=True)
    schema = document.get("schema")
    order = _ORDERS.get(schema) if isinstance(schema, str) else None
    if order is None:
        raise malformed(
            "the order", got=f"schema {schema!a:.80}", expected=f"one of {', '.join(_ORDERS)}"
        )
    return order.from_bytes(data)


class CenterSigner(Protocol):
    """Signs for a center; every method raises `RefusedError` for what it does not sign."""

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run."""

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center states about itself."""

    def checkpoint_signer(self, key: NoteKey) -> CheckpointSigner:
        """Return the signer of the center's log, whose key is `key`."""


def status_signer(signer: CenterSigner) -> Callable[[Statement], Envelope]:
    """Return the function that signs what a center states about itself; the signer may refuse."""
    return lambda statement: signer.sign_status(StatusOrder(statement=statement.to_bytes()))
