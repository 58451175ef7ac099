"""Checkpoints (C2SP tlog-checkpoint): a log's name, how many leaves it has, and their root.

`Checkpoint` is the text, always well-formed; `open_checkpoint` verifies a signed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.evidence.strictbase64 import encode_base64
from pipelines.log.errors import CheckpointError, LogError, NoteError
from pipelines.log.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE, verify_consistency
from pipelines.log.note import Note, NoteSignature, open_note
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey, split_cosignature
from pipelines.log.text import (
    check_control,
    check_range,
    check_size,
    parse_base64,
    parse_number,
    shown,
)

_WHAT = "the checkpoint"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A tree of `size` leaves with `root` (32 bytes), in the log that is called `origin`."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise CheckpointError(
                    f"{_WHAT} has an empty line, or two in one", got=shown(line), expected="text"
                )
            check_control(line, what=_WHAT, error=CheckpointError)
        what = f"{_WHAT} has a size that no log has"
        check_range(self.size, 0, MAX_SIZE, what=what, error=CheckpointError)
        check_size(self.root, HASH_SIZE, what=f"the root of {_WHAT}", error=CheckpointError)
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise CheckpointError(
                f"the root of {_WHAT} is not that of an empty log",
                got=self.root.hex(),
                expected=EMPTY_ROOT.hex(),
            )

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note; raises `CheckpointError`."""
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) < 3:
            raise CheckpointError(
                f"{_WHAT} is incomplete",
                got=f"{len(lines)} lines",
                expected="origin, size and root, each ending in a newline",
            )
        origin, size, root, *extensions = lines
        return cls(
            origin=origin,
            size=parse_number(size, what=f"the size of {_WHAT}", error=CheckpointError),
            root=parse_base64(root, what=f"the root of {_WHAT}", error=CheckpointError),
            extensions=tuple(extensions),
        )

    def to_text(self) -> str:
        """Return the text; `parse` gives an equal value, and this the same text."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    def other_root(self, found: bytes, what: str, todo: str) -> LogError:
        """Return the error for a tree of this size with the root `found`."""
        got = f"root {found.hex()} of {self.size} leaves"
        return LogError(what, got=got, expected=f"root {self.root.hex()}", todo=todo)

    def verify_growth(self, new: Checkpoint, proof: Sequence[bytes]) -> None:
        """Check that the tree of `new` starts with all leaves of this one; raises `ProofError`."""
        verify_consistency(
            old_size=self.size,
            old_root=self.root,
            new_size=new.size,
            new_root=new.root,
            proof=proof,
        )


@dataclass(frozen=True, kw_only=True)
class Cosignature:
    """A verified cosignature: the witness's key, and its time in seconds since 1970 UTC."""

    key: NoteKey
    time: int
    signature: NoteSignature


@dataclass(frozen=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint that its log has signed; `note` has the verified signatures alone."""

    checkpoint: Checkpoint
    note: Note
    cosignatures: tuple[Cosignature, ...] = ()

    @property
    def cosigners(self) -> set[NoteKey]:
        """The keys of the witnesses that have cosigned it."""
        return {cosignature.key for cosignature in self.cosignatures}


@dataclass(frozen=True, kw_only=True)
class LogIdentity:
    """What a reader knows of a log: its origin, its keys, and the keys of its witnesses."""

    origin: str
    keys: tuple[NoteKey, ...]
    witnesses: tuple[NoteKey, ...] = ()

    @classmethod
    def of(cls, key: NoteKey, *witnesses: NoteKey) -> LogIdentity:
        """Return the log with one key, whose name is the origin."""
        return cls(origin=key.name, keys=(key,), witnesses=witnesses)


def open_checkpoint(data: bytes, log: LogIdentity) -> SignedCheckpoint:
    """Return the checkpoint of `log` in `data`, signed by one of the log's keys.

    Cosignatures of its witnesses are verified and returned; a policy decides how many are needed.
    Raises `NoteError` for a note that is malformed, signed by none of the keys, or has a bad
    signature of a known key, and `CheckpointError` for another log's or a malformed text.
    """
    _check_algorithm("a log", log.keys, ED25519)
    _check_algorithm("a witness", log.witnesses, COSIGNATURE)
    note = open_note(data, (*log.keys, *log.witnesses))
    if not any(signature.is_by(key) for signature in note.signatures for key in log.keys):
        raise NoteError(
            f"{_WHAT} is cosigned, but not signed by its log",
            got=", ".join(shown(s.name) for s in note.signatures),
            expected=" or ".join(str(key) for key in log.keys) or "a key of the log",
        )
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != log.origin:
        raise CheckpointError(
            f"{_WHAT} is of another log", got=shown(checkpoint.origin), expected=shown(log.origin)
        )
    return SignedCheckpoint(
        checkpoint=checkpoint,
        note=note,
        cosignatures=tuple(
            Cosignature(key=key, time=split_cosignature(signature.data)[0], signature=signature)
            for signature in note.signatures
            for key in log.witnesses
            if signature.is_by(key)
        ),
    )


def _check_algorithm(whose: str, keys: Sequence[NoteKey], algorithm: int) -> None:
    for key in keys:
        if key.algorithm != algorithm:
            raise CheckpointError(
                f"the key of {whose} is of another algorithm",
                got=key,
                expected=f"algorithm {algorithm:#04x}",
            )
