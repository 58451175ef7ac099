"""The signer behind a socket, as a center calls it."""

from __future__ import annotations

import socket
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import SignerError
from pipelines.signer.orders import (
    CheckpointOrder,
    Evidence,
    NewestOrder,
    Order,
    StatusOrder,
    TreeHead,
)
from pipelines.signer.wire import MAX_ANSWER, SignerAnswer, read_answer, receive, send

PATIENCE = 3600.0
"""Seconds that a signer may take to hash the bytes of a large release."""


@dataclass(frozen=True)
class SocketSigner:
    """Asks the signer that listens on the Unix socket at `path`; a `CenterSigner`."""

    path: Path
    _: KW_ONLY
    patience: float = PATIENCE

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run.

        Raises `RefusedError` when the signer does not agree, `SignerError` when none answers.
        """
        return list(self._ask(evidence, "envelopes").envelopes)

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of status; raises as `sign` does."""
        envelopes = self._ask(order, "envelopes").envelopes
        if len(envelopes) != 1 or envelopes[0].payload != order.statement:
            raise SignerError(
                "the signer signed another statement", expected="the one in the order"
            )
        return envelopes[0]

    def sign_checkpoint(self, order: CheckpointOrder) -> bytes:
        """Return the signature of a checkpoint's text; raises as `sign` does."""
        return bytes.fromhex(self._ask(order, "signature").signature)

    def newest_checkpoint(self) -> TreeHead | None:
        """Return the newest checkpoint that was signed; raises as `sign` does."""
        return self._ask(NewestOrder(), "newest").newest

    def _ask(self, order: Order, field: str) -> SignerAnswer:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            try:
                connection.connect(str(self.path))
            except (OSError, ValueError) as error:
                raise SignerError(
                    f"no signer listens on {self.path}",
                    got=getattr(error, "strerror", None) or error,
                    todo="Run `samebits center run signer`, or correct `signer` in its file",
                ) from error
            send(connection, order.to_bytes())
            data = receive(connection, limit=MAX_ANSWER, patience=self.patience)
        if data is None:
            raise SignerError(
                "the signer closed the connection",
                todo="See the signer's own messages: may this user call it?",
            )
        return read_answer(data, field)
