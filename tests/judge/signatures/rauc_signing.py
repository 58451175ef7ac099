"""Makes small RAUC bundles, and signs them as `rauc bundle` does."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import load_der_x509_certificate

from pipelines.judge.signatures.verity import hash_tree
from tests.judge.signatures.signing import Vendor

BLOCK = 4096
SALT = bytes(range(32))


def squashfs(content: bytes = b"an image", blocks: int = 3) -> bytes:
    """Return what begins as a squashfs, and says that it uses some bytes less than it has."""
    size = blocks * BLOCK
    head = b"hsqs".ljust(40, b"\0") + struct.pack("<Q", size - 100)
    return (head.ljust(96, b"\0") + content * 100).ljust(size, b"\0")


def cms(by: Vendor, content: bytes, *others: Vendor, detached: bool = False) -> bytes:
    """Return a CMS SignedData over content."""
    made = pkcs7.PKCS7SignatureBuilder().set_data(content)
    made = made.add_signer(load_der_x509_certificate(by.der), by.key, hashes.SHA256())
    for one in others:
        made = made.add_certificate(load_der_x509_certificate(one.der))
    options = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]
    if detached:
        options.append(pkcs7.PKCS7Options.DetachedSignature)
    return made.sign(Encoding.DER, options)


def sized(payload: bytes, signature: bytes) -> bytes:
    """Return a bundle of payload and signature."""
    return payload + signature + struct.pack(">Q", len(signature))


def plain(by: Vendor, image: bytes, *others: Vendor) -> bytes:
    return sized(image, cms(by, image, *others, detached=True))


@dataclass(frozen=True, kw_only=True)
class Verity:
    """A bundle of format verity; the defaults are right."""

    image: bytes = squashfs()
    salt: bytes = SALT
    kind: str = "verity"
    root: bytes | None = None
    tree: bytes | None = None
    size: int | None = None
    more: str = ""
    """More lines of the manifest."""
    update: str = "[update]\ncompatible=box\nversion=1\n\n"

    @property
    def manifest(self) -> bytes:
        made = hash_tree(io.BytesIO(self.image), len(self.image), self.salt)
        root = made.root if self.root is None else self.root
        size = len(made.tree) if self.size is None else self.size
        return (
            f"{self.update}[bundle]\nformat={self.kind}\n"
            f"verity-hash={root.hex()}\nverity-salt={self.salt.hex()}\nverity-size={size}\n"
            f"{self.more}"
        ).encode()

    @property
    def payload(self) -> bytes:
        tree = hash_tree(io.BytesIO(self.image), len(self.image), self.salt).tree
        return self.image + (tree if self.tree is None else self.tree)

    def by(self, vendor: Vendor, *others: Vendor) -> bytes:
        return sized(self.payload, cms(vendor, self.manifest, *others))
