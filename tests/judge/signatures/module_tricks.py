"""Signed kernel modules that must not pass, and what each is called."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable

from builders.packing import GzipPacking
from builders.recipe.signature import PinnedSignature
from tests.judge.signatures.modules import (
    MAGIC,
    appended,
    edwards,
    module,
    named,
    packed,
    pinned,
    pkcs7,
    signed,
)
from tests.judge.signatures.planted import Planted
from tests.judge.signatures.signing import edited, value

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

OURS, OTHER = module(), module(b"kallow")
ADA, BOB, EVE = named("ada"), named("bob", elliptic=False), named("eve")
CAT = edwards("cat")
BY_ADA = pinned(ADA)
_DER = pkcs7(ADA, OURS)
_DATA = (0, 1, 0)
_SIGNER = (*_DATA, 3, 0)
_GOOD = appended(OURS, _DER)
_PACKED = packed(_GOOD)


def planted(
    fault: str,
    shipped: bytes | Callable[[], bytes],
    *,
    ours: bytes = OURS,
    pins: PinnedSignature = BY_ADA,
) -> Planted:
    made = shipped if callable(shipped) else lambda: shipped
    return Planted(fault=fault, shipped=made, pins=pins, ours=ours)


def with_field(change: Callable[[bytes], bytes], *path: int) -> Callable[[], bytes]:
    return lambda: appended(OURS, edited(_DER, change, *path))


def altered(data: bytes, at: int, by: bytes) -> bytes:
    at %= len(data)
    return data[:at] + by + data[at + len(by) :]


def after(at: int, data: bytes, whole: bytes = _GOOD) -> bytes:
    at %= len(whole) + 1
    return whole[:at] + data + whole[at:]


TRICKS: dict[str, Planted] = {
    "not signed": planted("signature-missing", OURS),
    "an empty file": planted("signature-missing", b""),
    "the magic text alone": planted("signature-unreadable", MAGIC),
    "a byte after the signature": planted("trailing-bytes", _GOOD + b"\0"),
    "a second magic text": planted("signature-unreadable", _GOOD + MAGIC),
    "signed twice": planted("duplicate", lambda: signed(_GOOD, ADA)),
    "signed by another, then by the pinned one": planted(
        "duplicate", lambda: signed(signed(OURS, EVE), ADA)
    ),
    "a byte of the module": planted("bytes-differ", altered(_GOOD, 20, b"X")),
    "other bytes, signed": planted("bytes-differ", lambda: signed(OTHER, ADA)),
    "a module that grew": planted("layout", lambda: signed(OURS + b"rootkit.", ADA)),
    "data between module and signature": planted("layout", after(len(OURS), b"payload!")),
    "the signature of another module": planted(
        "signature-invalid", lambda: appended(OURS, pkcs7(ADA, OTHER))
    ),
    "data after the PKCS #7": planted("data-in-slack", lambda: appended(OURS, _DER + b"data")),
    "a length that leaves bytes of the PKCS #7 out": planted(
        "layout", lambda: appended(OURS, _DER, length=len(_DER) - 1)
    ),
    "a length beyond the file": planted(
        "signature-unreadable", lambda: appended(OURS, _DER, length=1 << 31)
    ),
    "no length": planted("signature-unreadable", lambda: appended(OURS, _DER, length=0)),
    "a signature of another kind": planted(
        "signature-unreadable", lambda: appended(OURS, _DER, kind=1)
    ),
    "an algorithm in the trailer": planted("data-in-slack", lambda: appended(OURS, _DER, algo=1)),
    "a digest in the trailer": planted("data-in-slack", lambda: appended(OURS, _DER, hash=4)),
    "a signer in the trailer": planted("data-in-slack", lambda: appended(OURS, _DER, signer=9)),
    "a key in the trailer": planted("data-in-slack", lambda: appended(OURS, _DER, key=9)),
    "data in the padding of the trailer": planted(
        "data-in-slack", altered(_GOOD, -len(MAGIC) - 7, b"abc")
    ),
    "a megabyte of signature": planted(
        "signature-unreadable", lambda: appended(OURS, value(0x30, bytes(1 << 20)))
    ),
    "a signature of text": planted("data-in-slack", lambda: appended(OURS, b"no signature")),
    "a signature of nothing": planted("signature-unreadable", lambda: appended(OURS, b"\x30\0")),
    "another signer": planted("unexpected-signer", lambda: signed(OURS, EVE)),
    "another signer of the same name": planted(
        "unexpected-signer", lambda: signed(OURS, named("ada"))
    ),
    "another key by the name of the pinned one": planted(
        "signature-invalid",
        with_field(lambda _: value(4, EVE.sign(OURS, "sha256")), *_SIGNER, 4),
    ),
    "a pinned signer who did not sign": planted("missing-signer", _GOOD, pins=pinned(ADA, BOB)),
    "the RSA signature of another module": planted(
        "signature-invalid", lambda: appended(OURS, pkcs7(BOB, OTHER)), pins=pinned(BOB)
    ),
    "a key of another kind": planted(
        "signature-unreadable",
        lambda: appended(OURS, pkcs7(CAT, OURS, scheme="rsassa_pkcs1v15")),
        pins=pinned(CAT),
    ),
    "an empty list of revocation lists": planted(
        "data-in-slack", with_field(lambda c: c + b"\xa1\0", *_DATA, 2)
    ),
    "a signature of one byte": planted("data-in-slack", lambda: appended(OURS, b"0")),
    "a signature that is too long": planted(
        "signature-unreadable", lambda: appended(OURS, value(0x30, bytes((8 << 10) + 1)))
    ),
    "half a trailer": planted("signature-unreadable", bytes(11) + MAGIC),
    "a signature of zeros": planted(
        "signature-invalid", with_field(lambda s: value(4, bytes(len(s) - 2)), *_SIGNER, 4)
    ),
    "a signature of no bytes": planted(
        "signature-invalid", with_field(lambda _: value(4, b""), *_SIGNER, 4)
    ),
    "SHA-1": planted("weak-digest", lambda: signed(OURS, BOB, algorithm="sha1"), pins=pinned(BOB)),
    "MD5": planted("weak-digest", lambda: signed(OURS, BOB, algorithm="md5"), pins=pinned(BOB)),
    "a certificate in the signature": planted(
        "unknown-certificate",
        with_field(lambda c: c + value(0xA0, ADA.der), *_DATA, 2),
    ),
    "an attribute that is not signed": planted(
        "unexpected-attribute",
        with_field(
            lambda s: s + value(0xA1, value(0x30, b"\6\1\x2a" + value(0x31, b"\4\1x"))), *_SIGNER, 4
        ),
    ),
    "an attribute that is signed": planted(
        "unexpected-attribute",
        with_field(
            lambda d: d + value(0xA0, value(0x30, b"\6\1\x2a" + value(0x31, b"\4\1x"))), *_SIGNER, 2
        ),
    ),
    "an empty list of attributes": planted(
        "data-in-slack", with_field(lambda s: s + b"\xa1\0", *_SIGNER, 4)
    ),
    "two signers in one": planted("duplicate", with_field(lambda i: i + i, *_SIGNER)),
    "content in the signature": planted(
        "data-in-slack", with_field(lambda o: o + value(0xA0, value(4, b"data")), *_DATA, 2, 0)
    ),
    "a digest that nobody uses": planted(
        "data-in-slack", with_field(lambda a: a + value(0x30, a[2:-1] + b"\2"), *_DATA, 1, 0)
    ),
    "data in the parameters of a digest": planted(
        "data-in-slack",
        with_field(lambda a: value(0x30, a[2:] + value(4, b"data" * 99)), *_DATA, 1, 0),
    ),
    "data in the parameters of the signer's digest": planted(
        "data-in-slack",
        with_field(lambda a: value(0x30, a[2:] + value(4, b"data" * 99)), *_SIGNER, 2),
    ),
    "data in the parameters of an algorithm": planted(
        "data-in-slack", with_field(lambda a: value(0x30, a[2:] + value(4, b"data")), *_SIGNER, 3)
    ),
    "a version that there is not": planted(
        "data-in-slack", with_field(lambda _: b"\2\1\7", *_SIGNER, 0)
    ),
    "a length that is longer than need be": planted(
        "data-in-slack", lambda: appended(OURS, b"\x30\x83\0" + _DER[2:])
    ),
    "a key identifier that is longer": planted(
        "unexpected-signer", with_field(lambda s: value(0x80, s[2:] + b"data"), *_SIGNER, 1)
    ),
    "ours is signed already": planted("rebuilt-is-signed", _GOOD, ours=signed(OURS, EVE)),
    "ours is no module": planted("signature-unreadable", _GOOD, ours=b"#!/bin/sh\n"),
    "ours is empty": planted("signature-unreadable", _GOOD, ours=b""),
    "ours is shorter": planted("layout", _GOOD, ours=OURS[:-1]),
    "ours is another module": planted("bytes-differ", _GOOD, ours=OTHER),
    "ours is compressed and theirs is not": planted("layout", _GOOD, ours=packed(OURS)),
    "xz: not signed": planted("signature-missing", packed(OURS)),
    "xz: other bytes, signed": planted("bytes-differ", lambda: packed(signed(OTHER, ADA))),
    "xz: a byte of the module": planted("bytes-differ", lambda: packed(altered(_GOOD, 20, b"X"))),
    "xz: a byte after the stream": planted("trailing-bytes", _PACKED + b"\0"),
    "xz: padding after the stream": planted("trailing-bytes", _PACKED + bytes(4)),
    "xz: a second stream": planted("trailing-bytes", lambda: _PACKED + packed(b"rootkit")),
    "xz: an empty second stream": planted("trailing-bytes", lambda: _PACKED + packed(b"")),
    "xz: a stream that ends early": planted("signature-unreadable", _PACKED[:-1]),
    "xz: a byte of the stream": planted("signature-unreadable", altered(_PACKED, 40, b"\xff")),
    "xz: inside of xz": planted("signature-missing", lambda: packed(_PACKED)),
    "xz: another signer": planted("unexpected-signer", lambda: packed(signed(OURS, EVE))),
    "xz: signed twice": planted("duplicate", lambda: packed(signed(_GOOD, ADA))),
    "xz: bytes after the signature": planted("trailing-bytes", lambda: packed(_GOOD + b"\0")),
    "gzip: a second member": planted(
        "trailing-bytes", lambda: packed(_GOOD, GzipPacking()) + packed(b"x", GzipPacking())
    ),
    "gzip: a byte after the member": planted(
        "trailing-bytes", lambda: packed(_GOOD, GzipPacking()) + b"\0"
    ),
    "gzip: of no parameters that we know": planted("layout", lambda: _flushed(_GOOD)),
    "zstd: of no parameters that we know": planted("layout", lambda: _zstd(_GOOD)),
}


def _flushed(data: bytes) -> bytes:
    """Return a gzip file as no encoder writes it at once."""
    stream = zlib.compressobj(6, zlib.DEFLATED, 31)
    made = stream.compress(data[:99]) + stream.flush(zlib.Z_FULL_FLUSH)
    return made + stream.compress(data[99:]) + stream.flush()


def _zstd(data: bytes) -> bytes:
    return bytes(zstd.compress(data))
