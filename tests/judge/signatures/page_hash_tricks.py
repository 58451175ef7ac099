"""Signed page hashes that must not pass, and what each is called."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

from tests.judge.signatures.pe_tricks import ADA, Trick
from tests.judge.signatures.signing import (
    CHECKSUM,
    ENTRY,
    HEADERS,
    PE,
    SECTION,
    Signing,
    program,
    signed,
    value,
)

PAGE = 4096
CLASS = bytes.fromhex("a6b586d5b4a12466ae05a217da8e60d6")
SHA1, SHA256 = (bytes.fromhex(f"060a2b0601040182370203{n:02x}") for n in (1, 2))
_PE_IMAGE_DATA = bytes.fromhex("060a2b06010401823702010f")
OURS = program(bytes(range(256)) * 33)


def pages(
    unsigned: bytes, algorithm: str = "sha256", headers: int = HEADERS, first: int = HEADERS
) -> list[bytes]:
    """Return the page hashes of a program with one section, each with its offset."""
    head = unsigned[:CHECKSUM] + unsigned[CHECKSUM + 4 : ENTRY] + unsigned[ENTRY + 8 : headers]
    parts = [(0, head + bytes(max(0, PAGE - headers)))]
    parts += [
        (at, unsigned[at : at + PAGE].ljust(PAGE, b"\0"))
        for at in range(first, len(unsigned), PAGE)
    ]
    found = [struct.pack("<I", at) + hashlib.new(algorithm, data).digest() for at, data in parts]
    return [*found, struct.pack("<I", len(unsigned)) + bytes(len(found[0]) - 4)]


def attribute(hashes: bytes, kind: bytes = SHA256) -> bytes:
    return value(0x30, kind + value(0x31, value(0x04, hashes)))


def moniker(
    *attributes: bytes, name: bytes = CLASS, after: bytes = b"", more: bytes = b""
) -> bytes:
    data = value(0x31, b"".join(attributes)) + after
    return value(0xA1, value(0x04, name) + value(0x04, data) + more)


def linked(*monikers: bytes) -> bytes:
    return about(*(value(0xA0, one) for one in monikers))


def about(*fields: bytes) -> bytes:
    """Return what a signature says of the image, apart from its digest."""
    return value(0x30, _PE_IMAGE_DATA + value(0x30, b"\x03\x01\x00" + b"".join(fields)))


def listed(hashes: bytes, kind: bytes = SHA256) -> bytes:
    return linked(moniker(attribute(hashes, kind)))


def with_pages(image_data: bytes, ours: bytes = OURS) -> bytes:
    return signed(ours, Signing(by=ADA, image_data=image_data))


def trick(fault: str, image_data: bytes, ours: bytes = OURS) -> Trick:
    def make() -> bytes:
        return with_pages(image_data, ours)

    return Trick(fault=fault, shipped=make, ours=ours)


def _edited(change: Callable[[list[bytes]], object]) -> bytes:
    found = pages(OURS)
    change(found)
    return listed(b"".join(found))


def altered(at: int, data: bytes) -> bytes:
    return OURS[:at] + data + OURS[at + len(data) :]


_ALL = b"".join(pages(OURS))
_DIFFER, _UNREADABLE = "page-hashes-differ", "signature-unreadable"
_ALIGNED = altered(PE + 24 + 32, struct.pack("<I", 0x2000))
_LONG = altered(PE + 24 + 60, struct.pack("<I", PAGE + 512))
_SHORT = altered(PE + 24 + 60, struct.pack("<I", SECTION - 1))
_EMPTY = altered(SECTION + 16, bytes(4))
_SECTION = OURS[SECTION : SECTION + 40]
_TWICE = altered(PE + 6, b"\2\0")[:SECTION] + 2 * _SECTION + OURS[SECTION + 80 :]
_FAR = _SECTION[:16] + struct.pack("<II", 1, 1 << 20) + bytes(16)
_SMALLER = _SECTION[:16] + struct.pack("<I", len(OURS) - HEADERS - 1) + _SECTION[20:]
_BEYOND = (altered(PE + 6, b"\2\0")[:SECTION] + _SMALLER + _FAR) + OURS[SECTION + 80 :]
_PAGES_TWICE = [*pages(_TWICE)[:-1], *pages(_TWICE)[1:]]
_WHOLE = _SECTION[:16] + struct.pack("<II", len(OURS) - SECTION, SECTION) + bytes(16)
_SMALL = _SECTION[:16] + struct.pack("<II", 64, PAGE) + bytes(16)
_PART = altered(PE + 6, b"\2\0")[:SECTION] + _WHOLE + _SMALL + OURS[SECTION + 80 :]
_PART_PAGE = struct.pack("<I", PAGE) + hashlib.sha256(_PART[PAGE:][:64].ljust(PAGE, b"\0")).digest()
_PART_END = struct.pack("<I", PAGE + 64) + bytes(32)
TRICKS: dict[str, Trick] = {
    "the page of the headers": trick(
        _DIFFER, _edited(lambda p: p.__setitem__(0, bytes(4) + b"x" * 32))
    ),
    "a page of the section": trick(
        _DIFFER, _edited(lambda p: p.__setitem__(1, p[1][:4] + b"x" * 32))
    ),
    "the last page": trick(_DIFFER, _edited(lambda p: p.__setitem__(-2, p[-2][:4] + b"x" * 32))),
    "a page missing": trick(_DIFFER, _edited(lambda p: p.pop(2))),
    "a page twice": trick(_DIFFER, _edited(lambda p: p.insert(2, p[2]))),
    "two pages exchanged": trick(_DIFFER, _edited(lambda p: p.insert(1, p.pop(2)))),
    "another offset": trick(_DIFFER, _edited(lambda p: p.__setitem__(1, b"\1\2\0\0" + p[1][4:]))),
    "no end": trick(_DIFFER, _edited(lambda p: p.pop())),
    "another end": trick(_DIFFER, _edited(lambda p: p.__setitem__(-1, b"\xff" * 36))),
    "no pages": trick(_DIFFER, listed(b"")),
    "pages of another program": trick(
        _DIFFER, listed(b"".join(pages(program(bytes(range(255)) * 33))))
    ),
    "SHA-1": trick("weak-digest", listed(b"".join(pages(OURS, "sha1")), SHA1)),
    "SHA-256 that is called SHA-1": trick("weak-digest", listed(_ALL, SHA1)),
    "a second list that is false": trick(
        _DIFFER, linked(moniker(attribute(_ALL), attribute(_ALL[:-36])))
    ),
    "a second link that is false": trick(
        _DIFFER, linked(moniker(attribute(_ALL)), moniker(attribute(b"")))
    ),
    "a link to a file before one that is false": trick(
        _DIFFER, linked(value(0xA2, b""), moniker(attribute(_ALL[:-36])))
    ),
    "a moniker in another kind of link": trick(
        _UNREADABLE, about(value(0xA2, moniker(attribute(_ALL))))
    ),
    "a class that is text": trick(
        _UNREADABLE,
        linked(value(0xA1, value(0x0C, CLASS) + value(0x04, value(0x31, attribute(_ALL))))),
    ),
    "another class": trick(_UNREADABLE, linked(moniker(attribute(_ALL), name=CLASS[::-1]))),
    "another kind of hashes": trick(_UNREADABLE, listed(_ALL, SHA256[:-1] + b"\x03")),
    "hashes that are text": trick(
        _UNREADABLE, linked(moniker(value(0x30, SHA256 + value(0x31, value(0x0C, _ALL)))))
    ),
    "hashes in a sequence, which has to be a set": trick(
        _UNREADABLE, linked(value(0xA1, value(4, CLASS) + value(4, value(0x30, attribute(_ALL)))))
    ),
    "bytes after the hashes": trick(_UNREADABLE, linked(moniker(attribute(_ALL), after=b"x"))),
    "a moniker with a third field": trick(
        _UNREADABLE, linked(moniker(attribute(_ALL), more=value(4, b"")))
    ),
    "a moniker outside of a link": trick(_UNREADABLE, about(moniker(attribute(_ALL)))),
    "an empty link": trick(_UNREADABLE, about(value(0xA0, b""))),
    "sections aligned to two pages": trick(_DIFFER, listed(b"".join(pages(_ALIGNED))), _ALIGNED),
    "a section beyond the end": trick(_UNREADABLE, listed(b"".join(pages(_BEYOND))), _BEYOND),
    "headers of more than a page": trick(
        _DIFFER, listed(b"".join(pages(_LONG, headers=PAGE + 512))), _LONG
    ),
    "headers that end before their sections": trick(
        _DIFFER, listed(b"".join(pages(_SHORT, headers=SECTION - 1))), _SHORT
    ),
    "a section twice": trick(_DIFFER, listed(b"".join(_PAGES_TWICE)), _TWICE),
    "a part of a section twice": trick(
        _DIFFER, listed(b"".join([*pages(_PART, first=SECTION)[:-1], _PART_PAGE, _PART_END])), _PART
    ),
    "no section has bytes": trick(_DIFFER, listed(_ALL), _EMPTY),
}
