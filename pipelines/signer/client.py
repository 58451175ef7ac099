"""The signer behind a socket, as a center calls it."""

from __future__ import annotations

import socket
from pathlib import Path

from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import SignerError
from pipelines.signer.evidence import Evidence
from pipelines.signer.wire import MAX_ANSWER, read_answer, receive, send

PATIENCE = 3600.0
"""Seconds that a signer may take to hash what a large release is about."""


class SocketSigner:
    """Asks the signer that listens on a Unix socket."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        """Call the socket at `path`; nothing is opened yet."""
        self._path = path
        self._patience = patience

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run.

        Raises `RefusedError` when the signer does not agree, `SignerError` when none answers.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            try:
                connection.connect(str(self._path))
            except (OSError, ValueError) as error:
                raise SignerError(
                    f"no signer listens on {self._path}",
                    got=getattr(error, "strerror", None) or error,
                    todo="Start `samebits signer`, or correct `signer` in the center's file",
                ) from error
            send(connection, evidence.to_bytes())
            data = receive(connection, limit=MAX_ANSWER, patience=self._patience)
        if data is None:
            raise SignerError(
                "the signer hung up", todo="See the signer's own messages: may this user call it?"
            )
        return read_answer(data)
