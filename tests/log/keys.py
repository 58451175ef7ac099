"""Keys that are always the same, so that what they sign can be kept in files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.evidence.publickey import PublicKey, ed25519_key
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.note import NoteSigner
from pipelines.log.notekey import NoteKey

ORIGIN = "samebits.example/centers/east"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(frozen=True)
class FixedKey:
    """An Ed25519 key made of a word."""

    word: str

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(self.word.encode()).digest())

    @property
    def public(self) -> PublicKey:
        return ed25519_key(self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def log(name: str = ORIGIN, word: str = "log") -> NoteSigner:
    return NoteSigner(name, FixedKey(word))


def identity(
    *keys: NoteKey, origin: str = ORIGIN, witnesses: Iterable[NoteKey] = ()
) -> LogIdentity:
    return LogIdentity(origin=origin, keys=keys, witnesses=tuple(witnesses))


def witness(name: str = "west.example/witness", *, at: datetime = NOON) -> NoteSigner:
    return NoteSigner(name, FixedKey(name), clock=lambda: at)
