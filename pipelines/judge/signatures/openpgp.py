"""OpenPGP signatures: verified over given bytes by the keys that a recipe pins (RFC 9580).

No key ring, no network and no date decides. Outside of what is signed, a signature may only name
its signer, rightly; all other bytes of it follow from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.openpgp_keys import (
    DIGESTS,
    Feed,
    OpenPgpKey,
    public_keys,
    signed_digest,
    verify_signature,
)
from pipelines.judge.signatures.openpgp_packets import (
    OpenPgpError,
    Packet,
    SignaturePacket,
    key_id,
    packets,
    read_signature,
)
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    Signer,
    Uncovered,
)

BINARY, TEXT = 0x00, 0x01
"""Types of signatures."""
_OVER = {BINARY: "bytes", TEXT: "text"}
_SIGNATURE = 2
_ISSUER, _ISSUER_FINGERPRINT = 16, 33
_UNDERSTOOD = frozenset({2, 3, 4, 16, 24, 26, 28, 33})
"""Hashed subpackets that may be critical: nothing in them makes a signature count for less here."""
_MAX_SIGNATURES = 64


@dataclass(frozen=True, kw_only=True)
class OpenPgp:
    """One signature that verified, and what of its packet it does not cover."""

    signer: Signer
    uncovered: tuple[Uncovered, ...]


def verify_openpgp(
    data: bytes, signed: Feed, pinned: PinnedSignature, kind: int = BINARY
) -> tuple[OpenPgp, ...]:
    """Verify all signatures in packets that hold nothing else; `signed` feeds what they are over.

    Raises `BadSignatureError`.
    """
    try:
        keys = public_keys(pinned.public_keys)
        return tuple(_verified(data, one, signed, pinned, keys, kind) for one in _signatures(data))
    except (OpenPgpError, UnsupportedAlgorithm, ValueError) as error:
        detail = f"an OpenPGP signature that cannot be read: {error}"
        raise BadSignatureError(SignatureFault.UNREADABLE, detail) from error


def signing_keys(data: bytes) -> Iterator[str]:
    """Yield the fingerprint, or the key ID, that each signature names; raises `OpenPgpError`."""
    for packet in packets(data):
        signature = read_signature(data[packet.begin : packet.end])
        whole = [one[1:] for one in signature.values(_ISSUER_FINGERPRINT)]
        yield from (one.hex() for one in whole or signature.values(_ISSUER))


def _signatures(data: bytes) -> list[Packet]:
    found = packets(data)
    if not found:
        raise BadSignatureError(SignatureFault.MISSING, "no OpenPGP packet")
    if len(found) > _MAX_SIGNATURES:
        raise OpenPgpError(f"{len(found)} packets, at most {_MAX_SIGNATURES}")
    others = [one.tag for one in found if one.tag != _SIGNATURE]
    if others:
        what = f"OpenPGP packets beside the signatures, of types {others}"
        raise BadSignatureError(SignatureFault.SLACK, what)
    return found


def _verified(
    data: bytes,
    packet: Packet,
    signed: Feed,
    pinned: PinnedSignature,
    keys: dict[str, OpenPgpKey],
    kind: int,
) -> OpenPgp:
    signature = read_signature(data[packet.begin : packet.end])
    if signature.kind != kind:
        raise OpenPgpError(f"a signature of type {signature.kind}, expected one over {_OVER[kind]}")
    if signature.digest not in DIGESTS:
        what = f"OpenPGP digest {signature.digest}, expected SHA-256 or better"
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, what)
    _check_subpackets(signature)
    fingerprint = _signer(signature, pinned, keys)
    _check_signature(signature, keys[fingerprint], signed)
    key = keys[fingerprint]
    return OpenPgp(
        signer=Signer(
            certificate=Digest(fingerprint) if len(fingerprint) == 64 else fingerprint,
            subject=key.user[:512],
            not_before=key.packet.created,
            not_after=key.expires_on,
        ),
        uncovered=tuple(_uncovered(packet, signature)),
    )


def _check_subpackets(signature: SignaturePacket) -> None:
    unknown = [one.kind for one in signature.hashed if one.critical and one.kind not in _UNDERSTOOD]
    if unknown:
        what = f"critical OpenPGP subpackets of types {unknown}"
        raise BadSignatureError(SignatureFault.UNKNOWN_CRITICAL, what)
    loose = [one.kind for one in signature.unhashed]
    others = [one for one in loose if one not in {_ISSUER, _ISSUER_FINGERPRINT}]
    if others:
        what = f"OpenPGP subpackets that are not signed, of types {others}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, what)
    if len(loose) > len(set(loose)):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a subpacket that is there twice")


def _signer(
    signature: SignaturePacket, pinned: PinnedSignature, keys: dict[str, OpenPgpKey]
) -> str:
    """Return the fingerprint of the pinned key that a signature names."""
    named = {one.hex() for one in signature.values(_ISSUER)}
    whole = {one[1:].hex() for one in signature.values(_ISSUER_FINGERPRINT)}
    pins = {str(one) for one in pinned.signers}
    found = [one for one in pins if one in whole or (not whole and key_id(one) in named)]
    if len(found) != 1:
        what = f"OpenPGP key {', '.join(sorted(whole or named)) or 'that is not named'}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)
    (fingerprint,) = found
    if len(whole) > 1 or named - {key_id(fingerprint)}:
        what = f"a signature that names other keys beside {fingerprint}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)
    key = keys.get(fingerprint)
    if key is None or key.revoked:
        how = "is revoked" if key else "is in no key of the recipe, with signatures of its own"
        what = f"OpenPGP key {fingerprint} {how}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)
    if any(one[:1] != key.packet.body[:1] for one in signature.values(_ISSUER_FINGERPRINT)):
        raise OpenPgpError("a fingerprint of another version than its key")
    return fingerprint


def _check_signature(signature: SignaturePacket, key: OpenPgpKey, signed: Feed) -> None:
    if max(signature.version, 4) != key.packet.body[0]:
        raise OpenPgpError("a signature of another version than its key")
    try:
        digest = verify_signature(signature, key.packet, signed)
    except InvalidSignature as error:
        other = signed_digest(signature, signed)[:2] != signature.prefix
        fault = SignatureFault.SIGNED_OTHER_BYTES if other else SignatureFault.INVALID
        raise BadSignatureError(fault, "its OpenPGP signature does not verify") from error
    if digest[:2] != signature.prefix:
        what = "the two bytes of the digest in an OpenPGP signature are others"
        raise BadSignatureError(SignatureFault.SLACK, what)


def _uncovered(packet: Packet, signature: SignaturePacket) -> Iterator[Uncovered]:
    begin, end = signature.unhashed_at
    structure = [
        (packet.start, packet.begin + (2 if signature.version == 3 else 0)),
        (packet.begin + begin, packet.begin + end + 2),
    ]
    for start, after in structure:
        yield Uncovered(offset=start, length=after - start, why="structure")
