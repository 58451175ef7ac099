"""Makes small RPM packages, and signs them as rpmsign does."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from tests.judge.signatures.pgp_signing import PgpKey, Signature

LEAD = (b"\xed\xab\xee\xdb\3\0\0\0\0\1" + b"hello-1.0-1".ljust(66, b"\0") + b"\0\1\0\5").ljust(
    96, b"\0"
)
MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
INT32, INT64, STRING, BINARY, STRINGS = 4, 5, 6, 7, 8
RSA, SHA256, SHA3, OPENPGP, SHA1 = 268, 273, 279, 278, 269
SIZE, PGP, MD5, PAYLOAD_SIZE, RESERVED = 1000, 1002, 1004, 1007, 1008
PAYLOAD_DIGEST, PAYLOAD_ALGORITHM = 5092, 5093
_ALIGNED = {3: 2, INT32: 4, INT64: 8}


@dataclass(frozen=True)
class Entry:
    """A tag with its value."""

    tag: int
    kind: int
    value: bytes
    count: int = 1

    @classmethod
    def binary(cls, tag: int, value: bytes) -> Entry:
        return cls(tag, BINARY, value, len(value))

    @classmethod
    def text(cls, tag: int, value: str) -> Entry:
        return cls(tag, STRING, value.encode() + b"\0")

    @classmethod
    def number(cls, tag: int, value: int) -> Entry:
        return cls(tag, INT32, struct.pack(">I", value))


def header(region: int, entries: Iterable[Entry]) -> bytes:
    index, data = [], b""
    for one in sorted(entries, key=lambda entry: entry.tag):
        data += bytes(-len(data) % _ALIGNED.get(one.kind, 1))
        index.append(struct.pack(">IIII", one.tag, one.kind, len(data), one.count))
        data += one.value
    index.insert(0, struct.pack(">IIII", region, BINARY, len(data), 16))
    data += struct.pack(">IIiI", region, BINARY, -16 * len(index), 16)
    return MAGIC + struct.pack(">II", len(index), len(data)) + b"".join(index) + data


@dataclass(frozen=True, kw_only=True)
class Rpm:
    """A package; the defaults are right."""

    payload: bytes = b"cpio and so on " * 40
    said: bytes | None = None
    """The payload whose digest is in the main header, if it is another."""
    entries: tuple[Entry, ...] = (Entry.text(1000, "hello"), Entry.text(1001, "1.0"))
    digested: bool = True
    algorithm: int = 8

    @property
    def main(self) -> bytes:
        digest = hashlib.sha256(self.payload if self.said is None else self.said).hexdigest()
        own = (
            Entry(PAYLOAD_DIGEST, STRINGS, digest.encode() + b"\0"),
            Entry.number(PAYLOAD_ALGORITHM, self.algorithm),
        )
        return header(63, [*self.entries, *(own if self.digested else ())])

    @property
    def all(self) -> bytes:
        return self.main + self.payload

    @property
    def digests(self) -> dict[int, Entry]:
        """What the signature header has without a signature, by tag."""
        made = [
            Entry.text(SHA1, hashlib.new("sha1", self.main).hexdigest()),  # noqa: S324
            Entry.text(SHA256, hashlib.sha256(self.main).hexdigest()),
            Entry.text(SHA3, hashlib.sha3_256(self.main).hexdigest()),
            Entry.number(SIZE, len(self.all)),
            Entry.binary(MD5, hashlib.new("md5", self.all).digest()),  # noqa: S324
            Entry.number(PAYLOAD_SIZE, 4242),
            Entry.binary(RESERVED, bytes(200)),
        ]
        return {one.tag: one for one in made}

    def file(self, entries: Iterable[Entry] | None = None) -> bytes:
        """Return the package with these entries in its signature header."""
        made = header(62, self.digests.values() if entries is None else entries)
        return LEAD + made + bytes(-len(made) % 8) + self.all

    def signed(self, *signatures: Entry, drop: tuple[int, ...] = ()) -> bytes:
        """Return it with signatures, for which some of the reserved space is given up."""
        kept = {tag: one for tag, one in self.digests.items() if tag not in drop}
        if RESERVED in kept:
            kept[RESERVED] = Entry.binary(RESERVED, bytes(97))
        return self.file([*kept.values(), *signatures])

    def by(self, key: PgpKey, tag: int = RSA) -> Entry:
        """Return a signature over the main header, or with it over the payload."""
        data = self.all if tag in {PGP, 1005} else self.main
        made = Signature(by=key).packet(data)
        if tag == OPENPGP:
            return strings(base64.b64encode(made))
        return Entry.binary(tag, made)


def strings(*texts: bytes) -> Entry:
    """Return the tag of signatures of version 6 packages."""
    return Entry(OPENPGP, STRINGS, b"".join(text + b"\0" for text in texts), len(texts))


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def index_of(data: bytes, tag: int, start: int = 96) -> int:
    """Return where the index entry of a tag is."""
    (count,) = struct.unpack_from(">I", data, start + 8)
    for at in range(start + 16, start + 16 + 16 * count, 16):
        if struct.unpack_from(">I", data, at)[0] == tag:
            return at
    raise KeyError(tag)
