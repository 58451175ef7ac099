"""One signer of an Android package by version 2, 3 or 3.1, and the lineage of its certificate.

All of its signatures have to verify, and all of its certificates have to be pinned. Source:
Android, "APK signature scheme v3", Proof-of-rotation attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate, InvalidVersion, load_der_x509_certificate

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.apk_block import BlockField, Signed
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    Signer,
    unreadable,
)

_PSS, _PKCS1, _ECDSA, _DSA = "PSS", "PKCS #1", "ECDSA", "DSA"
_ALGORITHMS: dict[int, tuple[str, str, hashes.HashAlgorithm]] = {
    0x0101: (_PSS, "sha256", hashes.SHA256()),
    0x0102: (_PSS, "sha512", hashes.SHA512()),
    0x0103: (_PKCS1, "sha256", hashes.SHA256()),
    0x0104: (_PKCS1, "sha512", hashes.SHA512()),
    0x0201: (_ECDSA, "sha256", hashes.SHA256()),
    0x0202: (_ECDSA, "sha512", hashes.SHA512()),
    0x0301: (_DSA, "sha256", hashes.SHA256()),
}
"""Key, digest of the file, and digest of what is signed, by number."""
STRIPPING, LINEAGE, ROTATION = 0xBEEFF00D, 0x3BA06F8C, 0x559F8B02
_LINEAGE_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ApkSigner:
    """A signer whose signatures verified, and what it says of other signatures."""

    signer: Signer
    certificate: Digest
    versions: tuple[int, int] | None
    protected: bool = False
    """Whether it says that there is a signature of version 3."""
    rotated_from: int | None = None
    """The version of Android for which it says that there is a signature of version 3.1."""
    lineage: tuple[Digest, ...] = field(default=())
    """Certificates, the oldest first; the last one is its own."""

    @property
    def ancestors(self) -> set[Digest]:
        """Certificates that signed packages of this vendor, its own included."""
        return {self.certificate, *self.lineage}


def verify_signer(
    signed: Signed,
    digest: Callable[[str], bytes],
    pinned: PinnedSignature,
    *,
    known: frozenset[int],
) -> ApkSigner:
    """Verify a signer over a file; `digest` returns that of the file, by algorithm.

    `known` are the attributes that it may have. Raises `BadSignatureError`.
    """
    certificates = [_certificate(der) for der in signed.certificates]
    if not certificates or not signed.signatures:
        raise unreadable("a signer without a certificate or without a signature")
    certificate = certificates[0]
    own = Digest.of(signed.certificates[0])
    if own not in pinned.signers:
        what = f"{own}, {certificate.subject.rfc4514_string()!a:.200}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)
    _require_pinned(signed.certificates, pinned)
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key != signed.key:
        raise BadSignatureError(SignatureFault.INVALID, "its key is not that of its certificate")
    kinds = [kind for kind, _ in signed.signatures]
    if kinds != [kind for kind, _ in signed.digests] or len(set(kinds)) < len(kinds):
        raise BadSignatureError(
            SignatureFault.INVALID, "digests by other algorithms than signatures"
        )
    for kind, signature in signed.signatures:
        _check(certificate, kind, signature.data, signed.data.data)
    for kind, value in signed.digests:
        algorithm = _ALGORITHMS[kind][1]
        if value != digest(algorithm):
            what = f"it signs {algorithm} {value.hex()}, the file has another"
            raise BadSignatureError(SignatureFault.SIGNED_OTHER_BYTES, what)
    return _with_attributes(signed, certificate, pinned, known)


def _with_attributes(
    signed: Signed, certificate: Certificate, pinned: PinnedSignature, known: frozenset[int]
) -> ApkSigner:
    attributes, own = dict(signed.attributes), Digest.of(signed.certificates[0])
    if len(attributes) < len(signed.attributes) or not attributes.keys() <= known:
        names = ", ".join(f"{kind:#010x}" for kind, _ in signed.attributes)
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, names)
    rotation = attributes.get(ROTATION)
    if attributes.get(STRIPPING, b"\3\0\0\0") != b"\3\0\0\0" or len(rotation or bytes(4)) != 4:
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, "one of another value")
    lineage = attributes.get(LINEAGE)
    return ApkSigner(
        signer=Signer(
            certificate=own,
            subject=certificate.subject.rfc4514_string()[:512],
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        ),
        certificate=own,
        versions=signed.versions,
        protected=STRIPPING in attributes,
        rotated_from=int.from_bytes(rotation, "little") if rotation is not None else None,
        lineage=_lineage(lineage, signed.certificates[0], pinned) if lineage is not None else (),
    )


def lineage_certificates(signed: Signed) -> list[bytes]:
    """Return the certificates in the lineage of a signer, which is not verified."""
    lineage = dict(signed.attributes).get(LINEAGE)
    return [node.certificate for node in _nodes(lineage)] if lineage is not None else []


@dataclass(frozen=True, kw_only=True)
class _Node:
    """A certificate of a lineage, and how the one before it signed it."""

    certificate: bytes
    algorithm: int
    data: bytes
    signature: bytes
    following: int
    """The algorithm by which it signs the one after it."""


def _nodes(value: bytes) -> list[_Node]:
    reader, found = BlockField(data=value, at=0).reader(), []
    if reader.number() != _LINEAGE_VERSION:
        raise _bad_lineage("it is of an unknown version")
    for node in reader.rest().items():
        outer = node.reader()
        data, _, following, signature = outer.field(), outer.number(), outer.number(), outer.field()
        outer.end()
        inner = data.reader()
        certificate, algorithm = inner.field().data, inner.number()
        inner.end()
        found.append(
            _Node(
                certificate=certificate,
                algorithm=algorithm,
                data=data.data,
                signature=signature.data,
                following=following,
            )
        )
    return found


def _lineage(value: bytes, own: bytes, pinned: PinnedSignature) -> tuple[Digest, ...]:
    """Verify that each certificate of a lineage was signed by the one before it."""
    nodes = _nodes(value)
    found = [node.certificate for node in nodes]
    if not found or found[-1] != own or len(set(found)) < len(found):
        raise _bad_lineage("it does not end with the certificate of the signer, or has one twice")
    if nodes[0].algorithm or nodes[0].signature:
        raise _bad_lineage("its first certificate is signed")
    for before, node in pairwise(nodes):
        if node.algorithm != before.following:
            raise _bad_lineage("a certificate is signed by another algorithm than it says")
        try:
            _check(_certificate(before.certificate), node.algorithm, node.signature, node.data)
        except BadSignatureError as error:
            raise _bad_lineage(f"a certificate in it: {error}") from error
    _require_pinned(found, pinned)
    return tuple(map(Digest.of, found))


def _check(certificate: Certificate, kind: int, signature: bytes, data: bytes) -> None:
    if kind not in _ALGORITHMS:
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, f"algorithm {kind:#06x}")
    scheme, _, hashed = _ALGORITHMS[kind]
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and scheme == _PKCS1:
            key.verify(signature, data, padding.PKCS1v15(), hashed)
        elif isinstance(key, rsa.RSAPublicKey) and scheme == _PSS:
            pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
            key.verify(signature, data, pss, hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == _ECDSA:
            key.verify(signature, data, ec.ECDSA(hashed))
        elif isinstance(key, dsa.DSAPublicKey) and scheme == _DSA:
            key.verify(signature, data, hashed)
        else:
            raise unreadable(f"a signature by {scheme} with a key of another kind")
    except InvalidSignature as error:
        raise BadSignatureError(SignatureFault.INVALID, "its signature does not verify") from error


def _certificate(der: bytes) -> Certificate:
    try:
        certificate = load_der_x509_certificate(der)
        # Each part is parsed when it is asked for first.
        certificate.public_key()
        _ = certificate.subject.rfc4514_string(), certificate.not_valid_before_utc
        _ = certificate.not_valid_after_utc
    except (InvalidVersion, UnsupportedAlgorithm, ValueError) as error:
        raise unreadable(f"a certificate that cannot be read: {error!a:.200}") from error
    return certificate


def _require_pinned(certificates: tuple[bytes, ...] | list[bytes], pinned: PinnedSignature) -> None:
    if len(set(certificates)) < len(certificates):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a certificate that is there twice")
    known = {*pinned.signers, *pinned.certificates}
    unknown = [one for one in map(Digest.of, certificates) if one not in known]
    if unknown:
        raise BadSignatureError(SignatureFault.UNKNOWN_CERTIFICATE, ", ".join(map(str, unknown)))


def _bad_lineage(detail: str) -> BadSignatureError:
    return BadSignatureError(SignatureFault.LINEAGE, detail)
