"""Who signs notes here: a log its checkpoints, a witness the checkpoints of others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pipelines.evidence.dsse import EnvelopeSigner
from pipelines.evidence.errors import KeyFileError
from pipelines.log.cosignature import cosigned_message, pack_cosignature
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey


class LogSigner:
    """Signs checkpoints as the log `name`, with Ed25519."""

    def __init__(self, name: str, private: EnvelopeSigner) -> None:
        """Raise `KeyFileError` unless `private` is an Ed25519 key, `NoteError` for a bad name."""
        self.key = _note_key(name, ED25519, private)
        self._private = private

    def sign(self, text: bytes) -> bytes:
        """Return the signature over the text."""
        return self._private.sign(text)


class WitnessSigner:
    """Cosigns checkpoints as the witness `name`, at the time that `clock` gives in UTC."""

    def __init__(
        self, name: str, private: EnvelopeSigner, *, clock: Callable[[], datetime]
    ) -> None:
        """Raise `KeyFileError` unless `private` is an Ed25519 key, `NoteError` for a bad name."""
        self.key = _note_key(name, COSIGNATURE, private)
        self._private = private
        self._clock = clock

    def sign(self, text: bytes) -> bytes:
        """Return the cosignature over a checkpoint's text, with its time."""
        time = int(self._clock().timestamp())
        return pack_cosignature(time, self._private.sign(cosigned_message(text, time)))


def _note_key(name: str, algorithm: int, private: EnvelopeSigner) -> NoteKey:
    public = private.public
    if public.keytype != "ed25519":
        raise KeyFileError(
            "notes are signed with Ed25519 here",
            got=f"a key of type {public.keytype}",
            expected="ed25519",
            todo="Make a key for this use with `samebits center init`",
        )
    return NoteKey(name=name, algorithm=algorithm, key=bytes.fromhex(public.value))
