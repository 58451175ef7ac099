"""Messages between a center and its signer: four bytes of length, big-endian, then one JSON object.

A message has a largest size, and a deadline as a whole, so that neither side can block the other.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from typing import Any

from pydantic import ValidationError

from builders.core.digest import canonical_json
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.errors import EvidenceError, MalformedError, RefusedError, SignerError
from pipelines.evidence.strictjson import malformed, read_object
from pipelines.signer.orders import MAX_ORDER, TreeHead

MAX_ANSWER = 256 << 20
MAX_ENVELOPES = 25_000
SECONDS = 60.0
"""For one message to arrive once it has begun."""
_LENGTH = struct.Struct(">I")
_PIECE = 1 << 16
_SIGNATURE = re.compile(r"(?:[0-9a-f]{2}){1,4096}")


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


def statements_answer(envelopes: list[Envelope]) -> bytes:
    """Return the answer that carries signed statements."""
    return canonical_json({"envelopes": [envelope.to_dict() for envelope in envelopes]})


def note_answer(signature: bytes) -> bytes:
    """Return the answer that carries the signature of a checkpoint."""
    return canonical_json({"signature": signature.hex()})


def newest_answer(newest: TreeHead | None) -> bytes:
    """Return the answer that carries the newest signed tree."""
    return canonical_json({"newest": newest.model_dump(mode="json") if newest else None})


def refusal_answer(error: EvidenceError) -> bytes:
    """Return the answer that says why nothing is signed."""
    check = error.check if isinstance(error, RefusedError) else "schema"
    return canonical_json({"refused": {"check": check, "message": str(error)[:4000]}})


def fault_answer(message: str) -> bytes:
    """Return the answer for an error of the signer itself."""
    return canonical_json({"fault": message[:4000]})


def read_answer(data: bytes) -> list[Envelope]:
    """Read signed statements; raises `RefusedError` for a refusal, or else `SignerError`."""
    document = _read(data)
    try:
        match document:
            case {"envelopes": list(found), **rest} if not rest and 0 < len(found) <= MAX_ENVELOPES:
                return [_envelope(entry) for entry in found]
    except MalformedError as error:
        raise _improper(error) from error
    raise _improper("other fields")


def read_note_answer(data: bytes) -> bytes:
    """Read the signature of a checkpoint; raises as `read_answer` does."""
    match _read(data):
        case {"signature": str(text), **rest} if not rest and _SIGNATURE.fullmatch(text):
            return bytes.fromhex(text)
    raise _improper("other fields")


def read_newest_answer(data: bytes) -> TreeHead | None:
    """Read the newest signed tree; raises as `read_answer` does."""
    match _read(data):
        case {"newest": None, **rest} if not rest:
            return None
        case {"newest": dict(found), **rest} if not rest:
            try:
                return TreeHead.model_validate(found)
            except ValidationError as error:
                raise _improper("no size and root") from error
    raise _improper("other fields")


def _read(data: bytes) -> dict[str, Any]:
    """Read an answer that is neither a refusal nor a fault."""
    try:
        document = read_object(data, what="the signer's answer", limit=MAX_ANSWER)
        match document:
            case {"refused": {"check": str(check), "message": str(message), **odd}, **rest} if not (
                odd or rest
            ):
                plain = message.removeprefix(f"the signer refuses ({check}): ")
                raise RefusedError(plain, check=check)
            case {"fault": str(message), **rest} if not rest:
                raise SignerError("the signer has failed", got=message)
    except MalformedError as error:
        raise _improper(error) from error
    return document


def _improper(got: object) -> SignerError:
    return SignerError("the signer's answer is malformed", got=got)


def _envelope(entry: Any) -> Envelope:
    if not isinstance(entry, dict):
        raise malformed("an envelope", got=type(entry).__name__, expected="an object")
    return Envelope.from_dict(entry)


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
