"""Signed notes (C2SP signed-note): text, and lines of signatures below it.

Reading is strict, and writing gives the same bytes again. Only `open_note` verifies signatures;
`Note.parse` verifies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipelines.evidence.dsse import EnvelopeSigner
from pipelines.evidence.strictbase64 import encode_base64
from pipelines.log.errors import NoteError
from pipelines.log.notekey import (
    COSIGNATURE,
    ED25519,
    ID_SIZE,
    NoteKey,
    check_name,
    cosigned_message,
    pack_cosignature,
)
from pipelines.log.text import check_control, check_range, parse_base64, parse_text, shown

__all__ = ["Note", "NoteKey", "NoteSignature", "NoteSigner", "open_note", "sign_note"]

MAX_NOTE = 256 << 10
"""Bytes of a note: 16 signatures of the largest known kind fit twice."""
MAX_SIGNATURES = 64
_DASH = "\N{EM DASH}"
_WHAT = "the note"


class NoteSigner:
    """Signs notes as `name`: as a log, or as a witness at the time that a `clock` gives in UTC."""

    def __init__(
        self, name: str, private: EnvelopeSigner, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Raise `KeyFileError` unless `private` is an Ed25519 key, `NoteError` for a bad name."""
        self.key = NoteKey.of(name, COSIGNATURE if clock else ED25519, private.public)
        self._private, self._clock = private, clock

    def sign(self, text: bytes) -> bytes:
        """Return the signature over a note's text, as the note has it after the key id."""
        if self._clock is None:
            return self._private.sign(text)
        time = int(self._clock().timestamp())
        return pack_cosignature(time, self._private.sign(cosigned_message(text, time)))


@dataclass(frozen=True, kw_only=True)
class NoteSignature:
    """One signature: `name` and `id` (4 bytes) name the key, `data` is the signature itself."""

    name: str
    id: bytes
    data: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.id) != ID_SIZE or not self.data:
            raise NoteError(
                "a signature is cut off",
                got=f"{len(self.id)} bytes of key id and {len(self.data)} of signature",
                expected=f"{ID_SIZE} bytes of key id, and a signature",
            )

    def is_by(self, key: NoteKey) -> bool:
        """Say whether name and id are those of `key`; this verifies nothing."""
        return (self.name, self.id) == (key.name, key.id)

    def to_line(self) -> str:
        """Return the line in the note."""
        return f"{_DASH} {self.name} {encode_base64(self.id + self.data)}\n"


@dataclass(frozen=True)
class Note:
    """A text that ends in a newline, and signatures that are not verified yet."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        check_control(self.text, what=f"the text of {_WHAT}", error=NoteError)
        if not self.text.endswith("\n"):
            raise NoteError(
                f"the text of {_WHAT} ends within a line",
                got=shown(self.text[-40:]),
                expected="a newline at the end",
            )
        what = f"{_WHAT} has too few or too many signatures"
        check_range(len(self.signatures), 1, MAX_SIGNATURES, what=what, error=NoteError)

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note, verifying nothing; raises `NoteError`."""
        whole = parse_text(data, what=_WHAT, limit=MAX_NOTE, error=NoteError)
        text, blank, below = whole.rpartition("\n\n")
        if not blank:
            raise NoteError(f"{_WHAT} is not signed", got="no blank line", expected="signatures")
        if not below.endswith("\n"):
            raise NoteError(
                f"{_WHAT} ends within a line", got=shown(below[-40:]), expected="a newline"
            )
        return cls(text + "\n", tuple(_read_line(line) for line in below[:-1].split("\n")))

    def to_bytes(self) -> bytes:
        """Return the note; `parse` gives an equal value, and this the same bytes."""
        return f"{self.text}\n{''.join(s.to_line() for s in self.signatures)}".encode()

    def signed_by(self, signer: NoteSigner) -> Note:
        """Return the note with a new signature, in place of the one that the same key had made."""
        kept = [s for s in self.signatures if not s.is_by(signer.key)]
        return Note(self.text, (*kept, *_signatures(self.text, [signer])))


def open_note(data: bytes, keys: Iterable[NoteKey]) -> Note:
    """Return the note with the signatures of `keys` alone, each verified and each key once.

    Raises `NoteError` when none of `keys` has signed, or when the signature of one of them is bad.
    """
    known = _by_name(keys)
    note = Note.parse(data)
    found: dict[NoteKey, NoteSignature] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.id))
        if key is not None:
            key.check(note.text.encode(), signature.data)
            found.setdefault(key, signature)
    if not found:
        raise NoteError(
            f"{_WHAT} is not signed by a known key",
            got=", ".join(shown(s.name) for s in note.signatures),
            expected=" or ".join(str(key) for key in known.values()),
        )
    return Note(note.text, tuple(found.values()))


def sign_note(text: str, *signers: NoteSigner) -> bytes:
    """Return the note of `text`, which ends in a newline, with one signature of each signer."""
    return Note(text, _signatures(text, signers)).to_bytes()


def _signatures(text: str, signers: Sequence[NoteSigner]) -> tuple[NoteSignature, ...]:
    data = text.encode()
    return tuple(NoteSignature(name=s.key.name, id=s.key.id, data=s.sign(data)) for s in signers)


def _read_line(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH:
        raise NoteError(
            "a line below the note is no signature",
            got=shown(line),
            expected="em dash, name and base64, one space between them",
        )
    data = parse_base64(parts[2], what="a signature", error=NoteError)
    return NoteSignature(name=parts[1], id=data[:ID_SIZE], data=data[ID_SIZE:])


def _by_name(keys: Iterable[NoteKey]) -> dict[tuple[str, bytes], NoteKey]:
    """Return the keys by name and id; two keys that share both would make a signature ambiguous."""
    known: dict[tuple[str, bytes], NoteKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise NoteError(
                "two keys share a name and an id", got=key, expected=known[key.name, key.id]
            )
    if not known:
        raise NoteError("there is no key to open the note with", got=0, expected="one or more")
    return known
