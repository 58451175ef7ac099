"""Signed cabinets that must not pass, and what each is called."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any

from builders.recipe.signature import SignedFormat
from tests.judge.signatures.pe_tricks import ADA, BOB, CLOCK, EVE, ROOT, TAG, Trick
from tests.judge.signatures.pe_tricks import pinned as pinned_for
from tests.judge.signatures.signing import IMAGE_DATA, Signing

HEADER, GROWN = 36, 24
_BLOCK = 32 << 10
CAB_DATA = bytes.fromhex("3010060a2b060104018237020119a2028000")
pinned = partial(pinned_for, form=SignedFormat.CAB)


def cabinet(*contents: bytes) -> bytes:
    """Return an unsigned cabinet with each content stored in a folder of its own."""
    names = [b"%d.txt\0" % number for number, _ in enumerate(contents)]
    files = HEADER + 8 * len(contents)
    at = files + sum(16 + len(name) for name in names)
    folders, entries, blocks = b"", b"", bytearray()
    for number, (name, content) in enumerate(zip(names, contents, strict=True)):
        parts = [content[n : n + _BLOCK] for n in range(0, len(content) or 1, _BLOCK)]
        folders += struct.pack("<IHH", at + len(blocks), len(parts), 0)
        entries += struct.pack("<IIHHHH", len(content), 0, number, 0x5C21, 0, 0x20) + name
        for part in parts:
            blocks += struct.pack("<IHH", 0, len(part), len(part)) + part
    size = at + len(blocks)
    head = struct.pack(
        "<4sIIIIIBBHHHHH",
        b"MSCF", 0, size, 0, files, 0, 3, 1, len(contents), len(contents), 0, 77, 0,
    )  # fmt: skip
    return head + folders + entries + bytes(blocks)


def prepared(unsigned: bytes, signature: int) -> bytes:
    """Return a cabinet with the header of a signed one, for so many bytes of signature."""
    made = bytearray(unsigned[:HEADER] + bytes(GROWN) + unsigned[HEADER:])
    folders = struct.unpack_from("<H", unsigned, 26)[0]
    for at in (8, 16, *range(HEADER + GROWN, HEADER + GROWN + 8 * folders, 8)):
        struct.pack_into("<I", made, at, struct.unpack_from("<I", made, at)[0] + GROWN)
    struct.pack_into("<H", made, 30, 4)
    struct.pack_into("<IIII", made, HEADER, 20, 0x100000, len(made), signature)
    return bytes(made)


def with_signature(unsigned: bytes, signature: bytes) -> bytes:
    return prepared(unsigned, len(signature)) + signature


def signature_of(unsigned: bytes, signing: Signing) -> bytes:
    """Return the DER of a signature over a cabinet."""
    made = prepared(unsigned, 0)
    return signing.over(made[:4] + made[8:34] + made[56:])


def padding(der: bytes) -> bytes:
    return bytes(-len(der) % 8)


def signed(unsigned: bytes, *, padded: bool = True, **fields: Any) -> bytes:
    signing = Signing(**{"by": ADA, "image_data": CAB_DATA, **fields})
    der = signature_of(unsigned, signing)
    return with_signature(unsigned, der + (padding(der) if padded else b""))


OURS = cabinet(b"first content\n", b"second one\n")
OTHER = cabinet(b"First content\n", b"second one\n")
BY_ADA = pinned(ADA)
_GOOD = signed(OURS)
_END = len(OURS) + GROWN
_DER = signature_of(OURS, Signing(by=ADA, image_data=CAB_DATA))


_BARE = OURS[:8] + struct.pack("<I", 52) + OURS[12 : HEADER + 16]
_FAR = OURS[:HEADER] + b"\xf0\xff\xff\xff" + OURS[HEADER + 4 :]


def altered(offset: int, data: bytes) -> Callable[[], bytes]:
    return lambda: _GOOD[:offset] + data + _GOOD[offset + len(data) :]


def number(offset: int, change: int) -> Callable[[], bytes]:
    value = struct.unpack_from("<I", _GOOD, offset)[0]
    return altered(offset, struct.pack("<I", value + change))


def by(**fields: Any) -> Callable[[], bytes]:
    return lambda: signed(OURS, **fields)


def carrying(signature: bytes) -> Callable[[], bytes]:
    return lambda: with_signature(OURS, signature)


def trick(fault: str, shipped: Callable[[], bytes], **fields: Any) -> Trick:
    return Trick(**{"fault": fault, "shipped": shipped, "pins": BY_ADA, "ours": OURS, **fields})


def _grown() -> bytes:
    """Return a file whose cabinet goes on, as its header says, with bytes that ours has not."""
    return with_signature(
        OURS[:8] + struct.pack("<I", len(OURS) + 16) + OURS[12:] + b"payload payload!", _DER
    )


def _between() -> bytes:
    made = bytearray(prepared(OURS, len(_DER)))
    struct.pack_into("<I", made, 44, _END + 8)
    return bytes(made) + b"payload!" + _DER


TRICKS: dict[str, Trick] = {
    "not signed": trick("signature-missing", lambda: OURS),
    "an empty file": trick("signature-unreadable", lambda: b""),
    "no cabinet": trick("signature-unreadable", altered(0, b"MSCE")),
    "a cabinet of another version": trick("signature-unreadable", altered(24, b"\x04\x01")),
    "a header that ends early": trick("signature-unreadable", lambda: _GOOD[:50]),
    "entries beyond the end": trick("bytes-differ", altered(16, b"\xff\xff\xff\x7f")),
    "entries in the header": trick("bytes-differ", altered(16, struct.pack("<I", 40))),
    "a cabinet longer than its file": trick("signature-unreadable", number(8, 1 << 20)),
    "one cabinet of a set": trick("layout", altered(30, b"\x05\x00")),
    "an unknown flag": trick("layout", altered(30, b"\x04\x01")),
    "no folder": trick("layout", altered(26, b"\0\0")),
    "no folder in either": trick("layout", lambda: signed(cabinet()), ours=cabinet()),
    "folders up to the end": trick("signature-unreadable", altered(26, struct.pack("<H", 13))),
    "a signature at no place": trick("signature-unreadable", altered(44, bytes(4))),
    "a thousand folders": trick("layout", altered(26, struct.pack("<H", 1000))),
    "a folder more": trick("layout", altered(26, b"\x03\0")),
    "a folder less": trick("layout", altered(26, b"\x01\0")),
    "reserved fields of another size": trick("layout", altered(36, b"\x18")),
    "reserved fields of folders": trick("layout", altered(38, b"\x08")),
    "reserved fields of another kind": trick("layout", altered(40, b"\0\0\x20")),
    "reserved fields without a signature": trick("signature-missing", altered(44, bytes(8))),
    "the first reserved field": trick("layout", altered(4, b"evil")),
    "data in the reserved fields": trick("data-in-slack", altered(52, b"evil")),
    "data in their last four bytes": trick("data-in-slack", altered(56, b"evil")),
    "bytes after the signature": trick("trailing-bytes", lambda: _GOOD + b"payload!"),
    "a byte after the signature": trick("trailing-bytes", lambda: _GOOD + b"\0"),
    "bytes that count as the signature": trick("data-in-slack", carrying(_DER + b"payload!")),
    "eight zeros that count as the signature": trick("data-in-slack", carrying(_DER + bytes(8))),
    "data in its padding": trick(
        "data-in-slack", carrying(_DER + b"x" * (len(padding(_DER)) or 7))
    ),
    "a signature in the cabinet": trick("signature-unreadable", number(44, -8)),
    "a signature beyond the end": trick("signature-unreadable", number(48, 8)),
    "a signature of a megabyte": trick("signature-unreadable", carrying(bytes(1 << 20))),
    "a signature that is text": trick("signature-unreadable", carrying(b"no signature at all")),
    "a signature of no bytes": trick("trailing-bytes", altered(48, bytes(4))),
    "a signature that is cut off": trick("signature-unreadable", carrying(_DER[:-9])),
    "bytes before the signature": trick("signature-unreadable", _between),
    "a cabinet that goes on": trick("layout", _grown),
    "a stale size": trick("signature-unreadable", number(8, -GROWN)),
    "another offset of entries": trick("bytes-differ", number(16, 4)),
    "a stale offset of a folder": trick("bytes-differ", number(60, -GROWN)),
    "a stale offset of the second folder": trick("bytes-differ", number(68, -GROWN)),
    "the number of the cabinet": trick("bytes-differ", altered(34, b"\1")),
    "the number of its set": trick("bytes-differ", altered(32, b"\1")),
    "a second reserved field": trick("bytes-differ", altered(12, b"evil")),
    "the compression of a folder": trick("bytes-differ", altered(66, b"\1")),
    "a file name": trick("bytes-differ", lambda: _GOOD.replace(b"0.txt", b"0.exe")),
    "a checksum of data": trick("bytes-differ", altered(_END - 19, b"evil")),
    "a byte of the content": trick("bytes-differ", lambda: _GOOD.replace(b"first", b"First")),
    "other bytes, signed": trick("bytes-differ", lambda: signed(OTHER)),
    "the signature of another cabinet": trick(
        "signed-other-bytes",
        carrying(signature_of(OTHER, Signing(by=ADA, image_data=CAB_DATA))),
    ),
    "a signature about a program": trick("signature-unreadable", by(image_data=IMAGE_DATA)),
    "a signature by another key": trick(
        "signature-invalid", by(signature=EVE.sign(b"x", "sha256"))
    ),
    "another signer": trick("unexpected-signer", by(by=EVE)),
    "the second signer missing": trick("missing-signer", by(), pins=pinned(ADA, BOB)),
    "a certificate that nobody lists": trick("unknown-certificate", by(certificates=(ROOT.der,))),
    "a tag in an unauthenticated attribute": trick("unexpected-attribute", by(attributes=(TAG,))),
    "a time stamp that nobody declares": trick("unexpected-attribute", by(stamped_by=CLOCK)),
    "a time stamp of another signature": trick(
        "time-stamp-invalid",
        by(stamped_by=CLOCK, stamped=b"other"),
        pins=pinned(ADA, time_stamps=(CLOCK,)),
    ),
    "SHA-1": trick("weak-digest", by(algorithm="sha1")),
    "a program in place of the cabinet": trick("signature-unreadable", lambda: b"MZ" + _GOOD[2:]),
    "ours is signed already": trick("rebuilt-is-signed", by(), ours=_GOOD),
    "ours is no cabinet": trick("signature-unreadable", by(), ours=b"#!/bin/sh\n" * 9),
    "ours is empty": trick("signature-unreadable", by(), ours=b""),
    "ours ends with its folders": trick("signature-unreadable", by(), ours=_BARE),
    "ours goes on after its end": trick("layout", by(), ours=OURS + b"x"),
    "ours has an offset of 4 GiB": trick("layout", by(), ours=_FAR),
    "ours is shorter": trick("layout", by(), ours=cabinet(b"first", b"second one\n")),
    "ours has another folder": trick("layout", by(), ours=cabinet(b"first content\n")),
    "ours is another cabinet": trick("bytes-differ", by(), ours=OTHER),
}
