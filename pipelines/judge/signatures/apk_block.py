"""The signing block of Android packages: the values in it, and the signers in one of these.

The block stands before the central directory. Of its values only those with signatures of version
2, 3 and 3.1 and the padding are known here; all others could hold anything, and no signature covers
them. Sources: Android, "APK signature scheme v2", "v3" and "v3.1".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.judge.signatures.raw_zip import RawZip
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    unreadable,
)

V2, V3, V31 = 0x7109871A, 0xF05368C0, 0x1B93AD61
VERSIONS = {V2: "v2", V3: "v3", V31: "v3.1"}
_PADDING = 0x42726577
_MAGIC = b"APK Sig Block 42"
MAX_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class BlockField:
    """Bytes of a file, and where they begin in it."""

    data: bytes
    at: int

    def __len__(self) -> int:
        """Return the number of bytes."""
        return len(self.data)

    def reader(self) -> BlockReader:
        """Return a reader from the first byte on."""
        return BlockReader(self)

    def items(self) -> list[BlockField]:
        """Return the fields with a length before each that fill this one."""
        reader, found = self.reader(), []
        while reader.left:
            found.append(reader.field())
        return found


class BlockReader:
    """Reads numbers, and fields with their length before them, in little-endian order."""

    def __init__(self, field: BlockField) -> None:
        """Begin at the first byte."""
        self._field, self._at = field, 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._field) - self._at

    def number(self) -> int:
        """Return the next 32 bits."""
        return int.from_bytes(self._bytes(4).data, "little")

    def field(self) -> BlockField:
        """Return the next field, without its length."""
        return self._bytes(self.number())

    def rest(self) -> BlockField:
        """Return all that is left."""
        return self._bytes(self.left)

    def end(self) -> None:
        """Require that nothing is left."""
        if self.left:
            raise unreadable(f"{self.left} bytes after the fields of a signer")

    def _bytes(self, length: int) -> BlockField:
        if length > self.left:
            raise unreadable("a field of a signing block that ends after it")
        start = self._at
        self._at += length
        return BlockField(data=self._field.data[start : self._at], at=self._field.at + start)


@dataclass(frozen=True, kw_only=True)
class SigningBlock:
    """A signing block; offsets in the file."""

    start: int
    end: int
    values: dict[int, BlockField]
    """With signatures, by the number of their version."""


@dataclass(frozen=True, kw_only=True)
class Signed:
    """One signer of a version, and what it signed."""

    data: BlockField
    digests: tuple[tuple[int, bytes], ...]
    """Of the file, by the number of a signature algorithm."""
    certificates: tuple[bytes, ...]
    attributes: tuple[tuple[int, bytes], ...]
    signatures: tuple[tuple[int, BlockField], ...]
    key: bytes
    versions: tuple[int, int] | None
    """The first and the last version of Android that looks at it; of version 2, none."""


def read_block(file: BinaryIO, archive: RawZip) -> SigningBlock | None:
    """Return the signing block of a package, if it has one; raises `BadSignatureError`."""
    file.seek(max(archive.local_end, archive.directory - 24))
    foot = file.read(archive.directory - file.tell())
    if foot[8:] != _MAGIC:
        return None
    start = archive.directory - int.from_bytes(foot[:8], "little") - 8
    if not archive.local_end <= start <= archive.directory - 32:
        raise unreadable("a signing block that begins before the last entry ends")
    if archive.directory - start > MAX_BLOCK:
        raise unreadable(f"a signing block of more than {MAX_BLOCK} bytes")
    file.seek(start)
    if file.read(8) != foot[:8]:
        raise unreadable("a signing block with another size at its begin than at its end")
    body = BlockField(data=file.read(archive.directory - 24 - start - 8), at=start + 8)
    return SigningBlock(start=start, end=archive.directory, values=dict(_values(body)))


def _values(body: BlockField) -> Iterator[tuple[int, BlockField]]:
    at, seen = 0, set[int]()
    while at < len(body):
        if len(body) - at < 12:
            raise unreadable("a signing block that ends within a value")
        length, kind = struct.unpack_from("<QI", body.data, at)
        value = body.data[at + 12 : at + 8 + length]
        if length < 4 or at + 8 + length > len(body):
            raise unreadable("a value of a signing block that ends after it")
        if kind in seen:
            raise BadSignatureError(SignatureFault.DUPLICATE_BLOCK, f"{kind:#010x}")
        seen.add(kind)
        if kind in VERSIONS:
            yield kind, BlockField(data=value, at=body.at + at + 12)
        elif kind != _PADDING:
            what = f"{kind:#010x}, of {len(value)} bytes that no signature covers"
            raise BadSignatureError(SignatureFault.UNKNOWN_BLOCK, what)
        elif any(value):
            raise BadSignatureError(SignatureFault.SLACK, "padding of a signing block")
        at += 8 + length


def read_signers(version: int, value: BlockField) -> list[Signed]:
    """Return the signers in a value of a signing block; raises `BadSignatureError`."""
    reader = value.reader()
    signers = reader.field()
    reader.end()
    return [_signed(one, ranged=version != V2) for one in signers.items()]


def _signed(signer: BlockField, *, ranged: bool) -> Signed:
    reader = signer.reader()
    data = reader.field()
    outer = (reader.number(), reader.number()) if ranged else None
    signatures, key = reader.field(), reader.field()
    reader.end()
    inner = data.reader()
    digests, certificates = inner.field(), inner.field()
    versions = (inner.number(), inner.number()) if ranged else None
    attributes = inner.field()
    if not ranged and inner.left:
        inner.number()  # what apksigner writes after the attributes
    inner.end()
    if versions != outer or (versions and versions[0] > versions[1]):
        raise unreadable(f"versions of Android {outer}, and {versions} in what is signed")
    found = tuple((kind, one.data) for kind, one in map(_numbered, digests.items()))
    return Signed(
        data=data,
        digests=found,
        certificates=tuple(one.data for one in certificates.items()),
        attributes=tuple(map(_attribute, attributes.items())),
        signatures=tuple(map(_numbered, signatures.items())),
        key=key.data,
        versions=versions,
    )


def _numbered(field: BlockField) -> tuple[int, BlockField]:
    reader = field.reader()
    number, value = reader.number(), reader.field()
    reader.end()
    return number, value


def _attribute(field: BlockField) -> tuple[int, bytes]:
    reader = field.reader()
    return reader.number(), reader.rest().data
