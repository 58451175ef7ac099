"""Authenticode: a PKCS #7 signature (RFC 5652) over the digest of a file, and its time stamp.

Every certificate in it has to be one that the recipe pins: as a signer, as an authority of time
stamps (RFC 3161), or as one that is carried along. Nothing is looked up in a trust store, and no
date decides anything. Source: Microsoft, "Windows Authenticode Portable Executable Signature
Format" (2008).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import cms, core, tsp
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import Certificate, InvalidVersion, load_der_x509_certificate

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignerPin
from pipelines.judge.signatures.der import DerError, check_der
from pipelines.judge.signatures.pkcs7 import Pkcs7, read_pkcs7
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    Signer,
    Uncovered,
)

_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
_PE_IMAGE_DATA = frozenset({"1.3.6.1.4.1.311.2.1.15", "1.3.6.1.4.1.311.2.1.21"})
"""SPC_PE_IMAGE_DATAOBJ, and what older versions of sbsign write in its place."""
_PAGE_HASHES = bytes([0xA1])
"""The tag of a moniker in a SpcLink: what holds page hashes."""
_TIME_STAMP = "microsoft_time_stamp_token"
_TIME_STAMP_INFO = "1.2.840.113549.1.9.16.1.4"
_DIGESTS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


_BROKEN = (
    DerError, InvalidVersion, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError,
)  # fmt: skip
"""What the libraries raise of bytes that are no signature."""


class _DigestInfo(core.Sequence):  # type: ignore[misc]
    _fields = [("algorithm", cms.DigestAlgorithm), ("digest", core.OctetString)]  # noqa: RUF012


class _TypeAndValue(core.Sequence):  # type: ignore[misc]
    _fields = [("type", core.ObjectIdentifier), ("value", core.Any)]  # noqa: RUF012


class _IndirectData(core.Sequence):  # type: ignore[misc]
    """SpcIndirectDataContent."""

    _fields = [("data", _TypeAndValue), ("message_digest", _DigestInfo)]  # noqa: RUF012


@dataclass(frozen=True, kw_only=True)
class Authenticode:
    """One signature that verified, and what of it is not covered by it."""

    signer: Signer
    uncovered: tuple[Uncovered, ...]


@dataclass(frozen=True, kw_only=True)
class _SignedData:
    """A CMS SignedData with one signer, whose signature over its content verified."""

    certificate: Certificate
    content: Any
    content_type: str
    info: Any
    parts: Pkcs7

    @property
    def fingerprint(self) -> Digest:
        return Digest(self.certificate.fingerprint(hashes.SHA256()).hex())


def verify_authenticode(
    der: bytes, digest: Callable[[str], bytes], pinned: PinnedSignature
) -> Authenticode:
    """Verify one signature over a file; `digest` returns that of the file, by algorithm.

    Raises `BadSignatureError`.
    """
    try:
        return _verified(der, digest, pinned)
    except _BROKEN as error:
        raise _unreadable(f"a PKCS #7 that cannot be read: {error!a:.200}") from error


def _verified(der: bytes, digest: Callable[[str], bytes], pinned: PinnedSignature) -> Authenticode:
    signed = _signed_data(der, pinned.signers, pinned)
    if signed.content_type != _INDIRECT_DATA:
        raise _unreadable(f"a signature over {signed.content_type}")
    _check_content(signed.content.parse(_IndirectData), digest)
    stamped_on = _time_stamp(signed.info, pinned)
    certificate = signed.certificate
    return Authenticode(
        signer=Signer(
            certificate=signed.fingerprint,
            subject=certificate.subject.rfc4514_string()[:512],
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            stamped_on=stamped_on,
        ),
        uncovered=tuple(_uncovered(len(der), signed.parts)),
    )


def _check_content(content: Any, digest: Callable[[str], bytes]) -> None:
    """Require that the signed content names the digest of the file."""
    about, info = content["data"], content["message_digest"]
    if about["type"].dotted not in _PE_IMAGE_DATA:
        raise _unreadable(f"a signature about {about['type'].dotted}")
    if _PAGE_HASHES in about["value"].dump():
        raise _unreadable("a signature with page hashes, which are not read")
    algorithm = info["algorithm"]["algorithm"].native
    _hash(algorithm)
    if info["digest"].native != digest(algorithm):
        what = f"it signs {algorithm} {info['digest'].native.hex()}, the file has another"
        raise BadSignatureError(SignatureFault.SIGNED_OTHER_BYTES, what)


def _signed_data(der: bytes, signers: Iterable[SignerPin], pinned: PinnedSignature) -> _SignedData:
    """Verify a SignedData by one of `signers`.

    Raises `BadSignatureError`, or what its parsers raise.
    """
    check_der(der)
    outer = cms.ContentInfo.load(der, strict=True)
    if outer["content_type"].native != "signed_data":
        raise _unreadable(f"a PKCS #7 with {outer['content_type'].native}")
    data = outer["content"]
    infos, bag = data["signer_infos"], tuple(c.dump() for c in data["certificates"])
    if len(infos) != 1 or data["crls"].native:
        raise _unreadable(f"{len(infos)} signers in one signature, or revocation lists")
    (info,) = infos
    if info["sid"].name != "issuer_and_serial_number" or not len(info["signed_attrs"]):
        raise _unreadable("a signer that is not named by issuer, or signs no attributes")
    encapsulated = data["encap_content_info"]
    found = _SignedData(
        certificate=_signer(bag, info["sid"].chosen),
        content=encapsulated["content"],
        content_type=encapsulated["content_type"].dotted,
        info=info,
        parts=read_pkcs7(der),
    )
    if found.fingerprint not in set(signers):
        what = f"{found.fingerprint}, {found.certificate.subject.rfc4514_string()!a:.200}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)
    known = {*pinned.signers, *pinned.certificates, *pinned.time_stamps}
    unknown = [one for one in map(Digest.of, bag) if one not in known]
    if unknown:
        raise BadSignatureError(SignatureFault.UNKNOWN_CERTIFICATE, ", ".join(map(str, unknown)))
    if len(set(bag)) < len(bag):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a certificate that is there twice")
    _check_signature(found)
    return found


def _signer(bag: Iterable[bytes], named: Any) -> Certificate:
    """Return the certificate in `bag` that a signature names."""
    issuer, serial = named["issuer"].dump(), named["serial_number"].native
    for one in bag:
        if one[:1] != b"\x30":  # not an attribute certificate or the like
            continue
        certificate = load_der_x509_certificate(one)
        if certificate.issuer.public_bytes() == issuer and certificate.serial_number == serial:
            return certificate
    raise _unreadable("a signature without the certificate of its signer")


def _check_signature(signed: _SignedData) -> None:
    """Require that the signer signed the content, by its digest in the signed attributes."""
    info, content = signed.info, signed.content.contents
    attributes = {a["type"].native: a["values"] for a in info["signed_attrs"]}
    algorithm = info["digest_algorithm"]["algorithm"].native
    hashed = _hash(algorithm)
    for name, expected in (
        ("content_type", signed.content_type),
        ("message_digest", hashlib.new(algorithm, content).digest()),
    ):
        values = attributes.get(name, ())
        got = [v.dotted if name == "content_type" else v.native for v in values]
        if got != [expected]:
            raise BadSignatureError(
                SignatureFault.INVALID, f"its attribute {name} is of another value"
            )
    if len(attributes) != len(info["signed_attrs"]):
        raise _unreadable("a signed attribute that is there twice")
    key, signature = signed.certificate.public_key(), info["signature"].native
    named = info["signature_algorithm"]
    scheme = named.signature_algo
    if named["algorithm"].native != scheme and named.hash_algo != algorithm:
        raise BadSignatureError(SignatureFault.INVALID, f"it signs {algorithm}, and names another")
    message = info["signed_attrs"].untag().dump()
    try:
        if isinstance(key, rsa.RSAPublicKey) and scheme == "rsassa_pkcs1v15":
            key.verify(signature, message, padding.PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ecdsa":
            key.verify(signature, message, ec.ECDSA(hashed))
        else:
            raise _unreadable(f"a signature by {scheme}")
    except InvalidSignature as error:
        raise BadSignatureError(SignatureFault.INVALID, "its signature does not verify") from error


def _time_stamp(info: Any, pinned: PinnedSignature) -> datetime | None:
    """Verify the time stamp over a signature, if there is one, and return its time."""
    attributes = list(info["unsigned_attrs"] or ())
    others = [a["type"].dotted for a in attributes if a["type"].native != _TIME_STAMP]
    if others or len(attributes) > 1:
        what = f"unauthenticated attributes {', '.join(others) or _TIME_STAMP}, {len(attributes)}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, what)
    if not attributes:
        return None
    if not pinned.time_stamps or len(attributes[0]["values"]) != 1:
        what = "a time stamp, of which the recipe pins no authority"
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, what)
    token = attributes[0]["values"][0].dump()
    stamp = _signed_data(token, pinned.time_stamps, pinned)
    if stamp.content_type != _TIME_STAMP_INFO:
        raise BadSignatureError(SignatureFault.TIME_STAMP, f"it signs {stamp.content_type}")
    if len(stamp.info["unsigned_attrs"] or ()):
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, "a time stamp that has some")
    about = tsp.TSTInfo.load(stamp.content.contents, strict=True)
    imprint = about["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    _hash(algorithm)
    stamped = hashlib.new(algorithm, info["signature"].native).digest()
    if imprint["hashed_message"].native != stamped:
        raise BadSignatureError(SignatureFault.TIME_STAMP, "it stamps another signature")
    stamped_on: datetime = about["gen_time"].native
    return stamped_on


def _hash(algorithm: str) -> hashes.HashAlgorithm:
    if algorithm not in _DIGESTS:
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, f"{algorithm}, expected SHA-2")
    return _DIGESTS[algorithm]


def _uncovered(size: int, parts: Pkcs7) -> Iterator[Uncovered]:
    """Yield what of a PKCS #7 is outside of its content, signed attributes and signature."""
    held: list[tuple[int, int, str]] = [
        *((v.begin, v.end, "") for v in (parts.content, parts.signed_attributes, parts.signature)),
        *((v.start, v.end, "certificate") for v in parts.certificates),
        *((v.start, v.end, "time-stamp") for v in parts.unsigned),
    ]
    at = 0
    for begin, end, why in [*sorted(held), (size, size, "")]:
        if begin > at:
            yield Uncovered(offset=at, length=begin - at, why="structure")
        if why:
            yield Uncovered(offset=begin, length=end - begin, why=why)
        at = end


def _unreadable(detail: str) -> BadSignatureError:
    return BadSignatureError(SignatureFault.UNREADABLE, detail)
