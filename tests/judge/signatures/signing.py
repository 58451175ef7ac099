"""Signs small PE files as a vendor would, and badly in every way that a test wants."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import (
    CertificateBuilder,
    Name,
    NameAttribute,
    random_serial_number,
)
from cryptography.x509.oid import NameOID

from builders.core.digest import Digest
from pipelines.judge.signatures.der import children, der_header

PE = 0x40
CHECKSUM = PE + 24 + 64
ENTRY = PE + 24 + 112 + 4 * 8
SECTION = ENTRY + 12 * 8
HEADERS = 0x200
INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
TIME_STAMP = "1.3.6.1.4.1.311.3.3.1"
IMAGE_DATA = bytes.fromhex("3017060a2b06010401823702010f3009030100a004a2028000")


def program(content: bytes = b"echo\n") -> bytes:
    """Return an unsigned PE32+ file; nothing runs it."""
    head = bytearray(HEADERS)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, PE)
    head[PE : PE + 4] = b"PE\0\0"
    struct.pack_into("<HHH", head, PE + 20, 112 + 16 * 8, 0, 0x20B)
    struct.pack_into("<HH", head, PE + 4, 0x8664, 1)
    struct.pack_into("<H", head, PE + 22, 0x22E)
    struct.pack_into("<II", head, PE + 24 + 32, 0x1000, 0x200)
    struct.pack_into("<II", head, PE + 24 + 56, 0x2000, HEADERS)
    struct.pack_into("<H", head, PE + 24 + 68, 10)
    struct.pack_into("<I", head, PE + 24 + 108, 16)
    place = struct.pack("<IIII", len(content), 0x1000, len(content), HEADERS)
    head[SECTION : SECTION + 24] = b".text".ljust(8, b"\0") + place
    return bytes(head) + content


@dataclass(frozen=True)
class Vendor:
    """A key and its certificate."""

    key: Any
    der: bytes

    @classmethod
    def named(cls, name: str, *, elliptic: bool = False, until: int = 2999) -> Vendor:
        key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if elliptic
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        return cls.of(name, key, until=until)

    @classmethod
    def of(cls, name: str, key: Any, *, until: int = 2999) -> Vendor:
        """Return a vendor with this key."""
        subject = Name([NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(until, 1, 1, tzinfo=UTC))
            .sign(key, hashes.SHA256())
        )
        return cls(key, made.public_bytes(serialization.Encoding.DER))

    @property
    def pin(self) -> Digest:
        return Digest.of(self.der)

    def sign(self, message: bytes, algorithm: str) -> bytes:
        chosen = getattr(hashes, algorithm.upper())()
        if isinstance(self.key, rsa.RSAPrivateKey):
            return bytes(self.key.sign(message, padding.PKCS1v15(), chosen))
        return bytes(self.key.sign(message, ec.ECDSA(chosen)))


@dataclass(frozen=True, kw_only=True)
class Signing:
    """How a file is signed; the defaults are right."""

    by: Vendor
    certificates: tuple[bytes, ...] = ()
    algorithm: str = "sha256"
    signed: bytes | None = None
    """What is signed in place of the digest of the file."""
    attributes: tuple[Any, ...] = ()
    """Unauthenticated ones."""
    signed_attributes: tuple[Any, ...] = ()
    """Beside those that are always there."""
    countersigned: Signing | None = None
    stamped_by: Vendor | None = None
    stamped: bytes | None = None
    """What is stamped in place of the signature."""
    stamp_type: str = "tst_info"
    stamp_attribute: str = "microsoft_time_stamp_token"
    image_data: bytes = IMAGE_DATA
    signature: bytes | None = None
    """In place of the signature."""
    twice: bool = field(default=False)
    """Whether there are two signers in one PKCS #7."""

    def pkcs7(self, unsigned: bytes) -> bytes:
        """Return the signature over a PE file, as DER."""
        return self.over(image(unsigned))

    def over(self, covered: bytes) -> bytes:
        """Return the signature over what Authenticode hashes of a file, as DER."""
        digest = self.signed or hashlib.new(self.algorithm, covered).digest()
        algorithm = algos.DigestAlgorithm({"algorithm": self.algorithm}).dump()
        info = value(0x30, algorithm + core.OctetString(digest).dump())
        return cms_of(self, INDIRECT_DATA, value(0x30, self.image_data + info))


def value(tag: int, content: bytes) -> bytes:
    """Return a DER value."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def cms_of(signing: Signing, kind: str, content: bytes) -> bytes:
    """Return a PKCS #7 over `content`, a DER value whose own content is what is signed."""
    oid = cms.ContentType(kind).dump()
    info = signer_info(signing, kind, content[der_header(content)[0] :])
    data = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": signing.algorithm}],
            "encap_content_info": cms.ContentInfo.load(value(0x30, oid + value(0xA0, content))),
            "certificates": [
                cms.CertificateChoices.load(der) for der in (signing.by.der, *signing.certificates)
            ],
            "signer_infos": [info] * (2 if signing.twice else 1),
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": data}).dump())


def signer_info(signing: Signing, kind: str | None, message: bytes) -> dict[str, Any]:
    """Return the SignerInfo over a message; that of a countersignature has no `kind`."""
    attributes = cms.CMSAttributes(
        [
            *([{"type": "content_type", "values": [kind]}] if kind else []),
            {
                "type": "message_digest",
                "values": [hashlib.new(signing.algorithm, message).digest()],
            },
            *signing.signed_attributes,
        ]
    )
    certificate = x509.Certificate.load(signing.by.der)
    signature = signing.signature or signing.by.sign(attributes.dump(), signing.algorithm)
    elliptic = not isinstance(signing.by.key, rsa.RSAPrivateKey)
    info = {
        "version": "v1",
        "sid": {
            "issuer_and_serial_number": {
                "issuer": certificate.issuer,
                "serial_number": certificate.serial_number,
            }
        },
        "digest_algorithm": {"algorithm": signing.algorithm},
        "signed_attrs": attributes,
        "signature_algorithm": {
            "algorithm": f"{signing.algorithm}_ecdsa" if elliptic else "rsassa_pkcs1v15"
        },
        "signature": signature,
    }
    unsigned = list(signing.attributes)
    if signing.stamped_by:
        stamp = _stamp(signing, signing.stamped or signature)
        unsigned.append({"type": signing.stamp_attribute, "values": [stamp]})
    if signing.countersigned:
        counter = signer_info(signing.countersigned, None, signature)
        unsigned.append({"type": "counter_signature", "values": [counter]})
    if unsigned:
        info["unsigned_attrs"] = cms.CMSAttributes(unsigned)
    return info


def _stamp(signing: Signing, message: bytes) -> Any:
    about = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": hashlib.sha256(message).digest(),
            },
            "serial_number": 1,
            "gen_time": datetime(2020, 6, 1, tzinfo=UTC),
        }
    )
    content = value(0x04, about.dump())
    return cms.ContentInfo.load(
        cms_of(Signing(by=signing.stamped_by or signing.by), signing.stamp_type, content)
    )


def edited(der: bytes, change: Callable[[bytes], bytes], *path: int) -> bytes:
    """Return DER with the value at `path` changed, and the lengths of all around it right."""
    parts = [der[one.start : one.end] for one in children(der, 0, len(der))]
    if len(path) == 1:
        parts[path[0]] = change(parts[path[0]])
    else:
        around = parts[path[0]]
        inner = edited(around[der_header(around)[0] :], change, *path[1:])
        parts[path[0]] = value(around[0], inner)
    return b"".join(parts)


def image(unsigned: bytes) -> bytes:
    """Return what Authenticode hashes of an unsigned file."""
    padded = unsigned + bytes(-len(unsigned) % 8)
    return padded[:CHECKSUM] + padded[CHECKSUM + 4 : ENTRY] + padded[ENTRY + 8 :]


def certificate_entry(pkcs7: bytes, *, padded: bool = False) -> bytes:
    """Return a WIN_CERTIFICATE; `padded` counts its padding in its length, as some tools do."""
    padding_ = bytes(-(len(pkcs7) + 8) % 8)
    length = len(pkcs7) + 8 + (len(padding_) if padded else 0)
    return struct.pack("<IHH", length, 0x0200, 2) + pkcs7 + padding_


def with_table(unsigned: bytes, table: bytes) -> bytes:
    """Return a file with a certificate table, and with the checksum that it then has."""
    padded = bytearray(unsigned + bytes(-len(unsigned) % 8))
    struct.pack_into("<II", padded, ENTRY, len(padded), len(table))
    padded[CHECKSUM : CHECKSUM + 4] = bytes(4)
    whole = bytes(padded) + table
    total = sum(struct.unpack(f"<{len(whole) // 2}H", whole[: len(whole) & ~1]))
    if len(whole) & 1:
        total += whole[-1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("<I", padded, CHECKSUM, total + len(whole))
    return bytes(padded) + table


def signed(unsigned: bytes, *signings: Signing, padded: bool = False) -> bytes:
    """Return a file with one certificate entry for each signing."""
    entries = [certificate_entry(s.pkcs7(unsigned), padded=padded) for s in signings]
    return with_table(unsigned, b"".join(entries))
