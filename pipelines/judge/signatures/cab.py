"""Authenticode signatures of cabinet files.

A signed cabinet has 24 bytes more in its header, which say where the signature is: at the end. All
offsets in the header grow by as much. What is signed leaves out the first reserved field, the
number of the cabinet, and all of the 24 bytes but the last four. Sources: Microsoft, "Cabinet
Format" (MS-CAB), and what osslsigncode writes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import BinaryIO

from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.authenticode import (
    CAB_DATA,
    digest_of,
    verify_authenticode,
    verify_each,
    without_padding,
)
from pipelines.judge.signatures.filled import cab_fits
from pipelines.judge.signatures.left_out import cab_places
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    FoundPins,
    SignatureFault,
    SignatureFormat,
    VerifiedSignatures,
    unreadable,
)
from pipelines.judge.signatures.splice import Derived, Own, Piece, SpliceLimits, SplicePlan, Taken

_HEADER = struct.Struct("<4sIIIIIBBHHHHH")
_SIZE, _FILES, _FLAGS = 8, 16, 30
"""Offsets of the size of the cabinet, the offset of its first file entry, and its flags."""
_SHOWN = 0x0004
"""The flag of a header with reserved fields; others name cabinets before and after it."""
_RESERVE = struct.Struct("<IIII8s")
_RESERVE_SIZE, _RESERVE_KIND = 20, 0x00100000
_FOLDER = 8
_MAX_FOLDERS = 256
_MAX_SIGNATURE = 256 << 10


@dataclass(frozen=True, kw_only=True)
class _Cabinet:
    """The header of a cabinet; offsets in bytes."""

    size: int
    """Of the file."""
    cabinet: int
    """What it says of its size, without the signature."""
    folders: int
    reserve: bytes
    """The fields that a signature adds."""
    first: int
    """Offset of the first folder."""


def _cabinet(file: BinaryIO, whose: str) -> _Cabinet:
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(_HEADER.size + _RESERVE.size)
    try:
        magic, reserved, cabinet, _, _, _, minor, major, folders, _, flags, _, _ = (
            _HEADER.unpack_from(head)
        )
    except struct.error as error:
        raise unreadable(f"the {whose} file is no cabinet") from error
    if magic != b"MSCF" or (major, minor) != (1, 3):
        raise unreadable(f"the {whose} file is no cabinet of version 1.3")
    if reserved or flags & ~_SHOWN:
        what = f"the {whose} cabinet is one of a set, or has unknown flags: {flags:#x}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    if not 1 <= folders <= _MAX_FOLDERS:
        what = f"the {whose} cabinet has {folders} folders, expected 1 to {_MAX_FOLDERS}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    reserve = head[_HEADER.size :] if flags else b""
    first = _HEADER.size + len(reserve)
    if not first + folders * _FOLDER < cabinet <= size:
        raise unreadable(f"the {whose} cabinet ends before its folders, or after its file")
    return _Cabinet(
        size=size,
        cabinet=cabinet,
        folders=folders,
        reserve=reserve,
        first=first,
    )


def _signed_cabinet(file: BinaryIO) -> _Cabinet:
    """Read the header of a signed cabinet, whose signature is all that follows it."""
    found = _cabinet(file, "shipped")
    if not found.reserve:
        raise BadSignatureError(SignatureFault.MISSING, "the shipped cabinet has no signature")
    sizes, kind, at, length, rest = _RESERVE.unpack(found.reserve)
    if (sizes, kind) != (_RESERVE_SIZE, _RESERVE_KIND):
        what = f"reserved fields of sizes {sizes:#x} and kind {kind:#x} are no signature"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    if not at and not length:
        raise BadSignatureError(SignatureFault.MISSING, "the shipped cabinet has no signature")
    if any(rest):
        raise BadSignatureError(SignatureFault.SLACK, "data in the reserved fields of the header")
    if at != found.cabinet or at + length > found.size:
        what = f"a signature of {length} bytes at {at}, the cabinet ends at {found.cabinet}"
        raise unreadable(what)
    if at + length < found.size:
        what = f"{found.size - at - length} bytes after the signature"
        raise BadSignatureError(SignatureFault.TRAILING, what)
    return found


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how the rebuilt cabinet gets the signature of the shipped one."""
    signed, own = _signed_cabinet(shipped), _cabinet(rebuilt, "rebuilt")
    if own.reserve:
        what = "the rebuilt cabinet has reserved fields, where a signature would be"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    grown = own.cabinet + _RESERVE.size
    if own.cabinet != own.size or grown != signed.cabinet or own.folders != signed.folders:
        what = (
            f"the shipped cabinet has {signed.folders} folders in {signed.cabinet} bytes, "
            f"the rebuilt one would have {own.folders} in {grown}"
        )
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    length = signed.size - signed.cabinet
    pieces = [
        *_derived(rebuilt, own, length),
        Taken(offset=signed.cabinet, length=length, why="signature"),
    ]
    return SplicePlan(pieces=tuple(pieces))


def _derived(rebuilt: BinaryIO, own: _Cabinet, length: int) -> Iterator[Piece]:
    """Yield our bytes, with fields that follow from the length of the signature."""
    rebuilt.seek(0)
    head = rebuilt.read(own.first + own.folders * _FOLDER)
    folders = range(own.first, len(head), _FOLDER)
    reserve = _RESERVE.pack(
        _RESERVE_SIZE, _RESERVE_KIND, own.cabinet + _RESERVE.size, length, bytes(8)
    )
    fields = {_FLAGS: (2, struct.pack("<H", _SHOWN))}
    try:
        for at in (_SIZE, _FILES, *folders):
            (value,) = struct.unpack_from("<I", head, at)
            fields[at] = 4, struct.pack("<I", value + _RESERVE.size)
    except struct.error as error:
        raise BadSignatureError(SignatureFault.LAYOUT, "a cabinet with offsets of 4 GiB") from error
    fields[own.first] = 4, reserve + fields[own.first][1]
    done = 0
    for at, (replaced, data) in sorted(fields.items()):
        yield Own(offset=done, length=at - done)
        yield Derived(data=data.hex())
        done = at + replaced
    yield Own(offset=done, length=own.size - done)


def pins(file: BinaryIO) -> FoundPins:
    """Return what a recipe would pin for a signed cabinet."""
    return pins_of(SignedFormat.CAB, [_signature(file, _signed_cabinet(file))])


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify the signature of a cabinet against the pinned signer."""
    cabinet = _signed_cabinet(file)
    return verify_each(
        [(cabinet.cabinet, _signature(file, cabinet))],
        pinned,
        partial(
            verify_authenticode,
            pinned=pinned,
            about=CAB_DATA,
            digest=cache(partial(digest_of, file, _signed_ranges(cabinet))),
        ),
    )


def _signature(file: BinaryIO, cabinet: _Cabinet) -> bytes:
    file.seek(cabinet.cabinet)
    return without_padding(file.read(_MAX_SIGNATURE))


def _signed_ranges(cabinet: _Cabinet) -> list[tuple[int, int]]:
    return [(0, 4), (_SIZE, _HEADER.size - 2), (cabinet.first - 4, cabinet.cabinet)]


CAB = SignatureFormat(
    plan=plan,
    verify=verify,
    limits=SpliceLimits(
        replaced=4 + 4 + 2 + 4 * _MAX_FOLDERS,
        derived=4 + 4 + 2 + 4 * _MAX_FOLDERS + _RESERVE.size,
        taken=_MAX_SIGNATURE,
        places=cab_places,
        fits=cab_fits,
    ),
    pins=pins,
)
