"""CMS SignedData (RFC 5652) by one signer, as signed formats embed it, with its time stamp.

Every certificate in it has to be one that the recipe pins: as a signer, as an authority of time
stamps (RFC 3161), or as one that is carried along. Nothing is looked up in a trust store, and no
date decides anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import cms, tsp
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
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
    unreadable,
)

TIME_STAMPS = frozenset({"microsoft_time_stamp_token", "signature_time_stamp_token"})
COUNTERSIGNATURE = "counter_signature"
_TIME_STAMP_INFO = "1.2.840.113549.1.9.16.1.4"
_DIGESTS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_BROKEN = (
    DerError, InvalidVersion, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError,
)  # fmt: skip
"""What the libraries raise of bytes that are no signature."""

default_backend()  # elliptic keys import it when they verify, and a jail has no files to import

DigestOf = Callable[[str], bytes]
"""Returns the digest of something by the name of an algorithm, such as `sha256`."""


@dataclass(frozen=True, kw_only=True)
class SignedData:
    """A SignedData that verified."""

    signer: Signer
    countersigner: Signer | None
    content_type: str
    """As a dotted object identifier."""
    content: bytes
    """DER of the value whose content is signed; empty in a detached signature."""
    attributes: dict[str, Any]
    """Values of the signer's signed attributes by name."""
    counter_attributes: dict[str, Any]
    """The same of the countersigner."""
    uncovered: tuple[Uncovered, ...]
    """Offsets are in the DER."""


@dataclass(frozen=True, kw_only=True)
class _Parsed:
    """A SignedData by one of the signers that it may be by; its signature verified."""

    bag: tuple[bytes, ...]
    certificate: Certificate
    attributes: dict[str, Any]
    content: bytes
    body: bytes
    content_type: str
    info: Any
    parts: Pkcs7


@contextmanager
def readable() -> Iterator[None]:
    """Raise `BadSignatureError` where a library finds bytes that are no signature."""
    try:
        yield
    except _BROKEN as error:
        raise unreadable(f"a PKCS #7 that cannot be read: {error!a:.200}") from error


def verify_signed_data(
    der: bytes,
    pinned: PinnedSignature,
    *,
    detached: DigestOf | None = None,
    countersigned: bool = False,
    weak: bool = False,
) -> SignedData:
    """Verify a SignedData by one of the pinned signers.

    A detached signature is over content with the digest that `detached` returns, and may sign that
    alone, without attributes. `countersigned` allows one countersignature, which must be by a
    pinned signer too; `weak` allows SHA-1, where something else is signed with more. Raises
    `BadSignatureError`.
    """
    with readable():
        found = _parsed(der, pinned.signers, pinned, detached, weak=weak)
        stamp, countersignature = _unsigned(found.info, countersigned=countersigned)
        counter: Signer | None = None
        counter_attributes: dict[str, Any] = {}
        if countersignature is not None:
            counter, counter_attributes = _countersigner(found, countersignature, pinned)
        return SignedData(
            signer=_signer(found.certificate, _stamped_on(stamp, found.info, pinned)),
            countersigner=counter,
            content_type=found.content_type,
            content=found.content,
            attributes=found.attributes,
            counter_attributes=counter_attributes,
            uncovered=tuple(
                Uncovered(offset=begin, length=end - begin, why=why)
                for begin, end, why in found.parts.uncovered(len(der))
            ),
        )


def digest_algorithm(name: str, *, weak: bool = False) -> hashes.HashAlgorithm:
    """Return an algorithm of SHA-2, or SHA-1 if it may be `weak`; raises `BadSignatureError`."""
    if weak and name == "sha1":
        return hashes.SHA1()  # noqa: S303
    if name not in _DIGESTS:
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, f"{name}, expected SHA-2")
    return _DIGESTS[name]


def _parsed(
    der: bytes,
    signers: Iterable[SignerPin],
    pinned: PinnedSignature,
    detached: DigestOf | None = None,
    *,
    weak: bool = False,
) -> _Parsed:
    """Verify a SignedData by one of `signers`.

    Raises `BadSignatureError`, or what its parsers raise.
    """
    check_der(der)
    outer = cms.ContentInfo.load(der, strict=True)
    if outer["content_type"].native != "signed_data":
        raise unreadable(f"a PKCS #7 with {outer['content_type'].native}")
    data = outer["content"]
    infos, bag = data["signer_infos"], tuple(c.dump() for c in data["certificates"])
    if len(infos) != 1 or data["crls"].native:
        raise unreadable(f"{len(infos)} signers in one signature, or revocation lists")
    (info,) = infos
    certificate = _certificate(bag, info)
    _require_pinned(certificate, signers)
    known = {*pinned.signers, *pinned.certificates, *pinned.time_stamps}
    unknown = [one for one in map(Digest.of, bag) if one not in known]
    if unknown:
        raise BadSignatureError(SignatureFault.UNKNOWN_CERTIFICATE, ", ".join(map(str, unknown)))
    if len(set(bag)) < len(bag):
        raise BadSignatureError(SignatureFault.DUPLICATE, "a certificate that is there twice")
    parts = read_pkcs7(der)
    held = parts.content
    if (held is None) != (detached is not None):
        raise unreadable("a signature that has its content apart, or has none apart")
    body = der[held.begin : held.end] if held else b""
    content_type = data["encap_content_info"]["content_type"].dotted
    return _Parsed(
        bag=bag,
        certificate=certificate,
        attributes=_check_signature(
            info,
            certificate,
            content_type,
            detached or (lambda algorithm: hashlib.new(algorithm, body).digest()),
            bare=detached is not None,
            weak=weak,
        ),
        content=der[held.start : held.end] if held else b"",
        body=body,
        content_type=content_type,
        info=info,
        parts=parts,
    )


def _certificate(bag: Iterable[bytes], info: Any) -> Certificate:
    return load_der_x509_certificate(signer_certificate(bag, info))


def signer_certificate(bag: Iterable[bytes], info: Any) -> bytes:
    """Return the certificate in `bag` that a SignerInfo names, as DER.

    Raises `BadSignatureError`, or what its parsers raise.
    """
    if info["sid"].name != "issuer_and_serial_number":
        raise unreadable("a signer that is not named by issuer")
    named = info["sid"].chosen
    issuer, serial = named["issuer"].dump(), named["serial_number"].native
    for one in bag:
        certificate = load_der_x509_certificate(one)
        if certificate.issuer.public_bytes() == issuer and certificate.serial_number == serial:
            return one
    raise unreadable("a signature without the certificate of its signer")


def _require_pinned(certificate: Certificate, signers: Iterable[SignerPin]) -> None:
    found = _fingerprint(certificate)
    if found not in set(signers):
        what = f"{found}, {certificate.subject.rfc4514_string()!a:.200}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_SIGNER, what)


def _fingerprint(certificate: Certificate) -> Digest:
    return Digest(certificate.fingerprint(hashes.SHA256()).hex())


def _check_signature(
    info: Any,
    certificate: Certificate,
    content_type: str | None,
    digest: DigestOf,
    *,
    bare: bool = False,
    weak: bool = False,
) -> dict[str, Any]:
    """Require that a signer signed content, by its digest in the signed attributes; return these.

    A countersignature has no `content_type`; a `bare` one may sign the digest itself.
    """
    attributes = {a["type"].native: a["values"] for a in info["signed_attrs"] or ()}
    algorithm = info["digest_algorithm"]["algorithm"].native
    hashed = digest_algorithm(algorithm, weak=weak)
    signed = digest(algorithm)
    if attributes or not bare:
        _check_attributes(attributes, len(info["signed_attrs"] or ()), content_type, signed)
        signed = hashlib.new(algorithm, info["signed_attrs"].untag().dump()).digest()
    key, signature = certificate.public_key(), info["signature"].native
    named = info["signature_algorithm"]
    scheme = named.signature_algo
    if named["algorithm"].native != scheme and named.hash_algo != algorithm:
        raise BadSignatureError(SignatureFault.INVALID, f"it signs {algorithm}, and names another")
    try:
        if isinstance(key, rsa.RSAPublicKey) and scheme == "rsassa_pkcs1v15":
            key.verify(signature, signed, padding.PKCS1v15(), Prehashed(hashed))
        elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ecdsa":
            key.verify(signature, signed, ec.ECDSA(Prehashed(hashed)))
        elif isinstance(key, dsa.DSAPublicKey) and scheme == "dsa":
            key.verify(signature, signed, Prehashed(hashed))
        else:
            raise unreadable(f"a signature by {scheme}")
    except InvalidSignature as error:
        raise BadSignatureError(SignatureFault.INVALID, "its signature does not verify") from error
    _check_certificate_digest(attributes, certificate)
    return attributes


def _check_certificate_digest(attributes: dict[str, Any], certificate: Certificate) -> None:
    """Require that a signer who signs the digest of his certificate signs this one (RFC 5035)."""
    for held in attributes.get("signing_certificate_v2", ()):
        first = held["certs"][0]
        algorithm = first["hash_algorithm"]["algorithm"].native
        der = certificate.public_bytes(serialization.Encoding.DER)
        if first["cert_hash"].native != hashlib.new(algorithm, der).digest():
            what = "it names another certificate than that of its signer"
            raise BadSignatureError(SignatureFault.INVALID, what)


def _check_attributes(
    attributes: dict[str, Any], count: int, content_type: str | None, digest: bytes
) -> None:
    for name, expected in (
        ("content_type", [content_type] if content_type else []),
        ("message_digest", [digest]),
    ):
        values = attributes.get(name, ())
        got = [v.dotted if name == "content_type" else v.native for v in values]
        if got != expected:
            what = f"its attribute {name} is of another value"
            raise BadSignatureError(SignatureFault.INVALID, what)
    if len(attributes) != count:
        raise unreadable("a signed attribute that is there twice")


def _unsigned(info: Any, *, countersigned: bool) -> tuple[Any, Any]:
    """Return the time stamp and the countersignature of a SignerInfo, or None for each."""
    found: dict[str, Any] = {}
    for attribute in info["unsigned_attrs"] or ():
        name = attribute["type"].native
        kind = "time-stamp" if name in TIME_STAMPS else name
        allowed = kind == "time-stamp" or (countersigned and kind == COUNTERSIGNATURE)
        if not allowed or kind in found or len(attribute["values"]) != 1:
            what = f"unauthenticated attribute {attribute['type'].dotted}"
            raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, what)
        found[kind] = attribute["values"][0]
    return found.get("time-stamp"), found.get(COUNTERSIGNATURE)


def _countersigner(
    signed: _Parsed, info: Any, pinned: PinnedSignature
) -> tuple[Signer, dict[str, Any]]:
    """Verify a countersignature, which is over the signature that it is in (RFC 5652, 11.4)."""
    certificate = _certificate(signed.bag, info)
    _require_pinned(certificate, pinned.signers)
    message = signed.info["signature"].native
    attributes = _check_signature(
        info, certificate, None, lambda algorithm: hashlib.new(algorithm, message).digest()
    )
    stamp, _ = _unsigned(info, countersigned=False)
    return _signer(certificate, _stamped_on(stamp, info, pinned)), attributes


def _signer(certificate: Certificate, stamped_on: datetime | None) -> Signer:
    return Signer(
        certificate=_fingerprint(certificate),
        subject=certificate.subject.rfc4514_string()[:512],
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        stamped_on=stamped_on,
    )


def _stamped_on(token: Any, info: Any, pinned: PinnedSignature) -> datetime | None:
    """Verify the time stamp over a signature, if there is one, and return its time."""
    if token is None:
        return None
    if not pinned.time_stamps:
        what = "a time stamp, of which the recipe pins no authority"
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, what)
    stamp = _parsed(token.dump(), pinned.time_stamps, pinned)
    if stamp.content_type != _TIME_STAMP_INFO:
        raise BadSignatureError(SignatureFault.TIME_STAMP, f"it signs {stamp.content_type}")
    if len(stamp.info["unsigned_attrs"] or ()):
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, "a time stamp that has some")
    about = tsp.TSTInfo.load(stamp.body, strict=True)
    imprint = about["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    digest_algorithm(algorithm)
    stamped = hashlib.new(algorithm, info["signature"].native).digest()
    if imprint["hashed_message"].native != stamped:
        raise BadSignatureError(SignatureFault.TIME_STAMP, "it stamps another signature")
    stamped_on: datetime = about["gen_time"].native
    return stamped_on
