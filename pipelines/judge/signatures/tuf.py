"""Signed metadata of The Update Framework: ours with the vendor's list of signatures.

A signature is over the canonical JSON of what is signed; the rest of the text is ours. What the
build leaves has an empty list, or one by a key of no meaning. Which keys count does not come from
the repository: the recipe pins them. Source: specification 1.0, "File formats: general principles".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.filled import tuf_fits
from pipelines.judge.signatures.left_out import tuf_signatures
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Signer,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.splice import Own, Piece, SpliceLimits, SplicePlan, Taken
from pipelines.judge.signatures.tuf_metadata import TufSignature, canonical, read_metadata

_MAX_SIGNATURES = 64 << 10
_SHA256 = hashes.SHA256()


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how our metadata gets the signatures of the shipped one."""
    (begin, end), (ours, after) = _place(shipped, "shipped"), _place(rebuilt, "rebuilt")
    shipped.seek(begin)
    rebuilt.seek(ours)
    theirs = shipped.read(end - begin)
    if not json.loads(theirs):
        raise BadSignatureError(SignatureFault.MISSING, "the shipped metadata is not signed")
    if theirs == rebuilt.read(after - ours):
        what = "the rebuilt metadata has the signatures of the shipped one"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    if begin != ours:
        what = f"the signatures are at {begin}, ours at {ours}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    pieces: list[Piece] = [
        Own(offset=0, length=ours),
        Taken(offset=begin, length=end - begin, why="signature"),
    ]
    if after < (size := rebuilt.seek(0, 2)):
        pieces.append(Own(offset=after, length=size - after))
    return SplicePlan(pieces=tuple(pieces))


def _place(file: BinaryIO, whose: str) -> tuple[int, int]:
    places = tuf_signatures(file)
    if not places:
        raise unreadable(f"the {whose} file does not begin with signatures of metadata")
    return places[0]


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify each signature of metadata by one of the pinned keys."""
    _place(file, "signed")
    found, signed = read_metadata(file)
    if not found.signatures:
        raise BadSignatureError(SignatureFault.MISSING, "the metadata is not signed")
    keys = list(_keys(pinned))
    signers = tuple(_signer(one, signed, keys) for one in found.signatures)
    check_signers(signers, pinned)
    return VerifiedSignatures(signers=signers, uncovered=())


@dataclass(frozen=True, kw_only=True)
class _Key:
    """A key, its pin, and its name in metadata."""

    pin: Digest
    kind: str
    name: str
    verify: Callable[[bytes, bytes], None]
    """Of a signature and what is signed; raises `InvalidSignature`."""


def _keys(pinned: PinnedSignature) -> Iterator[_Key]:
    for der in pinned.pem_keys():
        try:
            key = load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise unreadable(f"a pinned key that cannot be read: {error!a:.200}") from error
        yield _key(Digest.of(der), key)


def _key(pin: Digest, key: object) -> _Key:
    match key:
        case ed25519.Ed25519PublicKey():
            public, check = key.public_bytes_raw().hex(), key.verify
            kind = scheme = "ed25519"
        case rsa.RSAPublicKey():
            pss = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=padding.PSS.AUTO)
            public, check = _pem(key), partial(_verify_rsa, key, pss)
            kind, scheme = "rsa", "rsassa-pss-sha256"
        case ec.EllipticCurvePublicKey():
            public, check = _pem(key), partial(_verify_ec, key)
            kind, scheme = "ecdsa", "ecdsa-sha2-nistp256"
        case _:
            raise unreadable("a pinned key that is not Ed25519, RSA or elliptic")
    about = {"keytype": kind, "scheme": scheme, "keyval": {"public": public}}
    name = Digest.of(canonical(about).encode()).hex
    return _Key(pin=pin, kind=kind, name=name, verify=check)


def _verify_rsa(key: rsa.RSAPublicKey, pss: padding.PSS, signature: bytes, data: bytes) -> None:
    key.verify(signature, data, pss, _SHA256)


def _verify_ec(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    key.verify(signature, data, ec.ECDSA(_SHA256))


def _pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def _signer(signature: TufSignature, signed: bytes, keys: Sequence[_Key]) -> Signer:
    """Return whose a signature is; raises `BadSignatureError`."""
    for key in keys:
        try:
            key.verify(bytes.fromhex(signature.sig), signed)
        except (InvalidSignature, ValueError):
            continue
        return Signer(certificate=key.pin, subject=f"{key.kind} key {key.name}")
    if signature.keyid in {key.name for key in keys}:
        what = f"the signature of key {signature.keyid:.64} is not over this metadata"
        raise BadSignatureError(SignatureFault.INVALID, what)
    what = f"a signature by key {signature.keyid:.80}, which is not pinned"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`, always: metadata names its keys, and does not bring them."""
    place = _place(file, "shipped")
    file.seek(place[0])
    found = re.findall(rb'"keyid":\s*"([0-9a-f]{1,64})"', file.read(place[1] - place[0]))
    if not found:
        raise BadSignatureError(SignatureFault.MISSING, "the metadata is not signed")
    named = ", ".join(one.decode() for one in found[:4])
    what = f"signed by keys {named}; a recipe needs them, which root metadata has"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


TUF = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=_MAX_SIGNATURES,
        derived=0,
        taken=_MAX_SIGNATURES,
        places=tuf_signatures,
        fits=tuf_fits,
    ),
    pins=pins,
)
