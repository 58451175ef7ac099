"""Signed ClamAV databases that must not pass, and what each is called."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.databases import (
    EVE,
    MEMBERS,
    OURS,
    SIGNED,
    STRONG,
    WEAK,
    Key,
    block,
    pinned,
)
from tests.judge.signatures.planted import Planted
from tests.judge.signatures.tuf_tricks import UNKNOWN_KEY

PINS = pinned(STRONG, WEAK)
OWN = OURS.whole()
MORE = {**MEMBERS, b"test.ldb": b"Evil;Target:0;0;6161\n"}
LESS = {name: data for name, data in MEMBERS.items() if name != b"test.ndb"}
OTHER = {**MEMBERS, b"test.hdb": b"bb:1:Eicar\n"}
INFO = SIGNED.info
BODY = INFO[: INFO.index(b"DSIG:")]
TAR = SIGNED.tar(INFO)
WHOLE = SIGNED.whole()


def planted(
    fault: str,
    shipped: bytes | Callable[[], bytes] | None = None,
    *,
    ours: bytes = OWN,
    pins: PinnedSignature = PINS,
    **changes: object,
) -> Planted:
    if shipped is None:
        made: Callable[[], bytes] = lambda: SIGNED.but(**changes).whole()  # noqa: E731
    else:
        made = shipped if callable(shipped) else lambda: shipped
    return Planted(fault=fault, shipped=made, pins=pins, ours=ours)


def header(offset: int, data: bytes) -> Callable[[], bytes]:
    at = offset if offset >= 0 else 512 + offset
    return lambda: WHOLE[:at] + data + WHOLE[at + len(data) :]


def changed(before: bytes, after: bytes) -> Callable[[], bytes]:
    """Change the header, and leave its length."""
    head, body = WHOLE[:512].rstrip(), WHOLE[512:]
    assert before in head
    return lambda: head.replace(before, after, 1).ljust(512) + body


def tar(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: SIGNED.around(change(TAR))


def with_info(info: bytes) -> Callable[[], bytes]:
    return lambda: SIGNED.around(SIGNED.tar(info))


def salted(key: Key) -> bytes:
    return BODY + b"DSIG:" + key.pss(BODY, salt=20) + b"\n"


def _pinned(*ders: bytes) -> PinnedSignature:
    pem = "-----BEGIN PUBLIC KEY-----\n{}-----END PUBLIC KEY-----\n"
    return PinnedSignature(
        format=SignedFormat.CVD,
        signers=tuple(map(Digest.of, ders)),
        public_keys=tuple(pem.format(base64.encodebytes(one).decode()) for one in ders),
    )


_ELLIPTIC = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
_MD5 = int.from_bytes(hashlib.md5(SIGNED.around(TAR)[512:], usedforsecurity=False).digest(), "big")
TRICKS: dict[str, Planted] = {
    "not signed": planted("signature-missing", OWN),
    "an empty file": planted("signature-unreadable", b""),
    "half a header": planted("signature-unreadable", WHOLE[:300]),
    "a header alone": planted("signature-unreadable", WHOLE[:512]),
    "a header of another program": planted("signature-unreadable", header(0, b"ClamAV-XXX")),
    "data behind the header": planted("signature-unreadable", header(-9, b"payload")),
    "a control character in the header": planted("signature-unreadable", header(-1, b"\0")),
    "a tenth field": planted("signature-unreadable", builder=b"root:extra"),
    "a builder with an escape": planted("signature-unreadable", builder=b"\x1b[31m"),
    "a time that is none": planted("signature-unreadable", time=b"yesterday"),
    "another version": planted("bytes-differ", version=b"8"),
    "another number of signatures": planted("bytes-differ", sigs=b"4"),
    "another level": planted("bytes-differ", level=b"0"),
    "a version in the header alone": planted("bytes-differ", changed(b":7:3:", b":8:3:")),
    "a time in the header alone": planted(
        "signed-other-bytes", changed(b"28 Nov 2026", b"29 Nov 2026")
    ),
    "a builder in the header alone": planted("signed-other-bytes", changed(b":root:", b":toor:")),
    "a clock in the header alone": planted(
        "signed-other-bytes", changed(b":1795831200", b":1795831201")
    ),
    "a stale MD5": planted("bytes-differ", md5=b"0" * 32),
    "an MD5 in capitals": planted("signature-unreadable", md5=b"A" * 32),
    "no MD5": planted("bytes-differ", md5=b"X"),
    "a byte of the gzip": planted("signature-unreadable", WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:]),
    "a gzip that ends early": planted("signature-unreadable", WHOLE[:-1]),
    "a byte after the gzip": planted("trailing-bytes", after=b"\0"),
    "a second gzip member": planted("trailing-bytes", after=WHOLE[512:]),
    "another level of gzip": planted("bytes-differ", level_of_gzip=1),
    "another strategy of gzip": planted("bytes-differ", strategy=0),
    "another member": planted("bytes-differ", members=OTHER),
    "a member more": planted("bytes-differ", members=MORE),
    "a member less": planted("bytes-differ", members=LESS),
    "a member that is not listed": planted("bytes-differ", members=MORE, listed=MEMBERS),
    "ours has it too": planted(
        "signed-other-bytes",
        ours=OURS.but(members=MORE, listed=MEMBERS).whole(),
        members=MORE,
        listed=MEMBERS,
    ),
    "a listed member that is not there": planted(
        "signed-other-bytes",
        ours=OURS.but(members=LESS, listed=MEMBERS).whole(),
        members=LESS,
        listed=MEMBERS,
    ),
    "a listed member with other bytes": planted(
        "signed-other-bytes",
        ours=OURS.but(listed=OTHER).whole(),
        listed=OTHER,
    ),
    "the .info of another database": planted(
        "bytes-differ", with_info(SIGNED.but(members=OTHER).info)
    ),
    "a claim in the .info alone": planted(
        "bytes-differ", claims=SIGNED.but(version=b"9").header(b"X", b"X")
    ),
    "the .info twice": planted("signature-unreadable", extra=block(b"test.info", INFO)),
    "no .info": planted(
        "signature-unreadable",
        lambda: SIGNED.around(b"".join(block(*one) for one in MEMBERS.items())),
    ),
    "an .info without a signature": planted("weak-digest", strong=None),
    "data after the signature of the .info": planted("trailing-bytes", after_info=b"payload\n"),
    "two signatures in the .info": planted("trailing-bytes", with_info(INFO + b"DSIG:abc\n")),
    "an .info of another length": planted("bytes-differ", members=dict(MORE), listed=MORE),
    "an .info that is no list": planted("signature-unreadable", claims=b"#!/bin/sh"),
    "a header of a tar with a mode": planted(
        "data-in-slack", extra=block(b"test.sfp", b"a", {100: b"0000755"})
    ),
    "a header of a tar with a time": planted(
        "data-in-slack", extra=block(b"test.sfp", b"a", {136: b"17000000000"})
    ),
    "a header of a tar with a link": planted(
        "data-in-slack", extra=block(b"test.sfp", b"a", {156: b"2/etc/passwd"})
    ),
    "a size with zeros in front": planted(
        "data-in-slack", extra=block(b"test.sfp", b"a", {124: b"00000000001"})
    ),
    "a name of a path": planted("signature-unreadable", extra=block(b"../etc/cron", b"a")),
    "data in the padding of a member": planted("data-in-slack", tar(lambda data: data[:-1] + b"x")),
    "two blocks of zeros": planted("signature-unreadable", tar(lambda data: data + bytes(1024))),
    "a tar that ends early": planted("signature-unreadable", tar(lambda data: data[:-1])),
    "a signature by another key": planted("signature-invalid", weak=EVE),
    "an .info signed by another key": planted("signature-invalid", strong=EVE),
    "the signature of another header": planted(
        "signature-invalid", header_signature=WEAK.bare(12345)
    ),
    "a signature with bits above the MD5": planted(
        "signature-invalid", header_signature=WEAK.bare(1 << 200)
    ),
    "a signature of one digit": planted("signature-invalid", header_signature=b"b"),
    "an .info signature of one digit": planted("signature-invalid", info_signature=b"b"),
    "an .info signature of another .info": planted(
        "signature-invalid", info_signature=STRONG.pss(b"other")
    ),
    "an .info signature with another salt": planted("signature-invalid", with_info(salted(STRONG))),
    "a signature by hand with another end": planted(
        "signature-invalid", info_signature=STRONG.by_hand(BODY, last=0xBB)
    ),
    "a signature by hand with data in its padding": planted(
        "signature-invalid", info_signature=STRONG.by_hand(BODY, padding_=b"payload\1")
    ),
    "a signature that is longer than its key": planted(
        "signature-invalid",
        lambda: SIGNED.but(header_signature=WEAK.unreduced(WEAK.bare(_MD5))).around(TAR),
    ),
    "an .info signature that is longer than its key": planted(
        "signature-invalid", info_signature=STRONG.unreduced(STRONG.by_hand(BODY))
    ),
    "a member twice": planted(
        "duplicate",
        ours=OURS.but(extra=block(b"test.hdb", b"x")).whole(),
        extra=block(b"test.hdb", b"x"),
    ),
    "the .info has a digest in its header": planted(
        "signature-unreadable", claims=SIGNED.header(b"0" * 32, b"X")
    ),
    "a line of the .info that lists nothing": planted(
        "signature-unreadable",
        ours=OURS.but(listed={b"a b": b"x"}).whole(),
        listed={b"a b": b"x"},
    ),
    "ours has its .info elsewhere": planted(
        "layout", WHOLE, ours=OURS.but(members={**MEMBERS, b"COPYING": b"GPL" * 999}).whole()
    ),
    "ours has a signed header": planted(
        "rebuilt-is-signed", WHOLE, ours=OURS.but(weak=WEAK).whole()
    ),
    "a pinned key that is none": planted("signature-unreadable", WHOLE, pins=_pinned(b"no key")),
    "a pinned key of an unknown algorithm": planted(
        "signature-unreadable", WHOLE, pins=_pinned(UNKNOWN_KEY)
    ),
    "a pinned key of another kind": planted("signature-invalid", WHOLE, pins=_pinned(_ELLIPTIC)),
    "the key of the MD5 alone is pinned": planted("signature-invalid", pins=pinned(WEAK)),
    "the key of the .info alone is pinned": planted("signature-invalid", pins=pinned(STRONG)),
    "a pinned key that did not sign": planted("missing-signer", pins=pinned(STRONG, WEAK, EVE)),
    "ours is signed": planted("rebuilt-is-signed", WHOLE, ours=WHOLE),
    "ours has a signed .info": planted(
        "rebuilt-is-signed", WHOLE, ours=OURS.but(strong=STRONG).whole()
    ),
    "ours is no database": planted("signature-unreadable", WHOLE, ours=b"PK\3\4" * 200),
    "ours is empty": planted("signature-unreadable", WHOLE, ours=b""),
    "ours is another database": planted(
        "bytes-differ", WHOLE, ours=OURS.but(members=OTHER).whole()
    ),
}
