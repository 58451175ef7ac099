"""Signed PE files that must not pass, and what each is called."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asn1crypto.core import OctetString

from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.planted import Planted
from tests.judge.signatures.signing import (
    CHECKSUM,
    ENTRY,
    IMAGE_DATA,
    INDIRECT_DATA,
    Signing,
    Vendor,
    certificate_entry,
    edited,
    program,
    signed,
    value,
    with_table,
)

OURS = program()
ADA, BOB, EVE = Vendor.named("ada"), Vendor.named("bob", elliptic=True), Vendor.named("eve")
OLD = Vendor.named("old", until=2021)
ODD = Vendor(ADA.key, ADA.der.replace(b"\xa0\3\2\1\2", b"\xa0\3\2\1\6"))
CLOCK, ROOT = Vendor.named("clock"), Vendor.named("root")


def pinned(
    *signers: Vendor,
    certificates: Iterable[Vendor] = (),
    time_stamps: Iterable[Vendor] = (),
    form: SignedFormat = SignedFormat.PE,
) -> PinnedSignature:
    return PinnedSignature(
        format=form,
        signers=tuple(one.pin for one in signers),
        certificates=tuple(one.pin for one in certificates),
        time_stamps=tuple(one.pin for one in time_stamps),
    )


BY_ADA = pinned(ADA)
TAG = {"type": "1.3.6.1.4.1.11129.2.1.1", "values": [OctetString(b"tag")]}


@dataclass(frozen=True, kw_only=True)
class Trick(Planted):
    """A shipped file, or bytes of ours, that must not pass, and what it is called then."""

    pins: PinnedSignature = BY_ADA
    ours: bytes = OURS


def altered(offset: int, data: bytes, *signings: Signing) -> Callable[[], bytes]:
    def make() -> bytes:
        made = bytearray(signed(OURS, *(signings or (Signing(by=ADA),))))
        at = offset if offset >= 0 else len(made) + offset
        made[at : at + len(data)] = data
        return bytes(made)

    return make


def table_of(*parts: bytes) -> Callable[[], bytes]:
    return lambda: with_table(OURS, b"".join(parts))


def by(**fields: object) -> Callable[[], bytes]:
    return lambda: signed(OURS, Signing(**{"by": ADA, **fields}))  # type: ignore[arg-type]


def entry(length: int | None = None, revision: int = 0x0200, kind: int = 2) -> bytes:
    made = certificate_entry(Signing(by=ADA).pkcs7(OURS))
    real = struct.unpack_from("<I", made)[0]
    return struct.pack("<IHH", real if length is None else length, revision, kind) + made[8:]


def with_field(
    change: Callable[[bytes], bytes], *path: int, **fields: object
) -> Callable[[], bytes]:
    signing = Signing(**{"by": ADA, **fields})  # type: ignore[arg-type]
    return lambda: with_table(OURS, certificate_entry(edited(signing.pkcs7(OURS), change, *path)))


_DATA = (0, 1, 0)
_DIGESTS, _BAG, _SIGNER = (*_DATA, 1), (*_DATA, 3), (*_DATA, 4, 0)
OTHER = program(b"evil\n")
_DER = Signing(by=ADA).pkcs7(OURS)
_STAMP = {"stamped_by": CLOCK}
TRICKS: dict[str, Trick] = {
    "not signed": Trick(fault="signature-missing", shipped=lambda: OURS),
    "a certificate of no known version": Trick(
        fault="signature-unreadable",
        shipped=lambda: signed(OURS, Signing(by=ODD)),
        pins=pinned(ODD),
    ),
    "an empty file": Trick(fault="signature-unreadable", shipped=lambda: b""),
    "no program": Trick(fault="signature-unreadable", shipped=lambda: b"MZ" * 400),
    "header beyond the end": Trick(
        fault="signature-unreadable", shipped=altered(0x3C, b"\xff\xff\xff\x7f")
    ),
    "too few directories": Trick(
        fault="signature-unreadable", shipped=altered(ENTRY - 36, b"\x04\0\0\0")
    ),
    "more directories than there are": Trick(
        fault="signature-unreadable", shipped=altered(ENTRY - 36, b"\xff\xff\xff\xff")
    ),
    "another kind of header": Trick(
        fault="signature-unreadable", shipped=altered(0x40 + 24, b"\x07\x01")
    ),
    "the table over the header": Trick(
        fault="signature-unreadable", shipped=altered(ENTRY, struct.pack("<I", 8))
    ),
    "the table at an odd offset": Trick(
        fault="signature-unreadable", shipped=altered(ENTRY, struct.pack("<I", len(OURS) + 4))
    ),
    "the table beyond the end": Trick(
        fault="signature-unreadable", shipped=altered(ENTRY + 4, b"\xff\xff\0\0")
    ),
    "a table of a megabyte": Trick(
        fault="signature-unreadable", shipped=lambda: with_table(OURS, bytes(1 << 20))
    ),
    "bytes after the table": Trick(
        fault="trailing-bytes", shipped=lambda: signed(OURS, Signing(by=ADA)) + b"payload."
    ),
    "a byte after the table": Trick(
        fault="trailing-bytes", shipped=lambda: signed(OURS, Signing(by=ADA)) + b"\0"
    ),
    "other bytes, signed": Trick(
        fault="bytes-differ", shipped=lambda: signed(OTHER, Signing(by=ADA))
    ),
    "a section that grew": Trick(
        fault="layout", shipped=lambda: signed(OURS + b"x" * 64, Signing(by=ADA))
    ),
    "a byte of the program": Trick(fault="bytes-differ", shipped=altered(len(OURS) - 1, b"X")),
    "a byte of the header": Trick(fault="bytes-differ", shipped=altered(2, b"X")),
    "a stale checksum": Trick(fault="digest-differs", shipped=altered(CHECKSUM, b"\1\2\3\4")),
    "a checksum of zero": Trick(fault="digest-differs", shipped=altered(CHECKSUM, bytes(4))),
    "data in the padding of the program": Trick(
        fault="bytes-differ", shipped=altered(len(OURS), b"\1")
    ),
    "data in the padding of the table": Trick(
        fault="data-in-slack",
        shipped=table_of(struct.pack("<IHH", len(_DER) + 8 + 7, 0x0200, 2), _DER, b"payload"),
    ),
    "data between a PKCS #7 and the next": Trick(
        fault="data-in-slack",
        shipped=table_of(
            struct.pack("<IHH", len(_DER) + 16, 0x0200, 2), _DER, b"payload!", bytes(-len(_DER) % 8)
        ),
    ),
    "eight zeros between them": Trick(
        fault="data-in-slack",
        shipped=table_of(
            struct.pack("<IHH", len(_DER) + 16, 0x0200, 2), _DER, bytes(8 - len(_DER) % 8 + 8)
        ),
    ),
    "a certificate longer than its table": Trick(
        fault="signature-unreadable", shipped=table_of(entry(length=1 << 20))
    ),
    "a certificate of no length": Trick(
        fault="signature-unreadable", shipped=table_of(entry(length=0))
    ),
    "a certificate of another revision": Trick(
        fault="signature-unreadable", shipped=table_of(entry(revision=0x0100))
    ),
    "a certificate of another type": Trick(
        fault="signature-unreadable", shipped=table_of(entry(kind=1))
    ),
    "a second certificate of another type": Trick(
        fault="signature-unreadable", shipped=table_of(entry(), entry(kind=0xEF))
    ),
    "a table of eight zeros more": Trick(
        fault="signature-unreadable", shipped=table_of(entry(), bytes(8))
    ),
    "a table of zeros": Trick(fault="signature-unreadable", shipped=table_of(bytes(64))),
    "a PKCS #7 that is text": Trick(
        fault="signature-unreadable", shipped=table_of(certificate_entry(b"no signature at all"))
    ),
    "an indefinite length": Trick(
        fault="signature-unreadable",
        shipped=table_of(certificate_entry(b"\x30\x80" + _DER[4:] + b"\0\0")),
    ),
    "a length that is longer than need be": Trick(
        fault="signature-unreadable",
        shipped=table_of(certificate_entry(b"\x30\x83\x00" + _DER[2:])),
    ),
    "a hundred values in each other": Trick(
        fault="signature-unreadable",
        shipped=table_of(
            certificate_entry(b"".join(bytes([0x30, 2 * n]) for n in range(60, 0, -1)))
        ),
    ),
    "the signature of another file": Trick(
        fault="signed-other-bytes",
        shipped=lambda: with_table(OURS, certificate_entry(Signing(by=ADA).pkcs7(OTHER))),
    ),
    "a signature over nothing": Trick(fault="signed-other-bytes", shipped=by(signed=b"\0" * 32)),
    "a signature of zeros": Trick(fault="signature-invalid", shipped=by(signature=bytes(256))),
    "a signature by another key": Trick(
        fault="signature-invalid", shipped=by(signature=EVE.sign(b"x", "sha256"))
    ),
    "one signer twice": Trick(
        fault="duplicate", shipped=lambda: signed(OURS, Signing(by=ADA), Signing(by=ADA))
    ),
    "a certificate twice": Trick(fault="duplicate", shipped=by(certificates=(ADA.der,))),
    "a thousand certificates": Trick(
        fault="unknown-certificate",
        shipped=with_field(lambda c: c + b"\xa3\2\x30\0" * 1000, *_BAG, 0),
    ),
    "data in the parameters of a digest": Trick(
        fault="data-in-slack",
        shipped=with_field(lambda a: value(0x30, a[2:13] + value(4, b"data" * 99)), *_DIGESTS, 0),
    ),
    "data in the parameters of an algorithm": Trick(
        fault="data-in-slack",
        shipped=with_field(lambda a: value(0x30, a[2:13] + value(4, b"data" * 99)), *_SIGNER, 4),
    ),
    "a hundred digests": Trick(
        fault="data-in-slack",
        shipped=with_field(lambda s: value(0x31, s[2:] * 100), *_DIGESTS),
    ),
    "a digest that nobody uses": Trick(
        fault="data-in-slack",
        shipped=with_field(lambda o: o[:-1] + b"\2", *_DIGESTS, 0, 0),
    ),
    "a digest whose name is text": Trick(
        fault="data-in-slack",
        shipped=with_field(lambda o: b"\x04" + o[1:], *_DIGESTS, 0, 0),
    ),
    "a version of many bytes": Trick(
        fault="data-in-slack", shipped=with_field(lambda _: value(2, b"data" * 99), *_SIGNER, 0)
    ),
    "a number that is longer than need be": Trick(
        fault="signature-unreadable",
        shipped=with_field(lambda n: value(2, bytes(99) + n[2:]), *_SIGNER, 1, 1),
    ),
    "a name that is longer than need be": Trick(
        fault="signature-unreadable",
        shipped=with_field(lambda o: value(6, o[2:5] + b"\x80" * 40 + o[5:]), *_SIGNER, 2, 0),
    ),
    "a field more in a PKCS #7": Trick(
        fault="data-in-slack",
        shipped=with_field(lambda i: i + value(4, b"data"), *_DATA, 4),
    ),
    "revocation lists of which there are none": Trick(
        fault="data-in-slack", shipped=with_field(lambda c: c + b"\xa1\0", *_BAG)
    ),
    "no unauthenticated attributes in a list": Trick(
        fault="data-in-slack", shipped=with_field(lambda s: s + b"\xa1\0", *_SIGNER, 5)
    ),
    "a signature in pieces": Trick(
        fault="data-in-slack",
        shipped=with_field(lambda s: value(0x24, value(4, b"") * 99 + s), *_SIGNER, 5),
    ),
    "two contents": Trick(
        fault="signature-unreadable",
        shipped=with_field(lambda c: c + value(4, b"data"), *_DATA, 2, 1, 0),
    ),
    "an algorithm with another digest": Trick(
        fault="signature-invalid",
        shipped=with_field(lambda o: o[:-1] + b"\5", *_SIGNER, 4, 0),
    ),
    "a time stamp that stamps nothing": Trick(
        fault="time-stamp-invalid",
        shipped=by(**_STAMP, stamp_type=INDIRECT_DATA),
        pins=pinned(ADA, time_stamps=(CLOCK,)),
    ),
    "data in a time stamp": Trick(
        fault="data-in-slack",
        shipped=with_field(
            lambda _: value(2, b"data" * 99), *_SIGNER, 6, 0, 1, 0, 1, 0, 0, stamped_by=CLOCK
        ),
        pins=pinned(ADA, time_stamps=(CLOCK,)),
    ),
    "directories outside of the header": Trick(
        fault="signature-unreadable", shipped=altered(0x40 + 20, b"\x10\0")
    ),
    "another signer": Trick(fault="unexpected-signer", shipped=by(by=EVE)),
    "another signer of the same name": Trick(
        fault="unexpected-signer", shipped=by(by=Vendor.named("ada"))
    ),
    "another signer who brings the pinned certificate": Trick(
        fault="unexpected-signer", shipped=by(by=EVE, certificates=(ADA.der,))
    ),
    "a second signer": Trick(
        fault="unexpected-signer", shipped=lambda: signed(OURS, Signing(by=ADA), Signing(by=EVE))
    ),
    "the second signature dropped": Trick(
        fault="missing-signer", shipped=by(), pins=pinned(ADA, BOB)
    ),
    "one signature twice for two": Trick(
        fault="missing-signer",
        shipped=lambda: signed(OURS, Signing(by=ADA), Signing(by=ADA)),
        pins=pinned(ADA, BOB),
    ),
    "a certificate that nobody lists": Trick(
        fault="unknown-certificate", shipped=by(certificates=(ROOT.der,))
    ),
    "a tag in a superfluous certificate": Trick(
        fault="unknown-certificate",
        shipped=by(certificates=(EVE.der,)),
        pins=pinned(ADA, certificates=(ROOT,)),
    ),
    "a tag in an unauthenticated attribute": Trick(
        fault="unexpected-attribute",
        shipped=by(
            attributes=({"type": "1.3.6.1.4.1.11129.2.1.1", "values": [OctetString(b"tag")]},)
        ),
    ),
    "a time stamp that nobody declares": Trick(fault="unexpected-attribute", shipped=by(**_STAMP)),
    "a time stamp by another authority": Trick(
        fault="unexpected-signer",
        shipped=by(stamped_by=EVE),
        pins=pinned(ADA, time_stamps=(CLOCK,)),
    ),
    "a time stamp of another signature": Trick(
        fault="time-stamp-invalid",
        shipped=by(**_STAMP, stamped=b"other"),
        pins=pinned(ADA, time_stamps=(CLOCK,)),
    ),
    "an authority of time stamps that signs": Trick(
        fault="unexpected-signer", shipped=by(by=CLOCK), pins=pinned(ADA, time_stamps=(CLOCK,))
    ),
    "a listed certificate that signs": Trick(
        fault="unexpected-signer", shipped=by(by=ROOT), pins=pinned(ADA, certificates=(ROOT,))
    ),
    "MD5": Trick(fault="weak-digest", shipped=by(algorithm="md5")),
    "SHA-1": Trick(fault="weak-digest", shipped=by(algorithm="sha1")),
    "two signers in one": Trick(fault="signature-unreadable", shipped=by(twice=True)),
    "page hashes": Trick(
        fault="signature-unreadable",
        shipped=by(image_data=IMAGE_DATA[:-6] + b"\xa0\x04\xa1\x02\x04\x00"),
    ),
    "a signature about a cabinet": Trick(
        fault="signature-unreadable",
        shipped=by(image_data=IMAGE_DATA.replace(b"\x02\x01\x0f", b"\x02\x01\x19")),
    ),
    "ours is signed already": Trick(
        fault="rebuilt-is-signed", shipped=by(), ours=signed(OURS, Signing(by=ADA))
    ),
    "ours is no program": Trick(fault="signature-unreadable", shipped=by(), ours=b"#!/bin/sh\n"),
    "ours is empty": Trick(fault="signature-unreadable", shipped=by(), ours=b""),
    "ours is shorter": Trick(fault="layout", shipped=by(), ours=program(b"")),
    "ours is another program": Trick(fault="bytes-differ", shipped=by(), ours=OTHER),
}
