"""Messages between a center and its signer: four bytes of length, big-endian, then one JSON object.

A message has a largest size, and a deadline as a whole, so that neither side can block the other.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Annotated, Self

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from builders.core.digest import canonical_json
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import EvidenceError, MalformedError, RefusedError, SignerError
from pipelines.evidence.strictjson import malformed, read_model
from pipelines.signer.orders import MAX_ORDER, TreeHead

MAX_ANSWER = 256 << 20
SECONDS = 60.0
"""For one message to arrive once it has begun."""
_LENGTH = struct.Struct(">I")
_PIECE = 1 << 16


def _read_envelope(value: object) -> Envelope:
    if isinstance(value, Envelope):
        return value
    return Envelope.from_dict(value if isinstance(value, dict) else {})


_SignedStatement = Annotated[
    Envelope, PlainValidator(_read_envelope), PlainSerializer(Envelope.to_dict)
]


def send(connection: socket.socket, data: bytes, *, seconds: float = SECONDS) -> None:
    """Send one message; raises `SignerError`."""
    connection.settimeout(seconds)
    try:
        connection.sendall(_LENGTH.pack(len(data)) + data)
    except OSError as error:
        raise _broken(error) from error


def receive(
    connection: socket.socket,
    *,
    limit: int = MAX_ORDER,
    patience: float = SECONDS,
    seconds: float = SECONDS,
) -> bytes | None:
    """Receive one message; None when the peer closed the connection before it began one.

    `patience` is how long it may take to begin. Raises `SignerError` for a peer that stops half-way
    and `MalformedError` for a message above `limit` bytes.
    """
    deadline = time.monotonic() + patience
    first = _exactly(connection, 1, deadline)
    if not first:
        return None
    deadline = time.monotonic() + seconds
    header = first + _whole(connection, _LENGTH.size - 1, deadline)
    (size,) = _LENGTH.unpack(header)
    if size > limit:
        raise malformed("the message", got=f"{size} bytes", expected=f"at most {limit} bytes")
    return _whole(connection, size, deadline)


class SignerRefusal(FrozenModel):
    """Why nothing was signed: the rule that is broken, and the message."""

    check: str
    message: str


class SignerAnswer(FrozenModel):
    """What a signer answers: exactly one of these fields is set."""

    envelopes: Annotated[tuple[_SignedStatement, ...], Field(min_length=1, max_length=25_000)] = ()
    signature: Annotated[str, Field(pattern="^([0-9a-f]{2})+$", max_length=8192)] = ""
    """Of a checkpoint, as hexadecimal digits."""
    newest: TreeHead | None = None
    refused: SignerRefusal | None = None
    fault: str = ""
    """An error of the signer itself."""

    @model_validator(mode="after")
    def _one_field(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("expected one field")
        return self

    def to_bytes(self) -> bytes:
        """Return the message that `read_answer` reads: canonical JSON."""
        return canonical_json(self.model_dump(mode="json", exclude_unset=True))


def refusal(error: EvidenceError) -> SignerAnswer:
    """Return the answer that says why nothing is signed."""
    check = error.check if isinstance(error, RefusedError) else "schema"
    return SignerAnswer(refused=SignerRefusal(check=check, message=str(error)[:4000]))


def read_answer(data: bytes, field: str) -> SignerAnswer:
    """Read an answer with `field`; raises `RefusedError` for a refusal, or else `SignerError`."""
    try:
        answer = read_model(data, SignerAnswer, what="the signer's answer", limit=MAX_ANSWER)
    except MalformedError as error:
        raise SignerError("the signer's answer is malformed", got=error) from error
    if answer.refused is not None:
        check = answer.refused.check
        plain = answer.refused.message.removeprefix(f"the signer refuses ({check}): ")
        raise RefusedError(check, plain)
    if "fault" in answer.model_fields_set:
        raise SignerError("the signer has failed", got=answer.fault)
    if field not in answer.model_fields_set:
        got = ", ".join(answer.model_fields_set)
        raise SignerError("the signer's answer is malformed", got=got, expected=field)
    return answer


def _whole(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = _exactly(connection, size, deadline)
    if len(data) < size:
        raise SignerError(
            "a message ends in the middle", got=f"{len(data)} bytes", expected=f"{size} bytes"
        )
    return data


def _exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise SignerError("a message takes too long", got=f"{len(data)} of {size} bytes")
        connection.settimeout(left)
        try:
            piece = connection.recv(min(size - len(data), _PIECE))
        except OSError as error:
            raise _broken(error) from error
        if not piece:
            break
        data += piece
    return bytes(data)


def _broken(error: OSError) -> SignerError:
    return SignerError(
        "the connection to the signer broke",
        got=error.strerror or "no answer in time",
        todo="See the signer's own messages, and run again",
    )
