"""Signs bytes with OpenPGP as a vendor would, and badly in every way that a test wants."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CREATED = 1_600_000_000
DIGESTS: dict[int, tuple[str, hashes.HashAlgorithm]] = {
    1: ("md5", hashes.MD5()),  # noqa: S303
    2: ("sha1", hashes.SHA1()),  # noqa: S303
    8: ("sha256", hashes.SHA256()),
    10: ("sha512", hashes.SHA512()),
    12: ("sha3_256", hashes.SHA3_256()),
}


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag]) + length(len(body)) + body


def length(size: int) -> bytes:
    return bytes([size]) if size < 192 else b"\xff" + size.to_bytes(4, "big")


def mpi(value: int) -> bytes:
    bits = value.bit_length()
    return bits.to_bytes(2, "big") + value.to_bytes((bits + 7) // 8, "big")


def subpacket(kind: int, value: bytes, *, critical: bool = False) -> bytes:
    return length(len(value) + 1) + bytes([kind | (0x80 if critical else 0)]) + value


def armor(data: bytes, what: str = "PUBLIC KEY BLOCK") -> str:
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN PGP {what}-----", "", *lines, f"-----END PGP {what}-----", ""])


SIGNS = subpacket(27, b"\3")
"""Key flags: it signs data and certifies."""


@dataclass(frozen=True)
class PgpKey:
    """A key and its number of an algorithm: 1, 17, 19, 22, 27 or 28."""

    key: Any
    algorithm: int
    user: str = "Ada <ada@example.com>"
    version: int = 4
    created: int = CREATED
    key_expires: int = 0
    certified_by: int = 8
    """The digest of its signature on itself; 0 for none."""

    @property
    def material(self) -> bytes:
        public = self.key.public_key()
        if self.algorithm == 1:
            numbers = public.public_numbers()
            return mpi(numbers.n) + mpi(numbers.e)
        if self.algorithm == 17:
            numbers = public.public_numbers()
            of = numbers.parameter_numbers
            return b"".join(map(mpi, (of.p, of.q, of.g, numbers.y)))
        if self.algorithm == 19:
            oid = bytes.fromhex("2a8648ce3d030107")
            point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return bytes([len(oid)]) + oid + mpi(int.from_bytes(point, "big"))
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        if self.algorithm == 22:
            oid = bytes.fromhex("2b06010401da470f01")
            return bytes([len(oid)]) + oid + mpi(int.from_bytes(b"\x40" + raw, "big"))
        return bytes(raw)

    @property
    def body(self) -> bytes:
        size = len(self.material).to_bytes(4, "big") if self.version == 6 else b""
        head = bytes([self.version]) + self.created.to_bytes(4, "big") + bytes([self.algorithm])
        return head + size + self.material

    @property
    def framed(self) -> bytes:
        if self.version == 6:
            return b"\x9b" + len(self.body).to_bytes(4, "big") + self.body
        return b"\x99" + len(self.body).to_bytes(2, "big") + self.body

    @property
    def fingerprint(self) -> str:
        return hashlib.new("sha256" if self.version == 6 else "sha1", self.framed).hexdigest()

    @property
    def issuer(self) -> bytes:
        return subpacket(33, bytes([self.version]) + bytes.fromhex(self.fingerprint))

    @property
    def key_id(self) -> bytes:
        text = self.fingerprint
        return subpacket(16, bytes.fromhex(text[:16] if self.version == 6 else text[-16:]))

    def block(self, *subkeys: bytes) -> bytes:
        """Return its public key with a user ID and a signature on it, as packets."""
        user = self.user.encode()
        about = self.framed + b"\xb4" + len(user).to_bytes(4, "big") + user
        expires = subpacket(9, self.key_expires.to_bytes(4, "big")) if self.key_expires else b""
        own = (
            Signature(by=self, kind=0x13, digest=self.certified_by, more=expires + SIGNS).packet(
                about
            )
            if self.certified_by
            else b""
        )
        return b"".join([packet(6, self.body), packet(13, user), own, *subkeys])

    @property
    def armored(self) -> str:
        return armor(self.block())

    def subkey(self, key: PgpKey, *, bound: bool = True, claimed: bool = True) -> bytes:
        """Return another key as a subkey of this one; `claimed` by it, `bound` by this one."""
        about = self.framed + key.framed
        by = Signature(by=key, kind=0x19).body(about)
        more = SIGNS + (subpacket(32, by) if claimed else b"")
        binding = Signature(by=self, kind=0x18, more=more).packet(about) if bound else b""
        return packet(14, key.body) + binding

    def signed(self, digest: bytes, of: hashes.HashAlgorithm) -> bytes:
        """Return what a signature packet has of a signature over a digest."""
        if self.algorithm == 1:
            made = self.key.sign(digest, padding.PKCS1v15(), Prehashed(of))
            return mpi(int.from_bytes(made, "big"))
        if self.algorithm == 17:
            pair = decode_dss_signature(self.key.sign(digest, Prehashed(of)))
            return mpi(pair[0]) + mpi(pair[1])
        if self.algorithm == 19:
            pair = decode_dss_signature(self.key.sign(digest, ec.ECDSA(Prehashed(of))))
            return mpi(pair[0]) + mpi(pair[1])
        made = self.key.sign(digest)
        if self.algorithm == 22:
            return mpi(int.from_bytes(made[:32], "big")) + mpi(int.from_bytes(made[32:], "big"))
        return bytes(made)


@dataclass(frozen=True, kw_only=True)
class Signature:
    """How bytes are signed; the defaults are right."""

    by: PgpKey
    kind: int = 0
    digest: int = 8
    created: bytes = subpacket(2, CREATED.to_bytes(4, "big"))
    more: bytes = b""
    """Other subpackets that are signed."""
    issuer: bytes | None = None
    unhashed: bytes | None = None
    prefix: bytes | None = None
    material: bytes | None = None
    rest: bytes = field(default=b"")
    algorithm: int | None = None
    version: int | None = None

    def body(self, data: bytes) -> bytes:
        version = self.version or self.by.version
        width = 4 if version == 6 else 2
        issuer = self.by.issuer if self.issuer is None else self.issuer
        hashed = issuer + self.created + self.more
        covered = (
            bytes([version, self.kind, self.algorithm or self.by.algorithm, self.digest])
            + len(hashed).to_bytes(width, "big")
            + hashed
        )
        salt = b"\x07" * 16 if version == 6 else b""
        name, of = DIGESTS[self.digest]
        trailer = bytes([version, 0xFF]) + len(covered).to_bytes(4, "big")
        digest = hashlib.new(name, salt + data + covered + trailer).digest()
        unhashed = self.by.key_id if self.unhashed is None else self.unhashed
        return b"".join(
            [
                covered,
                len(unhashed).to_bytes(width, "big"),
                unhashed,
                digest[:2] if self.prefix is None else self.prefix,
                bytes([len(salt)]) + salt if version == 6 else b"",
                self.by.signed(digest, of) if self.material is None else self.material,
                self.rest,
            ]
        )

    def packet(self, data: bytes) -> bytes:
        return packet(2, self.body(data))

    def former(self, data: bytes) -> bytes:
        """Return a packet of version 3, as older programs write it."""
        covered = bytes([self.kind]) + CREATED.to_bytes(4, "big")
        name, of = DIGESTS[self.digest]
        digest = hashlib.new(name, data + covered).digest()
        issuer = bytes.fromhex(self.by.fingerprint[-16:])
        head = b"\3\5" + covered + issuer + bytes([self.by.algorithm, self.digest])
        return packet(2, head + digest[:2] + self.by.signed(digest, of))


def ed25519_key(user: str = "Ada <ada@example.com>", **fields: Any) -> PgpKey:
    """Return the key of a user, which is always the same, as are its signatures.

    One signature in a hundred is a byte shorter, and gpgv finds no end of an armor that has
    neither padding nor a checksum.
    """
    seed = hashlib.sha256(f"{user} {fields}".encode()).digest()
    return PgpKey(ed25519.Ed25519PrivateKey.from_private_bytes(seed), 22, user, **fields)
