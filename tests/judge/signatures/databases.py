"""Makes and signs small ClamAV databases as sigtool would, and badly in every way a test wants."""

from __future__ import annotations

import hashlib
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat

MEMBERS = {
    b"COPYING": b"GPL" * 99,
    b"test.hdb": b"aa:1:Eicar\n",
    b"test.ndb": b"Win.A:0:*:6161\nWin.B:0:*:6262\n",
}
_DIGITS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "+/"


@dataclass(frozen=True)
class Key:
    """A key of ClamAV: no certificate."""

    key: rsa.RSAPrivateKey

    @classmethod
    def made(cls, size: int) -> Key:
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=size))

    @property
    def pem(self) -> str:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    @property
    def pin(self) -> Digest:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return Digest.of(self.key.public_key().public_bytes(serialization.Encoding.DER, form))

    def bare(self, number: int) -> bytes:
        """Return the signature of a header: of an MD5, without padding."""
        numbers = self.key.private_numbers()
        return encoded(pow(number, numbers.d, numbers.public_numbers.n))

    def pss(self, data: bytes, salt: int = 32) -> bytes:
        """Return the signature of a .info."""
        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=salt)
        return encoded(int.from_bytes(self.key.sign(data, scheme, hashes.SHA256()), "big"))

    def by_hand(self, data: bytes, *, last: int = 0xBC, padding_: bytes = b"\1") -> bytes:
        """Return a signature of a .info with another end or padding (RFC 8017, 9.1.1)."""
        salt = b"s" * 32
        seed = hashlib.sha256(bytes(8) + hashlib.sha256(data).digest() + salt).digest()
        block_ = padding_.rjust(191, b"\0") + salt
        rounds = (hashlib.sha256(seed + n.to_bytes(4, "big")).digest() for n in range(7))
        mask = b"".join(rounds)[: len(block_)]
        masked = int.from_bytes(block_, "big") ^ int.from_bytes(mask, "big")
        masked &= (1 << 8 * len(block_) - 1) - 1
        whole = masked.to_bytes(len(block_), "big") + seed + bytes([last])
        return self.bare(int.from_bytes(whole, "big"))

    def unreduced(self, signature: bytes) -> bytes:
        """Return another number that opens to the same."""
        digits = enumerate(signature.decode())
        number = sum(_DIGITS.index(digit) << 6 * place for place, digit in digits)
        return encoded(number + self.key.private_numbers().public_numbers.n)


def encoded(number: int) -> bytes:
    digits = []
    while number:
        number, digit = divmod(number, 64)
        digits.append(_DIGITS[digit])
    return "".join(digits).encode()


STRONG, WEAK, EVE = Key.made(2048), Key.made(1024), Key.made(1024)


def pinned(*signers: Key) -> PinnedSignature:
    return PinnedSignature(
        format=SignedFormat.CVD,
        signers=tuple(one.pin for one in signers),
        public_keys=tuple(one.pem for one in signers),
    )


def block(name: bytes, content: bytes, fields: Mapping[int, bytes] | None = None) -> bytes:
    """Return a member of a tar as ClamAV writes it."""
    head = bytearray(512)
    head[: len(name)] = name
    for at, data in {124: b"%o" % len(content), **(fields or {})}.items():
        head[at : at + len(data)] = data
    head[148:156] = b" " * 8
    head[148:156] = (b"%06o" % sum(head)).ljust(8, b"\0")
    return bytes(head) + content + bytes(-len(content) % 512)


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database; the defaults are right."""

    members: Mapping[bytes, bytes] = field(default_factory=lambda: MEMBERS)
    time: bytes = b"28 Nov 2026 02-00 +0000"
    version: bytes = b"7"
    sigs: bytes = b"3"
    level: bytes = b"90"
    builder: bytes = b"root"
    clock: bytes = b"1795831200"
    listed: Mapping[bytes, bytes] | None = None
    """What the .info lists, if other than the members."""
    claims: bytes | None = None
    """The first line of the .info, if other than the header."""
    strong: Key | None = None
    weak: Key | None = None
    info_signature: bytes | None = None
    """In place of that of the .info."""
    header_signature: bytes | None = None
    md5: bytes | None = None
    after_info: bytes = b""
    extra: bytes = b""
    """At the end of the tar."""
    level_of_gzip: int = 9
    strategy: int = zlib.Z_FILTERED
    after: bytes = b""
    """Behind the gzip."""

    def header(self, md5: bytes, signature: bytes) -> bytes:
        return b":".join(
            [
                b"ClamAV-VDB", self.time, self.version, self.sigs, self.level, md5, signature,
                self.builder, self.clock,
            ]
        )  # fmt: skip

    @property
    def info(self) -> bytes:
        listed = self.members if self.listed is None else self.listed
        lines = [self.claims or self.header(b"X", b"X")]
        lines += [
            b"%s:%d:%s" % (name, len(data), hashlib.sha256(data).hexdigest().encode())
            for name, data in listed.items()
            if name != b"COPYING"
        ]
        body = b"".join(line + b"\n" for line in lines)
        signature = self.info_signature or (self.strong and self.strong.pss(body))
        return body + (b"DSIG:" + signature + b"\n" if signature else b"") + self.after_info

    def tar(self, info: bytes) -> bytes:
        (copying, *rest) = self.members.items()
        parts = [copying, (b"test.info", info), *rest]
        return b"".join(block(name, data) for name, data in parts) + self.extra

    def whole(self) -> bytes:
        """Return the file."""
        return self.around(self.tar(self.info))

    def around(self, tar: bytes) -> bytes:
        """Return the file with another tar in it."""
        stream = zlib.compressobj(self.level_of_gzip, zlib.DEFLATED, 31, 8, self.strategy)
        body = stream.compress(tar) + stream.flush() + self.after
        md5 = hashlib.md5(body, usedforsecurity=False)
        signature = self.header_signature or (
            self.weak.bare(int.from_bytes(md5.digest(), "big")) if self.weak else b"X"
        )
        header = self.header(self.md5 or md5.hexdigest().encode(), signature)
        return header.ljust(512) + body

    def but(self, **changes: object) -> Database:
        return replace(self, **changes)  # type: ignore[arg-type]


OURS = Database(time=b"01 Jan 2026 00-00 +0000", clock=b"1767225600", builder=b"rebuilder")
SIGNED = Database(strong=STRONG, weak=WEAK)
