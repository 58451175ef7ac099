"""Public keys of OpenPGP, as a recipe holds them, and signatures by them (RFC 9580).

The recipe names by fingerprint the very keys that sign, primary ones or subkeys; nothing else makes
a key count. User ID and expiry are read from what the primary key signed of itself, since they are
reported. A key that its owner revoked is not used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from pipelines.judge.signatures.openpgp_packets import (
    Fields,
    KeyPacket,
    OpenPgpError,
    SignaturePacket,
    bodies,
    dearmored,
    packets,
    read_key,
    read_signature,
)

default_backend()  # elliptic keys import it when they verify, and a jail has no files to import
Feed = Callable[[Any], None]
"""Updates a hash with the bytes that are signed."""
DIGESTS: dict[int, hashes.HashAlgorithm] = {
    8: hashes.SHA256(),
    9: hashes.SHA384(),
    10: hashes.SHA512(),
    12: hashes.SHA3_256(),
    14: hashes.SHA3_512(),
}
_SALTS = {8: 16, 9: 24, 10: 32, 12: 16, 14: 32}
"""Sizes of the salts of signatures of version 6."""
_SELF_DIGESTS = {**DIGESTS, 2: hashes.SHA1()}  # noqa: S303  # the recipe pins these keys
_CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("2a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("2b81040022"): ec.SECP384R1(),
    bytes.fromhex("2b81040023"): ec.SECP521R1(),
}
_ED25519 = bytes.fromhex("2b06010401da470f01")
_RSA, _DSA, _ECDSA, _EDDSA, _PLAIN_ED25519, _PLAIN_ED448 = {1, 3}, 17, 19, 22, 27, 28
_SIGNATURE, _PRIMARY, _USER, _SUBKEY = 2, 6, 13, 14
_CERTIFIES, _DIRECT, _BINDS, _BOUND = range(0x10, 0x14), 0x1F, 0x18, 0x19
_REVOKES = (0x20, 0x28)
_EXPIRES, _EMBEDDED = 9, 32


@dataclass(frozen=True, kw_only=True)
class OpenPgpKey:
    """A key that can sign."""

    packet: KeyPacket
    user: str = ""
    """The first user ID that its primary key signed."""
    expires_on: datetime | None = None
    revoked: bool = False


def public_keys(armored: Iterable[str]) -> dict[str, OpenPgpKey]:
    """Return the keys by fingerprint; raises `OpenPgpError`.

    Only those that their primary key has signed are returned, and a subkey only if it signed that
    it belongs to it.
    """
    found: dict[str, OpenPgpKey] = {}
    for text in armored:
        data = dearmored(text.encode("ascii", "replace"))
        found.update(_keys(bodies(data, packets(data))))
    return found


def _keys(parts: list[tuple[int, bytes]]) -> dict[str, OpenPgpKey]:
    if [tag for tag, _ in parts[:1]] != [_PRIMARY]:
        raise OpenPgpError("an armored block that is no public key")
    primary = read_key(parts[0][1])
    found: dict[str, OpenPgpKey] = {}
    subject, about, user, said = primary, primary.framed, "", ""
    for tag, body in parts[1:]:
        if tag == _PRIMARY:
            raise OpenPgpError("two public keys in one armored block")
        if tag == _SUBKEY:
            subject = read_key(body)
            about = primary.framed + subject.framed
        elif tag == _USER:
            subject, about = primary, primary.framed + _user_id(body)
            said = body.decode("utf-8", "replace")
        elif tag == _SIGNATURE:
            kind = body[1:2]
            if kind and kind[0] in _REVOKES:
                found[subject.fingerprint] = OpenPgpKey(packet=subject, revoked=True)
                continue
            signature = _self_signature(body, primary, subject, about)
            if signature is None:
                continue
            if signature.kind in _CERTIFIES:
                user = user or said
            found = _with(found, subject, signature)
        else:
            about = b""  # an attribute, of which nothing is reported
    return {name: replace(key, user=user) for name, key in found.items()}


def _with(
    found: dict[str, OpenPgpKey], subject: KeyPacket, signature: SignaturePacket
) -> dict[str, OpenPgpKey]:
    before = found.get(subject.fingerprint) or OpenPgpKey(packet=subject)
    expires = [one.value for one in signature.hashed if one.kind == _EXPIRES]
    if expires and (seconds := int.from_bytes(expires[0], "big")):
        before = replace(before, expires_on=subject.created + timedelta(seconds=seconds))
    return {**found, subject.fingerprint: before}


def _user_id(body: bytes) -> bytes:
    return b"\xb4" + len(body).to_bytes(4, "big") + body


def _self_signature(
    body: bytes, primary: KeyPacket, subject: KeyPacket, about: bytes
) -> SignaturePacket | None:
    """Return a signature of the primary key on itself or on its subkey; None for any other."""
    own = subject is primary
    try:
        signature = read_signature(body)
        if not about or not (
            (signature.kind in _CERTIFIES and own)
            or (signature.kind == _DIRECT and own)
            or (signature.kind == _BINDS and not own)
        ):
            return None
        if signature.kind == _DIRECT:
            about = primary.framed
        verify_signature(signature, primary, lambda h: h.update(about), digests=_SELF_DIGESTS)
        if not own:
            (embedded,) = (read_signature(v) for v in signature.values(_EMBEDDED))
            if embedded.kind != _BOUND:
                return None
            verify_signature(embedded, subject, lambda h: h.update(about), digests=_SELF_DIGESTS)
    except (OpenPgpError, InvalidSignature, ValueError):
        return None
    return signature


def verify_signature(
    signature: SignaturePacket,
    key: KeyPacket,
    signed: Feed,
    digests: dict[int, hashes.HashAlgorithm] = DIGESTS,
) -> bytes:
    """Return the digest that a key signed.

    Raises `InvalidSignature`, or `OpenPgpError` for what is not read.
    """
    if signature.digest not in digests or signature.algorithm != key.algorithm:
        raise OpenPgpError(
            f"a signature by algorithm {signature.algorithm}, digest {signature.digest},"
            f" with a key of algorithm {key.algorithm}"
        )
    if signature.version == 6 and len(signature.salt) != _SALTS.get(signature.digest):
        raise OpenPgpError(f"a salt of {len(signature.salt)} bytes")
    digest = signed_digest(signature, signed, digests)
    _verify(key, Fields(signature.material), digest, digests[signature.digest])
    return digest


def signed_digest(
    signature: SignaturePacket, signed: Feed, digests: dict[int, hashes.HashAlgorithm] = DIGESTS
) -> bytes:
    """Return the digest of what a signature is over."""
    hashed = hashlib.new(digests[signature.digest].name.replace("sha3-", "sha3_"))
    hashed.update(signature.salt)
    signed(hashed)
    hashed.update(signature.covered + signature.trailer)
    return hashed.digest()


def _verify(key: KeyPacket, found: Fields, digest: bytes, by: hashes.HashAlgorithm) -> None:
    public = public_key(key)
    match public:
        case rsa.RSAPublicKey():
            value = found.mpi()
            found.end()
            size = (public.key_size + 7) // 8
            signature = value.to_bytes(max(size, (value.bit_length() + 7) // 8), "big")
            public.verify(signature, digest, padding.PKCS1v15(), Prehashed(by))
        case dsa.DSAPublicKey():
            signature = _pair(found)
            public.verify(signature, digest, Prehashed(by))
        case ec.EllipticCurvePublicKey():
            public.verify(_pair(found), digest, ec.ECDSA(Prehashed(by)))
        case ed25519.Ed25519PublicKey() if key.algorithm == _EDDSA:
            values = found.mpi(), found.mpi()
            found.end()
            public.verify(b"".join(_fixed(one, 32) for one in values), digest)
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            public.verify(found.rest(), digest)


def _pair(found: Fields) -> bytes:
    values = found.mpi(), found.mpi()
    found.end()
    return encode_dss_signature(*values)


def _fixed(value: int, size: int) -> bytes:
    if value.bit_length() > 8 * size:
        raise OpenPgpError("a number that is too large for its curve")
    return value.to_bytes(size, "big")


def public_key(
    key: KeyPacket,
) -> (
    rsa.RSAPublicKey
    | dsa.DSAPublicKey
    | ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
):
    """Return the key for `cryptography`; raises `OpenPgpError` or `ValueError`."""
    fields = Fields(key.material)
    match key.algorithm:
        case number if number in _RSA:
            modulus, exponent = fields.mpi(), fields.mpi()
            fields.end()
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
        case number if number == _DSA:
            p, q, g, y = (fields.mpi() for _ in range(4))
            fields.end()
            return dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key()
        case number if number in {_ECDSA, _EDDSA}:
            curve = fields.take(fields.number(1))
            point = fields.mpi()
            fields.end()
            encoded = point.to_bytes((point.bit_length() + 7) // 8, "big")
            if number == _EDDSA and curve == _ED25519 and encoded[:1] == b"\x40":
                return ed25519.Ed25519PublicKey.from_public_bytes(encoded[1:])
            if number == _ECDSA and curve in _CURVES:
                return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve], encoded)
            raise OpenPgpError(f"a key on a curve that is not read: {curve.hex()}")
        case number if number == _PLAIN_ED25519:
            return ed25519.Ed25519PublicKey.from_public_bytes(fields.rest())
        case number if number == _PLAIN_ED448:
            return ed448.Ed448PublicKey.from_public_bytes(fields.rest())
    raise OpenPgpError(f"a key of algorithm {key.algorithm}, which is not read")
