"""A log's signer that is reached through the center's signer, wherever that is."""

from __future__ import annotations

from collections.abc import Sequence

from builders.core.digest import Digest
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.notekey import NoteKey
from pipelines.signer.local import CenterSigner
from pipelines.signer.orders import CheckpointOrder, TreeHead


class AskedCheckpointSigner:
    """Asks the center's signer for each checkpoint; a `CheckpointSigner`."""

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
