"""The types of a policy's fields: how each is read from text, and how it is written again.

In YAML a key may be the path of a public key file. In a signed policy every key is inline, in one
form: PEM for Ed25519, key JSON for everything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
)

from builders.core.errors import RecipeError
from builders.core.smallfile import read_small_file
from builders.core.units import Duration, between, parse_duration
from builders.core.yamlfile import FieldError
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import MAX_KEY_FILE, PublicKey, read_public_key
from pipelines.log.notekey import COSIGNATURE, ED25519, NoteKey
from pipelines.policy.quorum import Quorum, QuorumError

MAX_LOG_SIZE = (1 << 53) - 1
MAX_CENTERS = 200
_INLINE = ("-----BEGIN ", "{")
_Value = TypeVar("_Value")


def key_text(key: PublicKey) -> str:
    """Return a key in the form of signed policies.

    PEM does not name the scheme; only Ed25519 has just one.
    """
    data = key.to_pem() if key.keytype == "ed25519" else key.to_json()
    return data.decode()


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        message = "expected one line of printable text"
        raise ValueError(message)
    return text


def _read_key(value: object, info: ValidationInfo) -> PublicKey:
    """Read a key; the context of the validation is the folder of key files, or None."""
    text = value if isinstance(value, str) else ""
    try:
        if text.lstrip().startswith(_INLINE):
            return read_public_key(text.encode())
        if text and "\0" not in text and isinstance(folder := info.context, Path):
            path = folder / text
            return read_public_key(read_small_file(path, limit=MAX_KEY_FILE, file=str(path)))
    except (RecipeError, EvidenceError) as error:
        todo = "`samebits review key` makes a key; its .pub file belongs here"
        what = f"the key cannot be used: {error.what}"
        raise FieldError(what, got=error.got, expected=error.expected, todo=todo) from error
    raise FieldError("no key", got=ascii(value)[:80], expected="PEM text, or key JSON")


def _note_key(algorithm: int) -> PlainValidator:
    def read(value: object) -> NoteKey:
        try:
            return NoteKey.parse(value if isinstance(value, str) else "", algorithm)
        except EvidenceError as error:
            raise FieldError(error.what, got=error.got, expected=error.expected) from error

    return PlainValidator(read)


def _read_quorum(value: object) -> Quorum:
    if not isinstance(value, str):
        raise FieldError("expected the lines of C2SP tlog-policy")
    try:
        return Quorum.parse(value)
    except QuorumError as error:
        if "\n" not in value:  # only a block begins below its key
            error.line = 0
        raise


Minimum = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=1, le=MAX_CENTERS)]
LogSize = Annotated[int, Field(ge=0, le=MAX_LOG_SIZE)]
RootHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_printable)]
SortedSet = Annotated[frozenset[_Value], PlainSerializer(sorted)]
Key = Annotated[PublicKey, PlainValidator(_read_key), PlainSerializer(key_text)]
LogKey = Annotated[NoteKey, _note_key(ED25519), PlainSerializer(str)]
WitnessKey = Annotated[NoteKey, _note_key(COSIGNATURE), PlainSerializer(str)]
Demand = Annotated[
    Literal["optional", "required"] | None, Field(exclude_if=lambda rule: rule is None)
]
"""None is as optional, and left out, as in policies that were signed before there was the rule."""
MinEvidence = Annotated[int | None, Field(ge=1, le=2, exclude_if=lambda version: version is None)]
"""None is as 1, and left out, as in policies that were signed before there was a version 2."""
MaxOpen = Annotated[
    Duration | None, between("1h", "8760h", parse_duration), Field(exclude_if=lambda time: not time)
]
"""Seconds. None is as 24 h, and left out, as in policies that were signed before there was one."""
QuorumText = Annotated[Quorum, PlainValidator(_read_quorum), PlainSerializer(Quorum.to_text)]
