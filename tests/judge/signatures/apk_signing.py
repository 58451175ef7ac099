"""Signs small Android packages and jar archives as a vendor would, and badly where a test wants."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from asn1crypto import cms, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_der_x509_certificate

from tests.judge.signatures.signing import Vendor
from tests.judge.signatures.zips import Item, Layout, aligned, laid_out

V2, V3, V31, PADDING = 0x7109871A, 0xF05368C0, 0x1B93AD61, 0x42726577
STRIPPING, LINEAGE, ROTATION = 0xBEEFF00D, 0x3BA06F8C, 0x559F8B02
MAGIC = b"APK Sig Block 42"


def u32(number: int) -> bytes:
    """Return a number in 4 bytes."""
    return struct.pack("<I", number)


def sized(data: bytes) -> bytes:
    """Return bytes with their length before them."""
    return u32(len(data)) + data


def numbered(*pairs: tuple[int, bytes]) -> bytes:
    """Return numbers with bytes, each pair with its length before it."""
    return b"".join(sized(u32(number) + sized(data)) for number, data in pairs)


def chunked(parts: Iterable[bytes], algorithm: str = "sha256") -> bytes:
    """Return the digest of a package that versions 2 and 3 sign."""
    found = []
    for part in parts:
        for at in range(0, len(part), 1 << 20):
            chunk = part[at : at + (1 << 20)]
            found.append(hashlib.new(algorithm, b"\xa5" + u32(len(chunk)) + chunk).digest())
    return hashlib.new(algorithm, b"\x5a" + u32(len(found)) + b"".join(found)).digest()


@dataclass(frozen=True, kw_only=True)
class ApkSigning:
    """One signer of version 2, 3 or 3.1; the defaults are right."""

    by: Vendor
    algorithm: int | None = None
    certificates: tuple[bytes, ...] = ()
    attributes: tuple[tuple[int, bytes], ...] = ()
    versions: tuple[int, int] = (24, 0x7FFFFFFF)
    outer: tuple[int, int] | None = None
    """The versions of Android beside what is signed."""
    digest: bytes | None = None
    key: bytes | None = None
    signature: bytes | None = None
    signed_algorithm: int | None = None
    """The algorithm that the digest is said to be for."""
    rest: bytes = b""
    """After the last field of the signer."""

    @property
    def number(self) -> int:
        """The number of the algorithm."""
        usual = 0x0103 if isinstance(self.by.key, rsa.RSAPrivateKey) else 0x0201
        return usual if self.algorithm is None else self.algorithm

    def signer(self, parts: list[bytes], *, ranged: bool) -> bytes:
        """Return the signer over a package, without its length."""
        hashed = "sha512" if self.number in (0x0102, 0x0104, 0x0202) else "sha256"
        digest = chunked(parts, hashed) if self.digest is None else self.digest
        certificates = b"".join(map(sized, (self.by.der, *self.certificates)))
        attributes = b"".join(sized(u32(kind) + data) for kind, data in self.attributes)
        said = self.number if self.signed_algorithm is None else self.signed_algorithm
        data = sized(numbered((said, digest))) + sized(certificates)
        data += (u32(self.versions[0]) + u32(self.versions[1])) * ranged + sized(attributes)
        data += b"" if ranged else u32(0)
        signature = self.signature or sign(self.by, data, self.number)
        outer = self.outer or self.versions
        made = sized(data) + (u32(outer[0]) + u32(outer[1])) * ranged
        key = load_der_x509_certificate(self.by.der).public_key()
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return made + sized(numbered((self.number, signature))) + sized(self.key or der) + self.rest


def sign(by: Vendor, data: bytes, number: int) -> bytes:
    """Sign by the algorithm of a number."""
    algorithm = hashes.SHA512() if number in (0x0102, 0x0104, 0x0202) else hashes.SHA256()
    if number in (0x0101, 0x0102):
        pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return bytes(by.key.sign(data, pss, algorithm))
    return by.sign(data, algorithm.name)


def lineage(*vendors: Vendor, forged: bool = False, version: int = 1, said: int = 0) -> bytes:
    """Return the attribute with which each vendor names the next one.

    `said` is the algorithm that each says it signs the next one by, in place of the right one.
    """
    nodes, before = b"", None
    for one in vendors:
        number = 0x0103 if isinstance(one.key, rsa.RSAPrivateKey) else 0x0201
        by = (0x0103 if isinstance(before.key, rsa.RSAPrivateKey) else 0x0201) if before else 0
        data = sized(one.der) + u32(by)
        signature = sign(one if forged else before, data, by) if before else b""
        nodes += sized(sized(data) + u32(0x17) + u32(said or number) + sized(signature))
        before = one
    return u32(version) + nodes


def block(*values: tuple[int, bytes], pages: bool = False) -> bytes:
    """Return a signing block; `pages` pads it to 4096 bytes."""
    body = b"".join(struct.pack("<QI", len(data) + 4, kind) + data for kind, data in values)
    if pages:
        zeros = bytes(-(len(body) + 32 + 12) % 4096)
        body += struct.pack("<QI", len(zeros) + 4, PADDING) + zeros
    size = struct.pack("<Q", len(body) + 24)
    return size + body + size + MAGIC


@dataclass(frozen=True, kw_only=True)
class JarSigning:
    """One signer of version 1; the defaults are right."""

    by: Vendor
    name: str = "CERT"
    schemes: str | None = None
    digest: str = "SHA-256"
    certificates: tuple[bytes, ...] = ()
    main: dict[str, str] | None = None
    """Attributes of the manifest, after its version."""
    listed: dict[str, str] = field(default_factory=dict)
    """Attributes of the .SF."""
    sections: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of the manifest, by name: what is added, or in place of what is right."""
    skipped: tuple[str, ...] = ()
    """Entries that are not in the manifest."""
    attributes: bool = False
    """Whether the PKCS #7 has signed attributes."""
    signature: bytes | None = None
    stored: bool = False
    content_type: str = "data"


def section(attributes: dict[str, str]) -> bytes:
    """Return a section of a manifest, in lines of at most 72 bytes; none for empty values."""
    made = b""
    for name, text in attributes.items():
        if not text:
            continue
        line = f"{name}: {text}".encode()
        made += line[:70] + b"\r\n"
        for at in range(70, len(line), 69):
            made += b" " + line[at : at + 69] + b"\r\n"
    return made + b"\r\n"


def digested(algorithm: str, data: bytes) -> str:
    """Return a digest as a manifest has it."""
    return base64.b64encode(hashlib.new(algorithm.replace("-", ""), data).digest()).decode()


def signature_files(items: Iterable[Item], *signings: JarSigning) -> list[Item]:
    """Return the entries of version 1 over other entries."""
    first, name = signings[0], f"{signings[0].digest}-Digest"
    usual = {"Manifest-Version": "1.0", "Created-By": "1.0 (Android)"}
    main = section(usual if first.main is None else {"Manifest-Version": "1.0", **first.main})
    sections = {
        item.name: section(
            {
                "Name": item.name,
                name: digested(first.digest, item.content),
                **first.sections.get(item.name, {}),
            }
        )
        for item in items
        if not item.name.endswith("/") and item.name not in first.skipped
    }
    for extra in first.sections.keys() - sections.keys():
        sections[extra] = section({"Name": extra, **first.sections[extra]})
    manifest = main + b"".join(sections.values())
    found = [Item(name="META-INF/MANIFEST.MF", content=manifest, stored=first.stored)]
    for one in signings:
        head = {
            "Signature-Version": "1.0",
            "Created-By": "1.0 (Android)",
            f"{one.digest}-Digest-Manifest": digested(one.digest, manifest),
            **({"X-Android-APK-Signed": one.schemes} if one.schemes else {}),
            **one.listed,
        }
        listed = section({n: v for n, v in head.items() if v}) + b"".join(
            section({"Name": entry, f"{one.digest}-Digest": digested(one.digest, raw)})
            for entry, raw in sections.items()
        )
        found.append(Item(name=f"META-INF/{one.name}.SF", content=listed, stored=first.stored))
        ending = "RSA" if isinstance(one.by.key, rsa.RSAPrivateKey) else "EC"
        found.append(Item(name=f"META-INF/{one.name}.{ending}", content=detached(one, listed)))
    return found


def detached(signing: JarSigning, content: bytes) -> bytes:
    """Return a PKCS #7 beside its content."""
    by, algorithm = signing.by, signing.digest.replace("-", "").lower()
    certificate = x509.Certificate.load(by.der)
    info: dict[str, Any] = {
        "version": "v1",
        "sid": {
            "issuer_and_serial_number": {
                "issuer": certificate.issuer,
                "serial_number": certificate.serial_number,
            }
        },
        "digest_algorithm": {"algorithm": algorithm},
        "signature_algorithm": {
            "algorithm": "rsassa_pkcs1v15"
            if isinstance(by.key, rsa.RSAPrivateKey)
            else f"{algorithm}_ecdsa"
        },
    }
    message = content
    if signing.attributes:
        info["signed_attrs"] = attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["data"]},
                {
                    "type": "message_digest",
                    "values": [hashlib.new(algorithm, content).digest()],
                },
            ]
        )
        message = attributes.dump()
    info["signature"] = signing.signature or by.sign(message, algorithm)
    data = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": algorithm}],
            "encap_content_info": {"content_type": signing.content_type},
            "certificates": [
                cms.CertificateChoices.load(der) for der in (by.der, *signing.certificates)
            ],
            "signer_infos": [info],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": data}).dump())


Values = Callable[[list[bytes]], Iterable[tuple[int, bytes]]]
"""Returns the values of a signing block over the parts of a package."""


def signers(kind: int, *signings: ApkSigning) -> Values:
    """Return how a value with signers is made."""
    return lambda parts: [
        (
            kind,
            sized(b"".join(sized(one.signer(parts, ranged=kind != V2)) for one in signings)),
        )
    ]


@dataclass(frozen=True, kw_only=True)
class Package:
    """How a package is signed and laid out."""

    first: tuple[JarSigning, ...] = ()
    values: tuple[Values, ...] = ()
    stated: bool | None = None
    """Whether contents are aligned as apksigner does it, or else as zipalign does."""
    pages: bool = False
    """Whether the block begins and ends at a page."""
    between: bytes = b""
    after: bytes = b""
    changed: Callable[[list[Item]], list[Item]] = list
    """Applied to the entries after version 1 signed them."""
    front: bool = False
    """Whether the files of version 1 come first, as jarsigner writes them."""

    def layout(self, items: Iterable[Item]) -> Layout:
        """Return the parts without the signing block."""
        plain = list(items)
        found = plain if self.stated is None else aligned(plain, stated=self.stated)
        if self.first:
            made = signature_files(plain, *self.first)
            found = made + found if self.front else found + made
        found = self.changed(found)
        made_ = laid_out(found, between=self.between, after=self.after)
        if self.pages:
            after = self.after + bytes(-len(made_.entries) % 4096)
            made_ = laid_out(found, between=self.between, after=after)
        return made_

    def made(self, items: Iterable[Item]) -> bytes:
        """Return the signed package."""
        layout = self.layout(items)
        if not self.values:
            return layout.made()
        start = len(layout.entries)
        parts = [layout.entries, layout.directory, layout.end(start)]
        return layout.made(
            block(*(v for made in self.values for v in made(parts)), pages=self.pages)
        )
