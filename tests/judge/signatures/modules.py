"""Signs small kernel modules as Linux's sign-file would, and badly in every way a test wants."""

from __future__ import annotations

import ssl
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, SubjectKeyIdentifier
from cryptography.x509.oid import NameOID

from builders.packing import XzPacking
from builders.packing.compress import compressed
from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.signing import Vendor

MAGIC = b"~Module signature appended~\n"
XZ = XzPacking(preset=6, check="crc32", dictionary=1 << 20, threads=True)


@dataclass(frozen=True)
class EdwardsVendor(Vendor):
    """One whose key nobody here signs modules with."""

    def sign(self, message: bytes, algorithm: str) -> bytes:
        return bytes(self.key.sign(message))


def edwards(name: str) -> Vendor:
    return _certified(EdwardsVendor(ed25519.Ed25519PrivateKey.generate(), b""), name, None)


def named(name: str, *, elliptic: bool = True, key_id: bool = True) -> Vendor:
    """Return a vendor whose certificate has a key identifier, as those of kernels have."""
    return _certified(Vendor.named(name, elliptic=elliptic), name, hashes.SHA256(), key_id=key_id)


def _certified(
    made: Vendor, name: str, digest: hashes.SHA256 | None, *, key_id: bool = True
) -> Vendor:
    subject = Name([NameAttribute(NameOID.COMMON_NAME, name)])
    builder = CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=made.key.public_key(),
        serial_number=7,
        not_valid_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_valid_after=datetime(2021, 1, 1, tzinfo=UTC),
    )
    if key_id:
        extension = SubjectKeyIdentifier.from_public_key(made.key.public_key())
        builder = builder.add_extension(extension, critical=False)
    der = builder.sign(made.key, digest).public_bytes(serialization.Encoding.DER)
    return replace(made, der=der)


def pinned(*signers: Vendor) -> PinnedSignature:
    return PinnedSignature(
        format=SignedFormat.KERNEL_MODULE,
        signers=tuple(one.pin for one in signers),
        public_keys=tuple(ssl.DER_cert_to_PEM_cert(one.der) for one in signers),
    )


def module(content: bytes = b"printk") -> bytes:
    """Return what is no module but begins as one."""
    return b"\x7fELF\2\1\1" + bytes(9) + content * 40


def pkcs7(
    by: Vendor,
    payload: bytes,
    *,
    algorithm: str = "sha256",
    issuer: bool = False,
    scheme: str | None = None,
) -> bytes:
    """Return the signature over a module, as DER."""
    certificate = x509.Certificate.load(by.der)
    issued = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    sid: Any = (
        {"issuer_and_serial_number": issued}
        if issuer
        else {"subject_key_identifier": certificate.key_identifier}
    )
    plain = isinstance(by.key, rsa.RSAPrivateKey)
    info = {
        "version": "v1" if issuer else "v3",
        "sid": cms.SignerIdentifier(sid),
        "digest_algorithm": {"algorithm": algorithm},
        "signature_algorithm": {
            "algorithm": scheme or ("rsassa_pkcs1v15" if plain else f"{algorithm}_ecdsa")
        },
        "signature": by.sign(payload, algorithm),
    }
    data = {
        "version": info["version"],
        "digest_algorithms": [{"algorithm": algorithm}],
        "encap_content_info": {"content_type": "data"},
        "signer_infos": [info],
    }
    signed = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(data)})
    return bytes(signed.dump())


def appended(payload: bytes, der: bytes, **fields: int) -> bytes:
    """Return a module with a signature; `fields` are those of the trailer."""
    held = {"algo": 0, "hash": 0, "kind": 2, "signer": 0, "key": 0, "length": len(der), **fields}
    return payload + der + struct.pack(">BBBBB3xI", *held.values()) + MAGIC


def signed(payload: bytes, by: Vendor, **options: Any) -> bytes:
    return appended(payload, pkcs7(by, payload, **options))


def packed(content: bytes, packing: Any = XZ) -> bytes:
    return b"".join(compressed([content], packing))
