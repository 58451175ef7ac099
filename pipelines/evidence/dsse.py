"""DSSE envelopes: a payload, what it is, and who signed both.

Format: Dead Simple Signing Envelope v1 (protocol and envelope documents). The payload is handed on
only as the bytes that were signed; a key id is a hint and proves nothing. Stricter than the format
where it leaves a choice: standard base64 with padding, no unknown fields, one signature a key id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, ConfigDict, FailFast, Field, model_validator

from builders.core.digest import Digest, canonical_json
from builders.core.frozen_model import FrozenModel
from pipelines.evidence.errors import SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.strictbase64 import Base64
from pipelines.evidence.strictjson import malformed, printable, read_object, validate

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE = 12 << 20
MAX_SIGNATURES = 64
_WHAT = "the envelope"


class EnvelopeSigner(Protocol):
    """Whatever holds a private key."""

    @property
    def public(self) -> PublicKey:
        """Return the public part."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`."""


class Signature(FrozenModel):
    """One signature over the pre-authentication encoding."""

    keyid: Annotated[str, Field(max_length=256), AfterValidator(printable)] = ""
    sig: Annotated[Base64, Field(min_length=1, max_length=16 << 10)]


class Envelope(FrozenModel):
    """Payload and signatures; nothing is verified yet."""

    payload: Base64
    payload_type: Annotated[str, Field(alias="payloadType")] = PAYLOAD_TYPE
    signatures: Annotated[
        tuple[Signature, ...], Field(min_length=1, max_length=MAX_SIGNATURES), FailFast()
    ]

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    @model_validator(mode="after")
    def _one_a_key(self) -> Self:
        if len({s.keyid for s in self.signatures}) != len(self.signatures):
            raise ValueError("expected one signature a key id")
        return self

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Read an envelope; raises `MalformedError`."""
        return cls.from_dict(read_object(data, what=_WHAT, limit=MAX_ENVELOPE))

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, payload_type: str = PAYLOAD_TYPE) -> Envelope:
        """Read an envelope of that payload type from plain data; raises `MalformedError`."""
        if (named := data.get("payloadType")) != payload_type:
            raise malformed(_WHAT, got=f"payloadType {named!a:.120}", expected=payload_type)
        return validate(data, cls, what=_WHAT)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as DSSE writes it."""
        return self.model_dump(by_alias=True)

    def to_bytes(self) -> bytes:
        """Return the envelope as it is stored: canonical JSON."""
        return canonical_json(self.to_dict())

    def pae(self) -> bytes:
        """Return the bytes that are signed."""
        return pae(self.payload_type, self.payload)

    def digest(self) -> Digest:
        """Return the SHA-256 of what is signed: signatures can be added without changing it."""
        return Digest.of(self.pae())


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload: bytes, *signers: EnvelopeSigner) -> Envelope:
    """Return an envelope of an in-toto statement, signed by every one of `signers`."""
    message = pae(PAYLOAD_TYPE, payload)
    return envelope_of(payload, [(s.public.keyid, s.sign(message)) for s in signers])


def envelope_of(
    payload: bytes, signatures: Iterable[tuple[str, bytes]], *, payload_type: str = PAYLOAD_TYPE
) -> Envelope:
    """Return an envelope with signatures by key id; raises `MalformedError`."""
    listed = tuple({"keyid": keyid, "sig": sig} for keyid, sig in signatures)
    fields = {"payload": payload, "payloadType": payload_type, "signatures": listed}
    return validate(fields, Envelope, what=_WHAT)


def verify_envelope(
    envelope: Envelope, keys: Sequence[PublicKey], *, threshold: int = 1
) -> tuple[PublicKey, ...]:
    """Return the distinct `keys` that signed; raises `SignatureError` below `threshold`.

    An empty set of keys and a threshold below one are refused: they would verify anything.
    """
    if not 1 <= threshold <= len({key.material for key in keys}):
        raise SignatureError(
            "an envelope cannot be verified",
            got=f"{len(keys)} keys and a threshold of {threshold}",
            expected="a threshold of at least one, and as many different keys",
            todo="Name the keys that are trusted",
        )
    message = envelope.pae()
    found: dict[str, PublicKey] = {}
    for signature in envelope.signatures:
        named = [key for key in keys if key.keyid == signature.keyid]
        for key in named or keys:
            if key.verifies(signature.sig, message):
                found.setdefault(key.material, key)
                break
    if len(found) < threshold:
        signers = ", ".join(ascii(s.keyid)[1:-1][:16] for s in envelope.signatures)
        raise SignatureError(
            "an envelope is not signed by the known keys",
            got=f"{len(found)} good signatures; it names the keys {signers}",
            expected=f"{threshold} of the keys {', '.join(key.keyid[:16] for key in keys)}",
            todo="Altered, or signed by somebody else: do not rely on it",
        )
    return tuple(found.values())
