"""The keys of notes (C2SP signed-note): a name, an algorithm, 32 bytes of Ed25519.

Two algorithms are known: plain Ed25519 signatures (0x01), as logs make them, and timestamped
cosignatures (0x04), as witnesses do. The key id commits to name and algorithm, so that one key used
both ways has two ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from pipelines.evidence.publickey import PublicKey, ed25519_key
from pipelines.log.cosignature import cosigned_message, split_cosignature
from pipelines.log.errors import NoteError
from pipelines.log.text import check_control, decode_base64, encode_base64, shown

ED25519 = 0x01
COSIGNATURE = 0x04
ID_SIZE = 4
MAX_NAME = 512
"""Bytes of a key's name; the C2SP texts set no limit."""
_KEY_SIZE = 32
_USES = {ED25519: "a log's key", COSIGNATURE: "a witness's key"}
_WHAT = "a verifier key"


@dataclass(frozen=True, kw_only=True)
class NoteKey:
    """A public key under a name; a value is always well-formed, or `NoteError` is raised."""

    name: str
    algorithm: int
    key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.name.isprintable() or len(self.name.encode()) > MAX_NAME:
            raise NoteError(
                f"the name of {_WHAT} cannot be shown",
                got=shown(self.name),
                expected=f"1 to {MAX_NAME} printable bytes",
            )
        if self.algorithm not in {ED25519, COSIGNATURE}:
            raise NoteError(
                f"{_WHAT} is of an unknown algorithm",
                got=f"{self.algorithm:#04x}",
                expected=f"{ED25519:#04x} (Ed25519) or {COSIGNATURE:#04x} (cosignature/v1)",
            )
        if len(self.key) != _KEY_SIZE:
            raise NoteError(
                f"{_WHAT} has a key of another length",
                got=f"{len(self.key)} bytes",
                expected=f"{_KEY_SIZE} bytes of Ed25519",
            )

    @classmethod
    def parse(cls, vkey: str, algorithm: int | None = None) -> NoteKey:
        """Read `<name>+<id>+<base64 of algorithm and key>`, a key of `algorithm` if that is given.

        Raises `NoteError`.
        """
        parts = vkey.split("+", 2)  # base64 has plus signs of its own
        if len(parts) != 3:
            raise NoteError(f"{_WHAT} has not three parts", got=shown(vkey), expected="name+id+key")
        name, key_id, encoded = parts
        data = decode_base64(encoded, what=f"the key of {_WHAT}", error=NoteError)
        if not data:
            raise NoteError(f"{_WHAT} is empty", got=shown(vkey), expected="name+id+key")
        key = cls(name=name, algorithm=data[0], key=data[1:])
        if key_id != key.id.hex():
            raise NoteError(
                f"{_WHAT} has the id of another one", got=shown(key_id), expected=key.id.hex()
            )
        if algorithm is not None and key.algorithm != algorithm:
            raise NoteError(
                "a key is for another use",
                got=f"type {key.algorithm:#04x}",
                expected=f"{_USES[algorithm]}, of type {algorithm:#04x}",
            )
        return key

    def __str__(self) -> str:
        """Return the vkey."""
        return f"{self.name}+{self.id.hex()}+{encode_base64(self._material)}"

    @cached_property
    def id(self) -> bytes:
        """The four bytes that name this key in a signature."""
        return sha256(self.name.encode() + b"\n" + self._material).digest()[:ID_SIZE]

    @property
    def _material(self) -> bytes:
        return bytes([self.algorithm]) + self.key

    @cached_property
    def public(self) -> PublicKey:
        """The key alone, whatever it is called and used for."""
        return ed25519_key(self.key)

    def check(self, text: bytes, signature: bytes) -> None:
        """Raise `NoteError` unless `signature` over the note text is of this key."""
        message = text
        if self.algorithm == COSIGNATURE:
            time, signature = split_cosignature(signature)
            message = cosigned_message(text, time)
        if not self.public.verifies(signature, message):
            raise NoteError(
                f"the signature of {shown(self.name)} does not fit the text",
                got=f"another text, or another key than {self}",
                expected="the text that was signed",
                todo="Somebody altered the note, or signed under a name that is not theirs",
            )

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Say whether `signature` over the note text is of this key."""
        try:
            self.check(text, signature)
        except NoteError:
            return False
        return True


def check_name(name: str) -> None:
    """Refuse what is no name of a key: empty, or with spaces, plus signs or control characters."""
    what = "the name of a key"
    check_control(name, what=what, error=NoteError)
    if not name or "+" in name or any(c.isspace() for c in name):
        raise NoteError(
            f"{what} cannot stand in a note",
            got=shown(name),
            expected="text without spaces and plus signs",
        )
