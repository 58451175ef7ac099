"""Proof of a fork: two checkpoints that one log has signed, of one size, with two roots.

No honest log signs both, and nobody without the log's key can make the pair: anybody who knows the
key can verify it offline. A log that shows two readers inconsistent trees of two *sizes* is found
by comparing what both have read; there is no such proof of that.

The format is our own: canonical JSON with both notes as text.
"""

from __future__ import annotations

from dataclasses import dataclass

from builders.core.digest import canonical_json
from pipelines.evidence.strictjson import check_canonical, malformed, read_object
from pipelines.log.checkpoint import LogIdentity, open_checkpoint
from pipelines.log.errors import ForkError
from pipelines.log.note import MAX_NOTE, Note
from pipelines.log.notekey import NoteKey

TYPE = "https://samebits.example/log-fork/v1"
MAX_FORK = MAX_NOTE * 4
_WHAT = "the proof of a fork"
_FIELDS = {"type", "first", "second"}


@dataclass(frozen=True, kw_only=True)
class Fork:
    """What a proof shows: `witnesses` are those that have cosigned both roots."""

    origin: str
    size: int
    roots: tuple[bytes, bytes]
    witnesses: tuple[NoteKey, ...]


@dataclass(frozen=True, kw_only=True)
class ForkProof:
    """Two signed checkpoints, byte by byte as the log published them; not verified yet."""

    first: bytes
    second: bytes

    def __post_init__(self) -> None:
        Note.parse(self.first)
        Note.parse(self.second)

    @classmethod
    def parse(cls, data: bytes) -> ForkProof:
        """Read a proof, verifying nothing; raises `MalformedError` or `NoteError`."""
        value = read_object(data, what=_WHAT, limit=MAX_FORK)
        if value.keys() != _FIELDS or value["type"] != TYPE:
            raise malformed(_WHAT, got="other fields", expected=f"first, second, type {TYPE}")
        for name in ("first", "second"):
            if not isinstance(text := value[name], str):
                got = f"{name} of type {type(text).__name__}"
                raise malformed(_WHAT, got=got, expected="text")
        proof = cls(first=value["first"].encode(), second=value["second"].encode())
        check_canonical(data, proof.to_bytes(), what=_WHAT)
        return proof

    def to_bytes(self) -> bytes:
        """Return canonical JSON; `parse` gives an equal value, and this the same bytes."""
        return canonical_json(
            {"type": TYPE, "first": self.first.decode(), "second": self.second.decode()}
        )

    def verify(self, log: LogIdentity) -> Fork:
        """Return what `log` did, when both are signed by its keys.

        Raises `NoteError` or `CheckpointError` for a checkpoint that is not the log's, and
        `ForkError` for two that may both be true.
        """
        one, other = open_checkpoint(self.first, log), open_checkpoint(self.second, log)
        a, b = one.checkpoint, other.checkpoint
        if a.size != b.size:
            raise ForkError(
                "the checkpoints are of two sizes, and prove no fork",
                got=f"{a.size} and {b.size} leaves",
                expected="one size",
            )
        if a.root == b.root:
            raise ForkError(
                "the checkpoints have one root, and prove no fork",
                got=f"root {a.root.hex()} twice",
                expected="two roots",
            )
        return Fork(
            origin=log.origin,
            size=a.size,
            roots=(a.root, b.root),
            witnesses=tuple(k for k in log.witnesses if k in one.cosigners & other.cosigners),
        )
