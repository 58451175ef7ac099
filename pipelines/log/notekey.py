"""The keys of notes (C2SP signed-note): a name, an algorithm, 32 bytes of Ed25519.

Two algorithms are known: plain Ed25519 signatures (0x01), as logs make them, and timestamped
cosignatures (0x04, C2SP tlog-cosignature, cosignature/v1), as witnesses do. The key id commits to
name and algorithm, so that one key used both ways has two ids.

A cosignature says: at that time, this was the largest consistent tree of that log that I have seen.
The signed message is a header, the time, and the whole text of the checkpoint; the signature in the
note is the time as eight bytes and 64 bytes of Ed25519.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from pipelines.evidence.errors import KeyFileError, MalformedError
from pipelines.evidence.publickey import PublicKey, check_point, ed25519_key
from pipelines.evidence.strictbase64 import encode_base64
from pipelines.log.errors import NoteError
from pipelines.log.text import check_control, check_range, check_size, parse_base64, shown

ED25519 = 0x01
COSIGNATURE = 0x04
ID_SIZE = 4
MAX_NAME = 512
"""Bytes of a key's name; the C2SP texts set no limit."""
MAX_TIME = (1 << 63) - 1
_TIME_SIZE = 8
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
        check_size(self.key, 32, what=f"the Ed25519 key of {_WHAT}", error=NoteError)

    @classmethod
    def parse(cls, vkey: str, algorithm: int | None = None) -> NoteKey:
        """Read `<name>+<id>+<base64 of algorithm and key>`, a key of `algorithm` if that is given.

        Raises `NoteError`.
        """
        parts = vkey.split("+", 2)  # base64 has plus signs of its own
        if len(parts) != 3:
            raise NoteError(f"{_WHAT} has not three parts", got=shown(vkey), expected="name+id+key")
        name, key_id, encoded = parts
        data = parse_base64(encoded, what=f"the key of {_WHAT}", error=NoteError)
        if not data:
            raise NoteError(f"{_WHAT} is empty", got=shown(vkey), expected="name+id+key")
        key = cls(name=name, algorithm=data[0], key=data[1:])
        try:
            check_point(key.key)
        except MalformedError as error:
            raise NoteError(
                f"the key of {_WHAT} cannot be used", got=shown(vkey), expected=error.expected
            ) from error
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

    @classmethod
    def of(cls, name: str, algorithm: int, public: PublicKey) -> NoteKey:
        """Return a public key under a name; raises `KeyFileError` unless it is Ed25519."""
        if public.keytype != "ed25519":
            raise KeyFileError(
                "notes are signed with Ed25519",
                got=f"a key of type {public.keytype}",
                expected="ed25519",
                todo="Make a key for this use with `samebits center init`",
            )
        return cls(name=name, algorithm=algorithm, key=bytes.fromhex(public.value))

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
                todo="The note was altered, or signed under the name of another key",
            )


def check_name(name: str) -> None:
    """Refuse what is no name of a key: empty, or with spaces, plus signs or control characters."""
    what = "the name of a key"
    check_control(name, what=what, error=NoteError)
    if not name or "+" in name or any(c.isspace() for c in name):
        raise NoteError(
            f"{what} cannot be used in a note",
            got=shown(name),
            expected="text without spaces and plus signs",
        )


def cosigned_message(text: bytes, time: int) -> bytes:
    """Return what is signed for a checkpoint's text at `time`, in seconds since 1970 UTC."""
    _check_time(time)
    return b"cosignature/v1\ntime %d\n%b" % (time, text)


def pack_cosignature(time: int, signature: bytes) -> bytes:
    """Return a cosignature as a note has it after the key id."""
    _check_time(time)
    check_size(signature, 64, what="the signature of a cosignature", error=NoteError)
    return time.to_bytes(_TIME_SIZE, "big") + signature


def split_cosignature(data: bytes) -> tuple[int, bytes]:
    """Return the time and the signature of a cosignature; raises `NoteError`."""
    check_size(data, _TIME_SIZE + 64, what="a cosignature", error=NoteError)
    time = int.from_bytes(data[:_TIME_SIZE], "big")
    _check_time(time)
    return time, data[_TIME_SIZE:]


def _check_time(time: int) -> None:
    what = "a cosignature has a time that does not exist"
    check_range(time, 0, MAX_TIME, what=what, error=NoteError)
