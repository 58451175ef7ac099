"""DSSE envelopes: a payload, what it is, and who signed both.

Format: Dead Simple Signing Envelope v1 (protocol and envelope documents). The payload is handed on
only as the bytes that were signed; a key id is a hint and proves nothing. Stricter than the format
where it leaves a choice: standard base64 with padding, no unknown fields, one signature a key id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.errors import SignatureError
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.strictbase64 import decode_base64, encode_base64
from pipelines.evidence.strictjson import malformed, read_object

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE = 12 << 20
MAX_SIGNATURES = 64
_MAX_SIGNATURE = 16 << 10
_WHAT = "the envelope"


class EnvelopeSigner(Protocol):
    """Whatever holds a private key."""

    @property
    def public(self) -> PublicKey:
        """Return the public part."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One signature over the pre-authentication encoding."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Payload and signatures; nothing is verified yet."""

    payload: bytes
    payload_type: str = PAYLOAD_TYPE
    signatures: tuple[Signature, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Read an envelope; raises `MalformedError`."""
        return cls.from_dict(read_object(data, what=_WHAT, limit=MAX_ENVELOPE))

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, payload_type: str = PAYLOAD_TYPE) -> Envelope:
        """Read an envelope of that payload type from plain data; raises `MalformedError`."""
        _check_fields(data, {"payload", "payloadType", "signatures"}, _WHAT)
        signatures = data["signatures"]
        if data["payloadType"] != payload_type:
            got = f"payloadType {data['payloadType']!a:.120}"
            raise malformed(_WHAT, got=got, expected=payload_type)
        if not isinstance(signatures, list) or not 1 <= len(signatures) <= MAX_SIGNATURES:
            raise malformed(
                _WHAT,
                got=f"{len(signatures)} signatures" if isinstance(signatures, list) else "none",
                expected=f"1 to {MAX_SIGNATURES} signatures",
            )
        found = tuple(_signature(entry) for entry in signatures)
        if len({s.keyid for s in found}) != len(found):
            raise malformed(_WHAT, got="two signatures under one key id", expected="one a key")
        return cls(
            payload=_unbase64(data["payload"], "payload"),
            payload_type=payload_type,
            signatures=found,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as DSSE writes it."""
        return {
            "payload": encode_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": s.keyid, "sig": encode_base64(s.sig)} for s in self.signatures
            ],
        }

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
    return Envelope(
        payload=payload,
        signatures=tuple(Signature(keyid=s.public.keyid, sig=s.sign(message)) for s in signers),
    )


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


def _signature(entry: object) -> Signature:
    what = "a signature"
    if not isinstance(entry, dict):
        raise malformed(what, got=type(entry).__name__, expected="an object")
    _check_fields(entry, {"sig"} | ({"keyid"} & entry.keys()), what)
    keyid = entry.get("keyid", "")
    if not isinstance(keyid, str) or len(keyid) > 256 or not keyid.isprintable():
        raise malformed(what, got="another keyid", expected="at most 256 printable characters")
    sig = _unbase64(entry["sig"], "sig")
    if not 0 < len(sig) <= _MAX_SIGNATURE:
        raise malformed(what, got=f"{len(sig)} bytes", expected=f"1 to {_MAX_SIGNATURE} bytes")
    return Signature(keyid=keyid, sig=sig)


def _check_fields(data: dict[str, Any], expected: set[str], what: str) -> None:
    if data.keys() != expected:
        odd = min(data.keys() ^ expected)
        got = f"{'unknown' if odd in data else 'no'} field {odd!a:.80}"
        raise malformed(what, got=got, expected=f"the fields {', '.join(sorted(expected))}")


def _unbase64(value: object, field: str) -> bytes:
    try:
        return decode_base64(value if isinstance(value, str) else "!")
    except ValueError as error:
        raise malformed(
            _WHAT, got=f"another {field}", expected="standard base64 in its canonical form"
        ) from error
