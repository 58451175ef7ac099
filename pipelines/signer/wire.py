"""How a center calls its signer over a Unix socket: the messages, and the caller's side.

A message is four bytes of length, big-endian, then one JSON object. It has a largest size, and a
deadline as a whole, so that neither side can block the other.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from builders.core.digest import Digest, canonical_json
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import EvidenceError, MalformedError, RefusedError, SignerError
from pipelines.evidence.strictjson import malformed, read_model
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.notekey import NoteKey
from pipelines.signer.orders import (
    MAX_ORDER,
    CheckpointOrder,
    Evidence,
    NewestOrder,
    Order,
    StatusOrder,
    TreeHead,
)

MAX_ANSWER = 256 << 20
SECONDS = 60.0
"""For one message to arrive once it has begun."""
PATIENCE = 3600.0
"""Seconds that a signer may take to hash the bytes of a large release."""
_LENGTH = struct.Struct(">I")
_PIECE = 1 << 16


def _read_envelope(value: object) -> Envelope:
    if isinstance(value, Envelope):
        return value
    return Envelope.from_dict(value if isinstance(value, dict) else {})


_SignedStatement = Annotated[
    Envelope, PlainValidator(_read_envelope), PlainSerializer(Envelope.to_dict)
]


def send(connection: socket.socket, data: bytes) -> None:
    """Send one message; raises `SignerError`."""
    connection.settimeout(SECONDS)
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


@dataclass(frozen=True)
class SocketSigner:
    """Asks the signer that listens on the Unix socket at `path`; a `CenterSigner`."""

    path: Path

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run.

        Raises `RefusedError` when the signer does not agree, `SignerError` when none answers.
        """
        return list(self.ask(evidence, "envelopes").envelopes)

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of status; raises as `sign` does."""
        envelopes = self.ask(order, "envelopes").envelopes
        if len(envelopes) != 1 or envelopes[0].payload != order.statement:
            raise SignerError(
                "the signer signed another statement", expected="the one in the order"
            )
        return envelopes[0]

    def checkpoint_signer(self, key: NoteKey) -> SocketCheckpointSigner:
        """Return the signer of the center's log, whose key is `key`."""
        return SocketCheckpointSigner(self, key)

    def ask(self, order: Order, field: str) -> SignerAnswer:
        """Return the answer to an order, with that field; raises as `sign` does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(str(self.path))
            except (OSError, ValueError) as error:
                raise SignerError(
                    f"no signer listens on {self.path}",
                    got=getattr(error, "strerror", None) or error,
                    todo="Run `samebits center run signer`, or correct `signer` in its file",
                ) from error
            send(connection, order.to_bytes())
            data = receive(connection, limit=MAX_ANSWER, patience=PATIENCE)
        if data is None:
            raise SignerError(
                "the signer closed the connection",
                todo="See the signer's own messages: may this user call it?",
            )
        return read_answer(data, field)


@dataclass(frozen=True)
class SocketCheckpointSigner:
    """Has each checkpoint signed by a center's signer; a `CheckpointSigner`."""

    signer: SocketSigner
    key: NoteKey

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that was signed, or None."""
        head = self.signer.ask(NewestOrder(), "newest").newest
        return None if head is None else head.checkpoint(self.key.name)

    def sign(self, old: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes:
        """Return the signature over the text of `new`."""
        order = CheckpointOrder(
            old=None if old is None else TreeHead.of(old),
            new=TreeHead.of(new),
            proof=tuple(Digest(found.hex()) for found in proof),
        )
        return bytes.fromhex(self.signer.ask(order, "signature").signature)


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
