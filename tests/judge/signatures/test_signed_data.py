"""What a SignedData may not say, whatever format it is in."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache

import pytest
from asn1crypto import algos, cms, core, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from pipelines.judge.signatures.der import der_header
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from pipelines.judge.signatures.signed_data import verify_signed_data
from tests.judge.signatures import nuget_tricks
from tests.judge.signatures.apk_signing import JarSigning, detached
from tests.judge.signatures.pe_tricks import ADA, BOB, BY_ADA, CLOCK, EVE, OURS, pinned
from tests.judge.signatures.signing import (
    IMAGE_DATA,
    INDIRECT_DATA,
    Signing,
    Vendor,
    certificate_entry,
    cms_of,
    image,
    value,
    with_table,
)
from tests.judge.signatures.test_pe import grafted

DIGEST = hashlib.sha256(b"detached").digest()
TOLD = {"type": "signing_time", "values": [cms.Time({"utc_time": "200101000000Z"})]}


@cache
def dee() -> Vendor:
    """Return a vendor with a key of DSA, which takes long to make."""
    return Vendor.of("dee", dsa.generate_private_key(1024))  # noqa: S505


def bare(by: Vendor, signature: bytes, algorithm: str = "sha256_dsa") -> bytes:
    """Return a detached PKCS #7 without signed attributes."""
    made = cms.ContentInfo.load(cms_of(Signing(by=ADA), "data", value(0x04, b"")))
    data = made["content"]
    info = data["signer_infos"][0]
    certificate = cms.Certificate.load(by.der)
    info["sid"] = {
        "issuer_and_serial_number": {
            "issuer": certificate.issuer,
            "serial_number": certificate.serial_number,
        }
    }
    info["signed_attrs"] = None
    info["signature_algorithm"] = {"algorithm": algorithm}
    info["signature"] = signature
    data["certificates"] = [cms.CertificateChoices.load(by.der)]
    data["encap_content_info"] = {"content_type": "data"}
    return bytes(made.dump(force=True))


@pytest.mark.parametrize("signed", [DIGEST, hashlib.sha256(b"other").digest()])
def test_a_dsa_signature_over_a_digest_alone_has_to_verify(signed: bytes) -> None:
    der = bare(dee(), dee().key.sign(signed, Prehashed(hashes.SHA256())))
    pins = pinned(dee())
    if signed == DIGEST:
        found = verify_signed_data(der, pins, detached=lambda _: DIGEST)
        assert found.signer.certificate == dee().pin
        with pytest.raises(BadSignatureError, match="content apart"):
            verify_signed_data(der, pins)
        return
    with pytest.raises(BadSignatureError, match="does not verify"):
        verify_signed_data(der, pins, detached=lambda _: DIGEST)


@pytest.mark.parametrize("algorithm", ["sha256_rsa", "sha256_ecdsa", "sha256_dsa"])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "dsa"])
def test_a_key_signs_by_an_algorithm_of_its_own(kind: str, algorithm: str) -> None:
    by = {"rsa": ADA, "ecdsa": BOB}.get(kind) or dee()
    hashed = Prehashed(hashes.SHA256())
    how = {"rsa": (padding.PKCS1v15(), hashed), "ecdsa": (ec.ECDSA(hashed),), "dsa": (hashed,)}
    der = bare(by, by.key.sign(DIGEST, *how[kind]), algorithm)
    if algorithm == f"sha256_{kind}":
        found = verify_signed_data(der, pinned(by), detached=lambda _: DIGEST)
        assert found.signer.certificate == by.pin
        return
    with pytest.raises(BadSignatureError, match="a signature by "):
        verify_signed_data(der, pinned(by), detached=lambda _: DIGEST)


def test_sha_1_counts_only_where_something_else_is_signed_with_more() -> None:
    der = detached(JarSigning(by=ADA, digest="SHA-1"), b"listed")

    def digest(algorithm: str) -> bytes:
        return hashlib.new(algorithm, b"listed").digest()

    assert verify_signed_data(der, BY_ADA, detached=digest, weak=True).content == b""
    with pytest.raises(BadSignatureError, match="sha1, expected SHA-2"):
        verify_signed_data(der, BY_ADA, detached=digest)


def content(algorithm: str) -> bytes:
    digest = hashlib.new(algorithm, image(OURS)).digest()
    name = algos.DigestAlgorithm({"algorithm": algorithm}).dump()
    return value(0x30, IMAGE_DATA + value(0x30, name + core.OctetString(digest).dump()))


def fault(der: bytes, pins: object = BY_ADA) -> str:
    found = grafted(with_table(OURS, certificate_entry(der)), pins)  # type: ignore[arg-type]
    assert isinstance(found, Refused), found
    return found.fault


def test_what_is_signed_has_to_be_of_its_type_and_digest() -> None:
    good = cms_of(Signing(by=ADA), INDIRECT_DATA, content("sha256"))
    assert isinstance(grafted(with_table(OURS, certificate_entry(good)), BY_ADA), Graft)
    assert fault(cms_of(Signing(by=ADA), "1.3.6.1.4.1.311.10.1", content("sha256"))) == (
        "signature-unreadable"
    )
    assert fault(cms_of(Signing(by=ADA), INDIRECT_DATA, content("sha1"))) == "weak-digest"


def test_content_that_is_not_apart_is_signed_with_attributes() -> None:
    """Or attributes that somebody signed would pass as content."""
    body = content("sha256")
    der = cms.ContentInfo.load(cms_of(Signing(by=ADA), INDIRECT_DATA, body))
    info = der["content"]["signer_infos"][0]
    info["signed_attrs"] = None
    info["signature"] = ADA.sign(body[der_header(body)[0] :], "sha256")
    assert fault(der.dump(force=True)) == "signature-invalid"


def test_a_package_has_to_be_signed_as_data() -> None:
    signing = Signing(by=ADA, signed_attributes=nuget_tricks.attributes(ADA))
    text = value(0x04, nuget_tricks.content(nuget_tricks.OURS))
    der = cms_of(signing, "1.2.840.113549.1.9.16.1.4", text)
    shipped = nuget_tricks.with_entry(nuget_tricks.OURS, der)
    found = grafted(shipped, nuget_tricks.BY_ADA, nuget_tricks.OURS)
    assert isinstance(found, Refused)
    assert found.fault == "signature-unreadable"


def test_no_attribute_is_there_twice_or_has_two_values() -> None:
    twice = Signing(by=ADA, signed_attributes=(TOLD, TOLD))
    assert fault(cms_of(twice, INDIRECT_DATA, content("sha256"))) == "signature-unreadable"
    stamped = Signing(by=ADA, stamped_by=CLOCK)
    der = cms.ContentInfo.load(cms_of(stamped, INDIRECT_DATA, content("sha256")))
    info = der["content"]["signer_infos"][0]
    (stamp,) = info["unsigned_attrs"][0]["values"]
    info["unsigned_attrs"][0]["values"] = [stamp, stamp]
    pins = pinned(ADA, time_stamps=(CLOCK,))
    assert fault(der.dump(force=True), pins) == "unexpected-attribute"
    again = replace(stamped, stamped_by=CLOCK, attributes=({
        "type": "signature_time_stamp_token", "values": [stamp],
    },))  # fmt: skip
    assert fault(cms_of(again, INDIRECT_DATA, content("sha256")), pins) == "unexpected-attribute"


@pytest.mark.parametrize("field", ["issuer", "serial_number"])
def test_a_signer_is_named_by_issuer_and_number(field: str) -> None:
    other = x509.Certificate.load(EVE.der)
    der = cms.ContentInfo.load(cms_of(Signing(by=ADA), INDIRECT_DATA, content("sha256")))
    der["content"]["signer_infos"][0]["sid"].chosen[field] = getattr(other, field)
    assert fault(der.dump(force=True)) == "signature-unreadable"
