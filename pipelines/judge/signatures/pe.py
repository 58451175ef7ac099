"""Authenticode signatures of PE files: EFI programs, exe, dll, sys.

The attribute certificate table follows the image, which is padded with zeros to 8 bytes. Its place
and size are data directory 4, the checksum of the optional header covers all of the file but
itself, and the digest that is signed leaves out both and the table. The table is taken over as it
is: tools differ in how they pad it. Sources: Microsoft, "PE Format" and "Windows Authenticode
Portable Executable Signature Format" (2008).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache, partial
from typing import BinaryIO

from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.authenticode import (
    PE_IMAGE_DATA,
    digest_of,
    verify_authenticode,
    verify_each,
    without_padding,
)
from pipelines.judge.signatures.filled import pe_checksum, pe_fits
from pipelines.judge.signatures.left_out import pe_places
from pipelines.judge.signatures.page_hashes import page_hashes
from pipelines.judge.signatures.pe_image import CHECKSUM, ENTRY, PeImage, read_pe
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    Uncovered,
    VerifiedSignatures,
    unreadable,
)
from pipelines.judge.signatures.splice import Derived, Own, Piece, SpliceLimits, SplicePlan, Taken

_ALIGNMENT = 8
_MAX_TABLE = 2 << 20
"""Page hashes of 4 KiB of an image take 36 bytes."""


def _signed_image(file: BinaryIO) -> PeImage:
    image = read_pe(file, "shipped")
    end = image.table + image.table_size
    if not image.table_size:
        raise BadSignatureError(SignatureFault.MISSING, "the shipped file has no certificate table")
    if image.table < image.entry + ENTRY or image.table % _ALIGNMENT or end > image.size:
        raise unreadable(f"a certificate table at {image.table} that ends at {end}")
    if end < image.size:
        what = f"{image.size - end} bytes after the certificate table"
        raise BadSignatureError(SignatureFault.TRAILING, what)
    if image.table_size > _MAX_TABLE:
        raise unreadable(f"a certificate table of {image.table_size} bytes, at most {_MAX_TABLE}")
    return image


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt file gets the certificate table of the shipped one."""
    signed, own = _signed_image(shipped), read_pe(rebuilt, "rebuilt")
    if own.table or own.table_size:
        what = "the rebuilt file has a certificate table of its own"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    padding = -own.size % _ALIGNMENT
    if own.size + padding != signed.table:
        what = f"the shipped image has {signed.table} bytes, the rebuilt one {own.size + padding}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    entry = struct.pack("<II", own.size + padding, signed.size - signed.table)
    shipped.seek(own.checksum)
    after = own.entry + ENTRY
    pieces: list[Piece] = [
        Own(offset=0, length=own.checksum),
        Derived(data=shipped.read(CHECKSUM).hex()),  # what is made has to have it
        Own(
            offset=own.checksum + CHECKSUM,
            length=own.entry - own.checksum - CHECKSUM,
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
    found = tuple(_certificates(file, image))
    verified = verify_each(
        found,
        pinned,
        partial(
            verify_authenticode,
            pinned=pinned,
            about=PE_IMAGE_DATA,
            digest=cache(partial(digest_of, file, _signed_ranges(image))),
            page_hashes=cache(partial(page_hashes, file, image)),
        ),
    )
    uncovered = (
        Uncovered(offset=image.checksum, length=CHECKSUM, why="checksum"),
        Uncovered(offset=image.entry, length=ENTRY, why="directory-entry"),
        *(Uncovered(offset=at - 8, length=8, why="certificate-header") for at, _ in found),
        *verified.uncovered,
    )
    return verified.model_copy(update={"uncovered": uncovered})


def pins(file: BinaryIO) -> FoundPins:
    """Return what a recipe would pin for a signed file."""
    found = _certificates(file, _signed_image(file))
    return pins_of(SignedFormat.PE, [der for _, der in found])


def _certificates(file: BinaryIO, image: PeImage) -> Iterator[tuple[int, bytes]]:
    """Yield the offset and the DER of each WIN_CERTIFICATE; the rest must be zeros."""
    file.seek(image.table)
    table, at = file.read(image.table_size), 0
    while at < len(table):
        if len(table) - at < 10:
            raise unreadable("a certificate table that ends within a certificate")
        length, revision, kind = struct.unpack_from("<IHH", table, at)
        if (revision, kind) != (0x0200, 2) or not 10 <= length <= len(table) - at:
            raise unreadable(f"a certificate of {length} bytes, revision {revision}, type {kind}")
        body = table[at + 8 : at + length]
        following = at + length + -length % _ALIGNMENT
        yield image.table + at + 8, without_padding(body + table[at + length : following])
        at = following


def _signed_ranges(image: PeImage) -> list[tuple[int, int]]:
    return [
        (0, image.checksum),
        (image.checksum + CHECKSUM, image.entry),
        (image.entry + ENTRY, image.end),
    ]


PE = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=CHECKSUM + ENTRY,
        derived=CHECKSUM + ENTRY + _ALIGNMENT - 1,
        taken=_MAX_TABLE,
        places=pe_places,
        fits=pe_fits,
        checksum=pe_checksum,
    ),
    pins=pins,
)
