"""Signatures appended to modules of Linux, plain or inside of xz, gzip or zstd.

A module is followed by a PKCS #7 that brings no certificate, a trailer of 12 bytes with its length,
and a line of text. Nothing in the PKCS #7 but the signature is free: all of it is encoded anew from
the pinned certificate, and has to be the same. Sources: scripts/sign-file.c and
kernel/module_signature.c of Linux.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import shutil
import struct
from collections.abc import Iterable
from typing import BinaryIO

from asn1crypto import algos, cms, core, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509 import load_der_x509_certificate

from builders.core.digest import CHUNK, Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.der import DerError, check_der
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
from pipelines.judge.signatures.splice import (
    Derived,
    Own,
    PackedPlan,
    Piece,
    SpliceLimits,
    SplicePlan,
    Taken,
)
from pipelines.judge.signatures.unpacked import compressed_as, packing_of, unpacked

MAGIC = b"~Module signature appended~\n"
_TRAILER = struct.Struct(">BBBBB3xI")
_PKCS7 = 2
_MAX_SIGNATURE = 8 << 10
_MAX_END = _MAX_SIGNATURE + _TRAILER.size + 2 * len(MAGIC)
_MAX_MODULE = 128 << 20
"""Of a compressed one, which is unpacked in memory."""
_DIGESTS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_BROKEN = (DerError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError)
"""What the libraries raise of bytes that are no signature."""


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt module gets the signature of the shipped one."""
    signed, own = _module(shipped), _module(rebuilt)
    size = own.seek(0, 2)
    if _tail(own, len(MAGIC)) == MAGIC:
        what = "the rebuilt module has a signature of its own"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    begin, signature = _signature(signed)
    own.seek(0)
    if own.read(4) != b"\x7fELF":
        raise unreadable("the rebuilt file is no module")
    if begin != size:
        what = f"the shipped module has {begin} bytes before its signature, the rebuilt {size}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    pieces: tuple[Piece, ...] = (
        Own(offset=0, length=begin),
        Taken(offset=begin, length=len(signature), why="signature"),
        Derived(data=_end(len(signature)).hex()),
    )
    name = compressed_as(shipped)
    if name is None:
        if own is not rebuilt:
            what = "the rebuilt module is compressed, and the shipped one is not"
            raise BadSignatureError(SignatureFault.LAYOUT, what)
        return SplicePlan(pieces=pieces)
    packing = packing_of(shipped, name, signed)
    whole = Own(offset=0, length=shipped.seek(0, 2))
    return SplicePlan(pieces=(whole,), inside=PackedPlan(pieces=pieces, packing=packing))


def unpack(file: BinaryIO, out: BinaryIO) -> None:
    """Write the module that a file holds."""
    module = _module(file)
    module.seek(0)
    shutil.copyfileobj(module, out)


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify the signature of a module by one of the pinned certificates."""
    module = _module(file)
    begin, der = _signature(module)
    try:
        signer = _verified(module, begin, der, pinned)
    except _BROKEN as error:
        raise unreadable(f"a PKCS #7 that cannot be read: {error!a:.200}") from error
    check_signers((signer,), pinned)
    return VerifiedSignatures(signers=(signer,), uncovered=())


def _module(file: BinaryIO) -> BinaryIO:
    """Return the module in a file, which may be compressed."""
    name = compressed_as(file)
    if name is None:
        return file
    made = io.BytesIO()
    for piece in unpacked(file, name):
        made.write(piece)
        if made.tell() > _MAX_MODULE:
            raise unreadable(f"a compressed module of more than {_MAX_MODULE} bytes")
    return made


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, file.seek(0, 2) - size))
    return file.read()


def _end(length: int) -> bytes:
    """Return what follows a PKCS #7 of `length` bytes."""
    return _TRAILER.pack(0, 0, _PKCS7, 0, 0, length) + MAGIC


def _signature(module: BinaryIO) -> tuple[int, bytes]:
    """Return the offset of the PKCS #7 at the end of a module, and the PKCS #7."""
    size, tail = module.seek(0, 2), _tail(module, _MAX_END)
    if not tail.endswith(MAGIC):
        if MAGIC in tail:
            raise BadSignatureError(SignatureFault.TRAILING, "bytes after the signature")
        raise BadSignatureError(SignatureFault.MISSING, "the shipped module is not signed")
    end = len(tail) - len(MAGIC) - _TRAILER.size
    trailer = tail[: -len(MAGIC)][-_TRAILER.size :]
    if len(trailer) < _TRAILER.size:
        raise unreadable("a module that is shorter than the trailer of its signature")
    *_, kind, _, _, length = _TRAILER.unpack(trailer)
    if kind != _PKCS7 or not 1 <= length <= end:
        raise unreadable(f"a signature of {length} bytes, kind {kind}")
    if tail[end:] != _end(length):
        raise BadSignatureError(SignatureFault.SLACK, "a trailer with fields that hold data")
    begin = end - length
    if tail.endswith(MAGIC, 0, begin):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a module that is signed twice")
    return size - len(tail) + begin, tail[begin:end]


def _verified(module: BinaryIO, size: int, der: bytes, pinned: PinnedSignature) -> Signer:
    """Verify a PKCS #7 over the first `size` bytes of a module."""
    try:
        check_der(der)
    except DerError as error:
        raise BadSignatureError(SignatureFault.SLACK, f"a signature with {error}") from error
    data = cms.ContentInfo.load(der, strict=True)["content"]
    infos = data["signer_infos"]
    if data["certificates"].native:
        what = "certificates in a signature that needs none"
        raise BadSignatureError(SignatureFault.UNKNOWN_CERTIFICATE, what)
    if len(infos) != 1:
        raise BadSignatureError(SignatureFault.DUPLICATE, f"{len(infos)} signers in one signature")
    (info,) = infos
    if len(info["signed_attrs"]) or len(info["unsigned_attrs"]):
        what = "attributes in the signature of a module"
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, what)
    algorithm = info["digest_algorithm"]["algorithm"].native
    if algorithm not in _DIGESTS:
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, f"{algorithm}, expected SHA-2")
    signature = info["signature"].native
    named = info["sid"].dump()
    for certificate in pinned.pem_keys():
        forms = list(_forms(x509.Certificate.load(certificate), algorithm, signature))
        if der in forms:
            digest = _digest(module, size, algorithm)
            return _signed(digest, certificate, algorithm, signature)
        if any(named in form for form in forms):
            what = "a PKCS #7 that is other than a signature by this signer is encoded"
            raise BadSignatureError(SignatureFault.SLACK, what)
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, f"signed by {named.hex():.200}")


def _digest(file: BinaryIO, size: int, algorithm: str) -> bytes:
    digest = hashlib.new(algorithm)
    file.seek(0)
    while piece := file.read(min(CHUNK, size)):
        digest.update(piece)
        size -= len(piece)
    return digest.digest()


def _forms(certificate: x509.Certificate, algorithm: str, signature: bytes) -> Iterable[bytes]:
    """Yield the encodings of a signature by a certificate: what OpenSSL has written so far."""
    elliptic = certificate.public_key.algorithm == "ec"
    scheme = f"{algorithm}_ecdsa" if elliptic else "rsassa_pkcs1v15"
    sids = [
        ("v3", {"subject_key_identifier": certificate.key_identifier}),
        (
            "v1",
            {
                "issuer_and_serial_number": {
                    "issuer": certificate.issuer,
                    "serial_number": certificate.serial_number,
                }
            },
        ),
    ]
    for (version, sid), null in itertools.product(sids, (False, True)):
        if next(iter(sid.values())) is None:
            continue  # a certificate without a key identifier
        digest = {"algorithm": algorithm, "parameters": core.Null() if null else None}
        info = {
            "version": version,
            "sid": cms.SignerIdentifier(sid),
            "digest_algorithm": algos.DigestAlgorithm(digest),
            "signature_algorithm": {"algorithm": scheme},
            "signature": signature,
        }
        data = {
            "version": version,
            "digest_algorithms": [algos.DigestAlgorithm(digest)],
            "encap_content_info": {"content_type": "data"},
            "signer_infos": [info],
        }
        made = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)})
        yield bytes(made.dump())


def _signed(digest: bytes, der: bytes, algorithm: str, signature: bytes) -> Signer:
    certificate = load_der_x509_certificate(der)
    key, hashed = certificate.public_key(), Prehashed(_DIGESTS[algorithm])
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(hashed))
        else:
            raise unreadable("a signature by a key that is neither RSA nor elliptic")
    except InvalidSignature as error:
        what = "its signature does not verify on our bytes"
        raise BadSignatureError(SignatureFault.INVALID, what) from error
    return Signer(
        certificate=Digest.of(der),
        subject=certificate.subject.rfc4514_string()[:512],
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def pins(file: BinaryIO) -> FoundPins:
    """Raise `BadSignatureError`, always: it names the signer, whose certificate is not there."""
    try:
        _, der = _signature(_module(file))
    except BadSignatureError as error:
        raise unreadable(error.refused.detail) from error
    try:
        (info,) = cms.ContentInfo.load(der, strict=True)["content"]["signer_infos"]
        named = info["sid"].chosen
        if info["sid"].name == "issuer_and_serial_number":
            who = (
                f"{named['issuer'].human_friendly!a:.200}, number {named['serial_number'].native:x}"
            )
        else:
            who = f"the certificate with the key identifier {named.native.hex()}"
    except _BROKEN as error:
        raise unreadable(f"a PKCS #7 that cannot be read: {error!a:.200}") from error
    what = f"signed by {who}; a recipe needs the certificate, which a module does not bring"
    raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


KERNEL_MODULE = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=0,
        derived=_TRAILER.size + len(MAGIC),
        taken=_MAX_SIGNATURE,
        inside=SpliceLimits(replaced=0, derived=_TRAILER.size + len(MAGIC), taken=_MAX_SIGNATURE),
    ),
    unpack=unpack,
    pins=pins,
)
