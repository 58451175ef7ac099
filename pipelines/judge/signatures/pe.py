"""Authenticode signatures of PE files: EFI programs, exe, dll, sys.

The attribute certificate table follows the image, which is padded with zeros to 8 bytes. Its place
and size are data directory 4, the checksum of the optional header covers all of the file but
itself, and the digest that is signed leaves out both and the table. The table is taken over as it
is: tools differ in how they pad it. Sources: Microsoft, "PE Format" and "Windows Authenticode
Portable Executable Signature Format" (2008).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from builders.core.digest import CHUNK
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.authenticode import verify_authenticode
from pipelines.judge.signatures.der import DerError, der_header
from pipelines.judge.signatures.pe_checksum import PeChecksum
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    SignatureFormat,
    Signer,
    Uncovered,
    VerifiedSignatures,
    check_signers,
)
from pipelines.judge.signatures.splice import Derived, Own, Piece, SpliceLimits, SplicePlan, Taken

_CHECKSUM, _ENTRY = 4, 8
_ALIGNMENT = 8
_HEADERS = 1 << 20
_MAX_TABLE = 256 << 10
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
"""Offset of the data directories in the optional header, by its magic number."""


@dataclass(frozen=True, kw_only=True)
class _Image:
    """Where things are in a PE file; offsets in bytes."""

    size: int
    checksum: int
    entry: int
    """Of the directory entry of the certificate table."""
    table: int
    table_size: int

    @property
    def end(self) -> int:
        """Where the image ends and the certificate table begins."""
        return self.table or self.size


def _image(file: BinaryIO, whose: str) -> _Image:
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(_HEADERS)
    try:
        (pe,) = struct.unpack_from("<I", head, 0x3C)
        optional, _, kind = struct.unpack_from("<HHH", head, pe + 20)
        magic, directories = head[:2], pe + 24 + _DIRECTORIES[kind]
        (entries,) = struct.unpack_from("<I", head, directories - 4)
        table, table_size = struct.unpack_from("<II", head, directories + 4 * _ENTRY)
    except (struct.error, KeyError) as error:
        raise _unreadable(f"the {whose} file is no PE file") from error
    if magic != b"MZ" or head[pe : pe + 4] != b"PE\0\0" or not 5 <= entries <= 16:
        raise _unreadable(f"the {whose} file is no PE file with a certificate directory")
    if pe + 24 + optional < directories + entries * _ENTRY:
        raise _unreadable(f"the {whose} file has directories outside of its header")
    return _Image(
        size=size,
        checksum=pe + 24 + 64,
        entry=directories + 4 * _ENTRY,
        table=table,
        table_size=table_size,
    )


def _signed_image(file: BinaryIO) -> _Image:
    image = _image(file, "shipped")
    end = image.table + image.table_size
    if not image.table_size:
        raise BadSignatureError(SignatureFault.MISSING, "the shipped file has no certificate table")
    if image.table < image.entry + _ENTRY or image.table % _ALIGNMENT or end > image.size:
        raise _unreadable(f"a certificate table at {image.table} that ends at {end}")
    if end < image.size:
        what = f"{image.size - end} bytes after the certificate table"
        raise BadSignatureError(SignatureFault.TRAILING, what)
    if image.table_size > _MAX_TABLE:
        raise _unreadable(f"a certificate table of {image.table_size} bytes, at most {_MAX_TABLE}")
    return image


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt file gets the certificate table of the shipped one."""
    signed, own = _signed_image(shipped), _image(rebuilt, "rebuilt")
    if own.table or own.table_size:
        what = "the rebuilt file has a certificate table of its own"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    padding = -own.size % _ALIGNMENT
    if own.size + padding != signed.table:
        what = f"the shipped image has {signed.table} bytes, the rebuilt one {own.size + padding}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    entry = struct.pack("<II", own.size + padding, signed.size - signed.table)
    shipped.seek(signed.table)
    checksum = PeChecksum()
    rebuilt.seek(0)
    head = bytearray(rebuilt.read(own.entry + _ENTRY))
    head[own.checksum : own.checksum + _CHECKSUM] = bytes(_CHECKSUM)
    head[own.entry :] = entry
    checksum.add(head)
    for data in _read(rebuilt, own.size - len(head)):
        checksum.add(data)
    checksum.add(bytes(padding))
    for data in _read(shipped, signed.table_size):
        checksum.add(data)
    after = own.entry + _ENTRY
    pieces: list[Piece] = [
        Own(offset=0, length=own.checksum),
        Derived(data=checksum.value().to_bytes(_CHECKSUM, "little").hex()),
        Own(
            offset=own.checksum + _CHECKSUM,
            length=own.entry - own.checksum - _CHECKSUM,
        ),
        Derived(data=entry.hex()),
        Own(offset=after, length=own.size - after),
    ]
    if padding:
        pieces.append(Derived(data=bytes(padding).hex()))
    pieces.append(Taken(offset=signed.table, length=signed.table_size, why="certificate-table"))
    return SplicePlan(pieces=tuple(pieces))


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify every signature in the certificate table against the pinned signers."""
    image = _signed_image(file)
    signers: list[Signer] = []
    uncovered = [
        Uncovered(offset=image.checksum, length=_CHECKSUM, why="checksum"),
        Uncovered(offset=image.entry, length=_ENTRY, why="directory-entry"),
    ]
    digests: dict[str, bytes] = {}

    def digest(algorithm: str) -> bytes:
        if algorithm not in digests:
            digests[algorithm] = _authentihash(file, image, algorithm)
        return digests[algorithm]

    for at, data in _certificates(file, image):
        found = verify_authenticode(data, digest, pinned)
        signers.append(found.signer)
        uncovered.append(Uncovered(offset=at - 8, length=8, why="certificate-header"))
        uncovered += [u.model_copy(update={"offset": at + u.offset}) for u in found.uncovered]
    check_signers(signers, pinned)
    return VerifiedSignatures(signers=tuple(signers), uncovered=tuple(uncovered))


def _certificates(file: BinaryIO, image: _Image) -> Iterator[tuple[int, bytes]]:
    """Yield the offset and the DER of each WIN_CERTIFICATE; the rest must be zeros."""
    file.seek(image.table)
    table, at = file.read(image.table_size), 0
    while at < len(table):
        if len(table) - at < 10:
            raise _unreadable("a certificate table that ends within a certificate")
        length, revision, kind = struct.unpack_from("<IHH", table, at)
        if (revision, kind) != (0x0200, 2) or not 10 <= length <= len(table) - at:
            raise _unreadable(f"a certificate of {length} bytes, revision {revision}, type {kind}")
        body = table[at + 8 : at + length]
        size = _der_size(body)
        following = at + length + -length % _ALIGNMENT
        slack = body[size:] + table[at + length : following]
        if len(slack) >= _ALIGNMENT or any(slack):
            what = f"{len(slack)} bytes after a PKCS #7 that are not the padding of it"
            raise BadSignatureError(SignatureFault.SLACK, what)
        yield image.table + at + 8, body[:size]
        at = following


def _der_size(data: bytes) -> int:
    try:
        size = der_header(data)[1]
    except DerError as error:
        raise _unreadable(f"a PKCS #7 that is no DER: {error}") from error
    if size > len(data):
        raise _unreadable("a PKCS #7 that is longer than its certificate")
    return size


def _authentihash(file: BinaryIO, image: _Image, algorithm: str) -> bytes:
    digest = hashlib.new(algorithm)
    for start, end in (
        (0, image.checksum),
        (image.checksum + _CHECKSUM, image.entry),
        (image.entry + _ENTRY, image.end),
    ):
        file.seek(start)
        for data in _read(file, end - start):
            digest.update(data)
    return digest.digest()


def _read(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0:
        data = file.read(min(CHUNK, length))
        if not data:
            raise _unreadable("the file ends early")
        yield data
        length -= len(data)


def _unreadable(detail: str) -> BadSignatureError:
    return BadSignatureError(SignatureFault.UNREADABLE, detail)


PE = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=_CHECKSUM + _ENTRY,
        derived=_CHECKSUM + _ENTRY + _ALIGNMENT - 1,
        taken=_MAX_TABLE,
    ),
)
