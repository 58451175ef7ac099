"""The signer of a log's checkpoints, which remembers the newest one and signs what continues it.

So a store that was rolled back, or another process with another tree, gets no signature: this
signer never signs two roots for one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from builders.core.errors import InfrastructureError
from pipelines.log.checkpoint import Checkpoint, LogIdentity, open_checkpoint
from pipelines.log.errors import LogError
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.notekey import NoteKey
from pipelines.storage import files as durable

_TODO = (
    "The log was shortened, forked or altered, or an older copy of its store was brought back: "
    "bring the newest one"
)


class CheckpointSigner(Protocol):
    """Signs the checkpoints of one log."""

    @property
    def key(self) -> NoteKey:
        """Return the key that verifies the signatures; its name is the log's origin."""

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that was signed, or None."""

    def sign(self, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes:
        """Return the signature over the text of `new`, as a note has it after the key id.

        `old` is what `newest` returned, and `proof` shows that `new` continues it (RFC 6962,
        2.1.2). Raises `LogError` for anything else.
        """


class LocalCheckpointSigner:
    """Signs with a key in this process, and remembers in a file; for threads and processes."""

    def __init__(self, signer: NoteSigner, home: Path) -> None:
        """Use the log key `signer`, and remember in the folder `home`, which is made if needed."""
        self.key = signer.key
        self._signer = signer
        self._path = home / "signed"

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that was signed here; raises `LogError` when damaged."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InfrastructureError(
                f"cannot read {self._path}",
                got=error.strerror or type(error).__name__,
                expected="what the log's signer remembers",
                todo="Give this user permission there",
            ) from error
        try:
            return open_checkpoint(data, LogIdentity.of(self.key)).checkpoint
        except LogError as error:
            raise LogError(
                "what the log's signer remembers is damaged, or of another key",
                got=self._path,
                expected=f"the checkpoint that {self.key} signed last",
                todo="Find out what wrote there: without it a rolled-back log could be signed",
            ) from error

    def sign(self, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes:
        """Return the signature over `new`, which is remembered before that."""
        if new.origin != self.key.name:
            raise LogError("the signer is not of that log", got=new.origin, expected=self.key.name)
        with durable.held(self._path.with_suffix(".lock")):
            newest = self.newest()
            _check(newest, old, new, proof)
            note = sign_note(new.to_text(), self._signer)
            signed = open_checkpoint(note, LogIdentity.of(self.key))
            durable.replace(self._path, note)
            return signed.note.signatures[0].data


def _check(
    newest: Checkpoint | None, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]
) -> None:
    if newest is not None and new.size < newest.size:
        raise LogError(
            "the signer refuses to shorten the log",
            got=f"{new.size} leaves",
            expected=f"{newest.size} or more, as it has signed",
            todo=_TODO,
        )
    if newest is not None and new.size == newest.size and new.root != newest.root:
        what = f"the signer refuses a second root for {new.size} leaves"
        raise newest.other_root(new.root, what, _TODO)
    if old != newest:
        raise LogError(
            "the signer was shown another checkpoint than the one that it signed last",
            got="none" if old is None else f"{old.size} leaves, root {old.root.hex()}",
            expected="none" if newest is None else f"{newest.size}, root {newest.root.hex()}",
            todo="Run again: another process may have signed meanwhile",
        )
    if newest is not None:
        try:
            newest.verify_growth(new, proof)
        except LogError as error:
            raise LogError(
                "the signer refuses a log that does not continue what it has signed",
                got=error,
                expected=f"the tree of {newest.size} leaves with root {newest.root.hex()}, grown",
                todo=_TODO,
            ) from error
