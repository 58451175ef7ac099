"""One signer of an Android package: its signature, its key, and the keys that it had before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import CertificateBuilder, load_der_x509_certificate

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.apk_block import BlockField, Signed
from pipelines.judge.signatures.apk_signer import LINEAGE, lineage_certificates, verify_signer
from pipelines.judge.signatures.signature_format import BadSignatureError
from tests.judge.signatures.apk_signing import lineage, sign, sized, u32
from tests.judge.signatures.pe_tricks import ADA, BOB, ODD
from tests.judge.signatures.signing import Vendor, edited

DATA, DIGEST = b"what is signed", b"digest of the file"
PINNED = PinnedSignature(format=SignedFormat.APK, signers=(ADA.pin, BOB.pin))
RSA, ELLIPTIC = (0x0101, 0x0102, 0x0103, 0x0104), (0x0201, 0x0202)
KINDS = [*((ADA, kind) for kind in RSA), *((BOB, kind) for kind in ELLIPTIC)]


def field(data: bytes) -> BlockField:
    return BlockField(data=data, at=0)


def signed(by: Vendor, kind: int, data: bytes = DATA, **changes: Any) -> Signed:
    """Return a signer that signed `data`; the rest is right."""
    key = by.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    made = Signed(
        data=field(DATA),
        digests=((kind, DIGEST),),
        certificates=(by.der,),
        attributes=(),
        signatures=((kind, field(sign(by, data, kind))),),
        key=key,
        versions=None,
    )
    return replace(made, **changes)


def verified(one: Signed) -> Any:
    return verify_signer(one, lambda _: DIGEST, PINNED, known=frozenset({LINEAGE}))


@pytest.mark.parametrize(("by", "kind"), KINDS)
def test_a_signature_is_over_what_is_signed(by: Vendor, kind: int) -> None:
    assert verified(signed(by, kind)).certificate == by.pin
    with pytest.raises(BadSignatureError, match="does not verify"):
        verified(signed(by, kind, b"something else"))


@pytest.mark.parametrize(
    ("by", "kind"), [(ADA, 0x0201), (ADA, 0x0301), (BOB, 0x0101), (BOB, 0x0103), (BOB, 0x0301)]
)
def test_a_key_signs_by_algorithms_of_its_kind(by: Vendor, kind: int) -> None:
    own = signed(by, 0x0103 if by is ADA else 0x0201)
    ((_, signature),) = own.signatures
    one = replace(own, signatures=((kind, signature),), digests=((kind, DIGEST),))
    with pytest.raises(BadSignatureError, match="with a key of another kind"):
        verified(one)


def test_a_key_of_dsa_signs() -> None:
    key = dsa.generate_private_key(1024)  # noqa: S505
    name = load_der_x509_certificate(ADA.der).subject
    made = CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
    der = made.sign(key, SHA256()).public_bytes(Encoding.DER)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pinned = PinnedSignature(format=SignedFormat.APK, signers=(Digest.of(der),))

    def verify(data: bytes, kind: int = 0x0301) -> Any:
        signatures = ((kind, field(key.sign(data, SHA256()))),)
        own = replace(ONE, certificates=(der,), key=public, signatures=signatures)
        one = replace(own, digests=((kind, DIGEST),))
        return verify_signer(one, lambda _: DIGEST, pinned, known=frozenset())

    assert verify(DATA).certificate == Digest.of(der)
    with pytest.raises(BadSignatureError, match="does not verify"):
        verify(b"something else")
    with pytest.raises(BadSignatureError, match="with a key of another kind"):
        verify(DATA, 0x0103)


ONE = signed(ADA, 0x0103)
UNKNOWN_KEY = edited(ADA.der, lambda _: b"\x06\x03\x2a\x03\x04", 0, 0, 6, 0, 0)
"""A certificate of a key by an algorithm that nobody knows."""


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (replace(ONE, certificates=()), "signature-unreadable"),
        (replace(ONE, certificates=(ODD.der,)), "signature-unreadable"),
        (replace(ONE, certificates=(UNKNOWN_KEY,)), "signature-unreadable"),
        (replace(ONE, signatures=(), digests=()), "signature-unreadable"),
        (replace(ONE, signatures=ONE.signatures * 2, digests=ONE.digests * 2), "signature-invalid"),
        (replace(ONE, digests=((0x0104, DIGEST),)), "signature-invalid"),
        (replace(ONE, key=b"another"), "signature-invalid"),
        (replace(ONE, digests=((0x0103, b"another"),)), "signed-other-bytes"),
    ],
)
def test_a_signer_that_must_not_count(one: Signed, fault: str) -> None:
    with pytest.raises(BadSignatureError) as raised:
        verified(one)
    assert raised.value.refused.fault == fault


def node(
    vendor: Vendor, by: int = 0, signature: bytes = b"", *, inner: bytes = b"", outer: bytes = b""
) -> bytes:
    """Return a node of a lineage, with something behind its fields."""
    data = sized(vendor.der) + u32(by) + inner
    return sized(sized(data) + u32(0x17) + u32(0x0103) + sized(signature) + outer)


def after(value: bytes) -> Signed:
    return replace(ONE, attributes=((LINEAGE, value),))


def test_a_lineage_names_the_certificates_before() -> None:
    one = after(lineage(BOB, ADA))
    assert verified(one).lineage == (BOB.pin, ADA.pin)
    assert lineage_certificates(one) == [BOB.der, ADA.der]
    assert lineage_certificates(ONE) == []


@pytest.mark.parametrize(
    "made",
    [
        node(ADA, by=0x0103),
        node(ADA, signature=b"x"),
        node(ADA, inner=b"x"),
        node(ADA, outer=b"x"),
    ],
    ids=["algorithm", "signature", "more that is signed", "more"],
)
def test_a_lineage_with_something_more_is_not_read(made: bytes) -> None:
    assert verified(after(u32(1) + node(ADA))).lineage == (ADA.pin,)
    with pytest.raises(BadSignatureError):
        verified(after(u32(1) + made))
