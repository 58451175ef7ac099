"""The keys of logs and witnesses: vkeys of C2SP signed-note, of the algorithm for that use."""

from __future__ import annotations

from pipelines.log.errors import NoteError
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey

_WORDS = {
    ED25519: f"a log's key, of type {ED25519:#04x}",
    COSIGNATURE: f"a witness's key, of type {COSIGNATURE:#04x}",
}


def log_key(vkey: str) -> NoteKey:
    """Read the key of a log; raises `NoteError`."""
    return _read(vkey, ED25519)


def witness_key(vkey: str) -> NoteKey:
    """Read the key of a witness; raises `NoteError`."""
    return _read(vkey, COSIGNATURE)


def _read(vkey: str, algorithm: int) -> NoteKey:
    key = NoteKey.parse(vkey)
    if key.algorithm != algorithm:
        raise NoteError(
            "a key is for another use", got=f"type {key.algorithm:#04x}", expected=_WORDS[algorithm]
        )
    return key
