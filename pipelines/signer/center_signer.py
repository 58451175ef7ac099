"""The interface of a center's signer, and what is built on it alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from builders.core.digest import Digest
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.statements.statement import Statement
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.notekey import NoteKey
from pipelines.signer.orders import CheckpointOrder, Evidence, StatusOrder, TreeHead


class CenterSigner(Protocol):
    """Signs for a center; every method raises `RefusedError` for what it does not sign."""

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run."""

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center states about itself."""

    def newest_checkpoint(self) -> TreeHead | None:
        """Return the newest checkpoint of the center's log that was signed."""

    def sign_checkpoint(self, order: CheckpointOrder) -> bytes:
        """Return the signature of the next checkpoint of the center's log."""


def status_signer(signer: CenterSigner) -> Callable[[Statement], Envelope]:
    """Return the function that signs what a center states about itself; the signer may refuse."""
    return lambda statement: signer.sign_status(StatusOrder(statement=statement.to_bytes()))


class DelegatedCheckpointSigner:
    """Has each checkpoint signed by the center's signer; a `CheckpointSigner`."""

    def __init__(self, signer: CenterSigner, key: NoteKey) -> None:
        """Ask `signer`, which signs with `key`."""
        self.key = key
        self._signer = signer

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that was signed, or None."""
        head = self._signer.newest_checkpoint()
        return None if head is None else head.checkpoint(self.key.name)

    def sign(self, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes:
        """Return the signature over the text of `new`."""
        order = CheckpointOrder(
            old=None if old is None else TreeHead.of(old),
            new=TreeHead.of(new),
            proof=tuple(Digest(found.hex()) for found in proof),
        )
        return self._signer.sign_checkpoint(order)
