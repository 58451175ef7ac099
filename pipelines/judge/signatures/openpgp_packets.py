"""OpenPGP packets, and what is in those of signatures and public keys (RFC 9580).

Each byte of a packet is part of a field that is read, and numbers have one spelling: what no
signature covers could hold anything otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

_ARMOR = re.compile(
    rb"-----BEGIN PGP (SIGNATURE|PUBLIC KEY BLOCK)-----\r?\n"
    rb"(?:[A-Za-z]{1,20}: [ -~]{0,200}\r?\n)*[ \t]*\r?\n"
    rb"((?:[A-Za-z0-9+/=]{1,76}\r?\n)+?)(?:=([A-Za-z0-9+/]{4})\r?\n)?"
    rb"-----END PGP \1-----(?:\r?\n)*"
)
_CRC_START, _CRC_POLYNOMIAL = 0xB704CE, 0x1864CFB
_CRITICAL = 0x80


class OpenPgpError(ValueError):
    """Bytes that are no OpenPGP packets, or of a kind that is not read."""


class Packet(NamedTuple):
    """Where a packet is, in bytes from the start of the data."""

    tag: int
    start: int
    """Of its header."""
    begin: int
    """Of its body."""
    end: int


class Subpacket(NamedTuple):
    """A subpacket of a signature."""

    kind: int
    critical: bool
    value: bytes


@dataclass(frozen=True, kw_only=True)
class SignaturePacket:
    """A signature of version 3, 4 or 6."""

    version: int
    kind: int
    algorithm: int
    digest: int
    """The number of the digest algorithm."""
    hashed: tuple[Subpacket, ...]
    unhashed: tuple[Subpacket, ...]
    unhashed_at: tuple[int, int]
    """Where their area begins and ends in the body, its length included. Of version 3, key ID and
    algorithms."""
    prefix: bytes
    """The first two bytes of the digest, as the signature says."""
    salt: bytes
    covered: bytes
    """What of the signature itself is signed, in front of the trailer."""
    material: bytes

    @property
    def trailer(self) -> bytes:
        """What is hashed last."""
        if self.version == 3:
            return b""
        return bytes([self.version, 0xFF]) + len(self.covered).to_bytes(4, "big")

    def values(self, kind: int) -> list[bytes]:
        """Return the values of all subpackets of a kind."""
        return [one.value for one in (*self.hashed, *self.unhashed) if one.kind == kind]


class Fields:
    """Reads the fields of a body one after the other."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self._data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        self.at += size
        if self.at > len(self._data):
            raise OpenPgpError("a packet that ends early")
        return self._data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """Return the next number."""
        return int.from_bytes(self.take(size), "big")

    def mpi(self) -> int:
        """Return the next multiprecision integer, which must have no bit too many."""
        bits = self.number(2)
        value = self.number((bits + 7) // 8)
        if value.bit_length() != bits:
            raise OpenPgpError("a number that is longer than it need be")
        return value

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data) - self.at)

    def end(self) -> None:
        """Require that nothing is left."""
        if self.at != len(self._data):
            raise OpenPgpError(f"{len(self._data) - self.at} bytes at the end of a packet")


def dearmored(text: bytes) -> bytes:
    """Return the packets in one ASCII armor with nothing around it; raises `OpenPgpError`."""
    found = _ARMOR.fullmatch(text)
    if not found:
        raise OpenPgpError("text that is not exactly one ASCII armor")
    body = re.sub(rb"\s", b"", found[2])
    try:
        data = base64.b64decode(body, validate=True)
        said = base64.b64decode(found[3], validate=True) if found[3] else None
    except ValueError as error:
        raise OpenPgpError(f"an ASCII armor that is no base64: {error}") from error
    if base64.b64encode(data) != body or (said is not None and said != _crc(data)):
        raise OpenPgpError("an ASCII armor whose checksum or last bits are wrong")
    return data


def _crc(data: bytes) -> bytes:
    crc = _CRC_START
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 1 << 24:
                crc ^= _CRC_POLYNOMIAL
    return crc.to_bytes(3, "big")


def packets(data: bytes) -> list[Packet]:
    """Return the packets that fill the data, all of known length; raises `OpenPgpError`."""
    found, fields = [], Fields(data)
    while fields.at < len(data):
        start, first = fields.at, fields.number(1)
        if not first & 0x80:
            raise OpenPgpError("bytes that begin no packet")
        if first & 0x40:
            tag, size = first & 0x3F, _length(fields)
        else:
            tag, kind = first >> 2 & 15, first & 3
            if kind == 3:
                raise OpenPgpError("a packet of indeterminate length")
            size = fields.number(1 << kind)
        begin = fields.at
        fields.take(size)
        found.append(Packet(tag, start, begin, fields.at))
    return found


def _length(fields: Fields, *, partial: int = 224) -> int:
    first = fields.number(1)
    if first < 192:
        return first
    if first < partial:
        return ((first - 192) << 8) + fields.number(1) + 192
    if first != 255:
        raise OpenPgpError("a packet in parts")
    return fields.number(4)


def read_signature(body: bytes) -> SignaturePacket:
    """Return the fields of a signature packet; raises `OpenPgpError`."""
    if body[:2] == b"\x03\x05":
        return _read_version_3(body)
    fields = Fields(body)
    version, kind, algorithm, digest = fields.take(4)
    if version not in {4, 6}:
        raise OpenPgpError(f"a signature of version {version}, expected 3, 4 or 6")
    width = 2 if version == 4 else 4
    hashed = _subpackets(fields.take(fields.number(width)))
    covered = body[: fields.at]
    unhashed = _subpackets(fields.take(fields.number(width)))
    after = fields.at
    prefix = fields.take(2)
    salt = fields.take(fields.number(1)) if version == 6 else b""
    if sum(one.kind == 2 and len(one.value) == 4 for one in hashed) != 1:
        raise OpenPgpError("a signature that does not say once when it was made")
    return SignaturePacket(
        version=version,
        kind=kind,
        algorithm=algorithm,
        digest=digest,
        hashed=hashed,
        unhashed=unhashed,
        unhashed_at=(len(covered), after),
        prefix=prefix,
        salt=salt,
        covered=covered,
        material=fields.rest(),
    )


def _read_version_3(body: bytes) -> SignaturePacket:
    """Read what older programs write: it signs its type and time, and names a key ID."""
    fields = Fields(body)
    fields.take(2)
    kind, created, issuer = fields.number(1), fields.take(4), fields.take(8)
    algorithm, digest = fields.take(2)
    return SignaturePacket(
        version=3,
        kind=kind,
        algorithm=algorithm,
        digest=digest,
        hashed=(Subpacket(2, False, created),),  # noqa: FBT003
        unhashed=(Subpacket(16, False, issuer),),  # noqa: FBT003
        unhashed_at=(7, 17),
        prefix=fields.take(2),
        salt=b"",
        covered=body[2:7],
        material=fields.rest(),
    )


def _subpackets(area: bytes) -> tuple[Subpacket, ...]:
    found, fields = [], Fields(area)
    while fields.at < len(area):
        content = fields.take(_length(fields, partial=255))
        if not content:
            raise OpenPgpError("a subpacket without a type")
        found.append(Subpacket(content[0] & ~_CRITICAL, bool(content[0] & _CRITICAL), content[1:]))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class KeyPacket:
    """A public key or subkey of version 4 or 6."""

    body: bytes
    algorithm: int
    created: datetime
    material: bytes

    @property
    def framed(self) -> bytes:
        """What is hashed of it, in fingerprints and in signatures on it."""
        if self.body[0] == 4:
            return b"\x99" + len(self.body).to_bytes(2, "big") + self.body
        return b"\x9b" + len(self.body).to_bytes(4, "big") + self.body

    @property
    def fingerprint(self) -> str:
        """In hexadecimal digits: 40 of version 4, 64 of version 6."""
        if self.body[0] == 4:
            return hashlib.sha1(self.framed, usedforsecurity=False).hexdigest()
        return hashlib.sha256(self.framed).hexdigest()


def read_key(body: bytes) -> KeyPacket:
    """Return the fields of a key packet; raises `OpenPgpError`."""
    fields = Fields(body)
    version, created, algorithm = fields.number(1), fields.take(4), fields.number(1)
    if version not in {4, 6}:
        raise OpenPgpError(f"a key of version {version}, expected 4 or 6")
    material = fields.take(fields.number(4)) if version == 6 else fields.rest()
    fields.end()
    return KeyPacket(body=body, algorithm=algorithm, created=moment(created), material=material)


def key_id(fingerprint: str) -> str:
    """Return the 16 digits that older signatures name a key by."""
    return fingerprint[-16:] if len(fingerprint) == 40 else fingerprint[:16]


def moment(value: bytes) -> datetime:
    """Return a time of four bytes."""
    return datetime.fromtimestamp(int.from_bytes(value, "big"), UTC)


def bodies(data: bytes, found: Sequence[Packet]) -> list[tuple[int, bytes]]:
    """Return tag and body of each packet."""
    return [(one.tag, data[one.begin : one.end]) for one in found]
