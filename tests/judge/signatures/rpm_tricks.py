"""Signed RPM packages that must not pass, and what each is called."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from builders.recipe.signature import PinnedSignature
from tests.judge.signatures.pgp_signing import PgpKey, Signature, ed25519_key, packet
from tests.judge.signatures.planted import Planted
from tests.judge.signatures.rpm_signing import (
    INT64,
    MD5,
    PAYLOAD_SIZE,
    PGP,
    RESERVED,
    RSA,
    SHA1,
    SHA3,
    SHA256,
    SIZE,
    STRING,
    Entry,
    Rpm,
    index_of,
    patched,
    strings,
)

ADA, BOB, EVE = (ed25519_key(f"{name} <{name}@example.com>") for name in ("ada", "bob", "eve"))
RPM = Rpm()
OURS = RPM.file()
OTHER = Rpm(payload=b"evil and so on " * 40)
OLD = Rpm(digested=False)


def pinned(*keys: PgpKey) -> PinnedSignature:
    return PinnedSignature.model_validate(
        {
            "format": "rpm",
            "signers": [one.fingerprint for one in keys],
            "public_keys": [one.armored for one in keys],
        }
    )


BY_ADA = pinned(ADA)
GOOD = RPM.signed(RPM.by(ADA))
_MD5 = RPM.digests[MD5].value


@dataclass(frozen=True, kw_only=True)
class Trick(Planted):
    """A shipped package, or one of ours, that must not pass, and what it is called then."""

    pins: PinnedSignature = BY_ADA
    ours: bytes = OURS


def signed(*entries: Entry, drop: tuple[int, ...] = (), rpm: Rpm = RPM) -> Callable[[], bytes]:
    """Make the package with the signature of Ada and with other entries."""
    return lambda: rpm.signed(rpm.by(ADA), *entries, drop=drop)


def index(tag: int, at: int, *numbers: int, start: int = 96) -> Callable[[], bytes]:
    """Make the signed package with other numbers in the index entry of a tag."""
    new = struct.pack(f">{len(numbers)}I", *numbers)
    return lambda: patched(GOOD, index_of(GOOD, tag, start) + at, new)


def value(tag: int, new: bytes, before: int = 0) -> Callable[[], bytes]:
    """Make the signed package with another value of a tag, or other bytes before it."""
    (count,) = struct.unpack_from(">I", GOOD, 96 + 8)
    (offset,) = struct.unpack_from(">I", GOOD, index_of(GOOD, tag) + 8)
    return lambda: patched(GOOD, 96 + 16 + 16 * count + offset - before, new)


def body(**fields: object) -> Callable[[], bytes]:
    made = Signature(**{"by": ADA, **fields}).packet(RPM.main)  # type: ignore[arg-type]
    return lambda: RPM.signed(Entry.binary(RSA, made))


def _gap(filled: bytes) -> bytes:
    """Move the trailer of the region, so that 8 bytes are in front of it."""
    count, size = struct.unpack_from(">II", GOOD, 96 + 8)
    data = 96 + 16 + 16 * count
    head = patched(GOOD[:data], 96 + 12, struct.pack(">I", size + 8))
    head = patched(head, index_of(GOOD, 62) + 8, struct.pack(">I", size - 16 + 8))
    whole = GOOD[data : data + size - 16] + filled + GOOD[data + size - 16 : data + size]
    return head + whole + bytes(-(16 * (count + 1) + len(whole)) % 8) + RPM.all


def _main_start() -> int:
    return len(GOOD) - len(RPM.all)


def main(change: Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
    """Return a signed package, and an unsigned one of ours, with a changed main header."""
    made = change(RPM.main)

    class Changed(Rpm):
        @property
        def main(self) -> bytes:
            return made

    found = Changed()
    return found.signed(found.by(ADA)), found.file()


def in_main(fault: str, change: Callable[[bytes], bytes]) -> Trick:
    shipped, ours = main(change)
    return Trick(fault=fault, shipped=lambda: shipped, ours=ours)


def with_main(*entries: Entry, **fields: object) -> Rpm:
    return replace(RPM, entries=(*RPM.entries, *entries), **fields)  # type: ignore[arg-type]


def of(fault: str, rpm: Rpm, *entries: Entry) -> Trick:
    """Return what is wrong with a package of which we have the very same, but for signatures."""
    made = rpm.signed(*(entries or (rpm.by(ADA),)))
    return Trick(fault=fault, shipped=lambda: made, ours=rpm.file())


_OVER_ALL = Entry.binary(RSA, Signature(by=ADA).packet(RPM.all))
_BY_ADA = Signature(by=ADA).packet(RPM.main)
_V6 = with_main(Entry.number(5114, 6))
TRICKS: dict[str, Trick] = {
    "an empty file": Trick(fault="signature-unreadable", shipped=lambda: b""),
    "no package": Trick(fault="signature-unreadable", shipped=lambda: b"\x7fELF" * 100),
    "another kind of lead": Trick(
        fault="signature-unreadable", shipped=lambda: patched(GOOD, 0, b"\0")
    ),
    "no entries": Trick(fault="signature-unreadable", shipped=lambda: patched(GOOD, 104, bytes(4))),
    "more entries than there may be": Trick(
        fault="signature-unreadable", shipped=lambda: patched(GOOD, 104, b"\0\0\0\x21")
    ),
    "more data than there may be": Trick(
        fault="signature-unreadable", shipped=lambda: patched(GOOD, 108, b"\0\4\0\1")
    ),
    "data beyond the end": Trick(
        fault="signature-unreadable", shipped=lambda: patched(GOOD, 108, b"\0\0\xff\0")
    ),
    "a region at the start": Trick(fault="wrong-region", shipped=index(62, 8, 0)),
    "a region in the region": of("wrong-region", with_main(Entry.binary(61, b"x"))),
    "bytes that align a number": Trick(fault="data-in-slack", shipped=value(SIZE, b"x", before=1)),
    "a lead alone": Trick(fault="signature-unreadable", shipped=lambda: OURS[:96]),
    "not signed": Trick(fault="signature-missing", shipped=lambda: OURS),
    "ours is signed": Trick(fault="rebuilt-is-signed", shipped=lambda: GOOD, ours=GOOD),
    "another lead": Trick(fault="bytes-differ", shipped=lambda: patched(GOOD, 20, b"x")),
    "another payload": Trick(fault="digest-differs", shipped=lambda: OTHER.signed(OTHER.by(ADA))),
    "another payload and no digests but those of the header": Trick(
        fault="bytes-differ",
        shipped=lambda: patched(RPM.signed(RPM.by(ADA), drop=(MD5,)), len(GOOD) - 40, b"evil"),
    ),
    "a longer payload": Trick(
        fault="layout",
        shipped=lambda: (long := Rpm(payload=b"x" * 1000)).signed(long.by(ADA)),
    ),
    "bytes after the end": Trick(fault="trailing-bytes", shipped=lambda: GOOD + b"anything"),
    "bytes after the end, of no known size": Trick(
        fault="layout", shipped=lambda: signed(drop=(SIZE,))() + b"anything"
    ),
    "a payload that ends early": Trick(fault="digest-differs", shipped=lambda: GOOD[:-1]),
    "a signature over another package": Trick(
        fault="signed-other-bytes", shipped=lambda: RPM.signed(OTHER.by(ADA))
    ),
    "a signature over header and payload as one over the header": Trick(
        fault="signed-other-bytes", shipped=lambda: RPM.signed(_OVER_ALL)
    ),
    "a signature over the header as one over all": Trick(
        fault="signed-other-bytes", shipped=lambda: RPM.signed(Entry.binary(PGP, _BY_ADA))
    ),
    "another signer": Trick(fault="unexpected-signer", shipped=lambda: RPM.signed(RPM.by(EVE))),
    "a second signer who is not pinned": Trick(
        fault="unexpected-signer", shipped=signed(RPM.by(EVE, PGP))
    ),
    "one of two signers": Trick(
        fault="missing-signer", shipped=lambda: GOOD, pins=pinned(ADA, BOB)
    ),
    "a signer who signs twice in one tag": Trick(
        fault="duplicate",
        shipped=lambda: RPM.signed(strings(*[base64.b64encode(_BY_ADA)] * 2)),
    ),
    "a packet beside the signature": Trick(
        fault="data-in-slack",
        shipped=lambda: RPM.signed(Entry.binary(RSA, _BY_ADA + packet(21, b"anything"))),
    ),
    "bytes after the signature": Trick(
        fault="signature-unreadable",
        shipped=lambda: RPM.signed(Entry.binary(RSA, _BY_ADA + b"any")),
    ),
    "a signature with SHA-1": Trick(fault="weak-digest", shipped=body(digest=2)),
    "a signature with MD5": Trick(fault="weak-digest", shipped=body(digest=1)),
    "a signature by ML-DSA": Trick(fault="signature-unreadable", shipped=body(algorithm=31)),
    "a signature over text": Trick(fault="signature-unreadable", shipped=body(kind=1)),
    "base64 with bits to spare": Trick(
        fault="data-in-slack",
        shipped=lambda: RPM.signed(strings(base64.b64encode(_BY_ADA + b"\0")[:-2] + b"B=")),
    ),
    "no base64": Trick(
        fault="signature-unreadable",
        shipped=lambda: RPM.signed(strings(b"%" + base64.b64encode(_BY_ADA))),
    ),
    "signatures of files": Trick(
        fault="file-signatures", shipped=signed(Entry.binary(274, b"\3\2\4"))
    ),
    "the length of signatures of files": Trick(
        fault="file-signatures", shipped=signed(Entry.number(275, 3))
    ),
    "fs-verity": Trick(fault="file-signatures", shipped=signed(Entry.binary(276, b"x"))),
    "fs-verity's algorithm": Trick(fault="file-signatures", shipped=signed(Entry.number(277, 1))),
    "an unknown tag": Trick(
        fault="unexpected-attribute", shipped=signed(Entry.binary(300, b"anything"))
    ),
    "a PGP 5 signature": Trick(
        fault="unexpected-attribute", shipped=signed(Entry.binary(1006, b"anything"))
    ),
    "a name in the signature header": Trick(
        fault="tag-in-wrong-header", shipped=signed(Entry.text(1009, "anything"))
    ),
    "the digest of the payload in the signature header": Trick(
        fault="tag-in-wrong-header", shipped=signed(Entry.text(5092, "anything"))
    ),
    "a signature in the main header": of(
        "tag-in-wrong-header", with_main(Entry.binary(RSA, _BY_ADA))
    ),
    "signatures of files in the main header": of(
        "tag-in-wrong-header", with_main(Entry.binary(274, b"\3\2\4"))
    ),
    "an old tag in a package of version 6": of("tag-in-wrong-header", _V6),
    "a tag that is there twice": Trick(
        fault="duplicate", shipped=signed(Entry.binary(RSA, _BY_ADA))
    ),
    "a tag that is in the main header twice": of("duplicate", with_main(Entry.text(1000, "x"))),
    "a region of the main header": Trick(fault="wrong-region", shipped=index(62, 0, 63)),
    "a region of fewer entries": Trick(
        fault="wrong-region",
        shipped=value(62, struct.pack(">IIiI", 62, 7, -16 * 2, 16)),
    ),
    "a region with another trailer": Trick(
        fault="wrong-region", shipped=value(62, struct.pack(">II", 61, 7))
    ),
    "a main header with an entry outside of its region": in_main(
        "wrong-region",
        lambda data: data[:-16] + struct.pack(">IIiI", 63, 7, -16 * 2, 16),
    ),
    "a value outside of its header": Trick(fault="entry-outside", shipped=index(RSA, 8, 1 << 20)),
    "a value that ends outside": Trick(fault="entry-outside", shipped=index(RSA, 12, 1 << 20)),
    "no values": Trick(fault="entry-outside", shipped=index(RSA, 12, 0)),
    "a type that there is not": Trick(fault="entry-outside", shipped=index(RSA, 4, 77)),
    "a number that is not aligned": Trick(fault="entry-outside", shipped=index(SIZE, 8, 1)),
    "a text that does not end": in_main(
        "entry-outside", lambda data: patched(data, index_of(data, 1001, 0) + 12, b"\0\0\0\x09")
    ),
    "a value over another": Trick(
        fault="entries-overlap", shipped=index(RSA, 12, len(_BY_ADA) + 3)
    ),
    "two tags with one value": Trick(
        fault="entries-overlap",
        shipped=lambda: patched(
            GOOD,
            index_of(GOOD, SHA256) + 8,
            GOOD[index_of(GOOD, SHA1) + 8 :][:4],
        ),
    ),
    "bytes in front of the region": Trick(fault="data-in-slack", shipped=lambda: _gap(b"anything")),
    "zeros in front of the region": Trick(fault="data-in-slack", shipped=lambda: _gap(bytes(8))),
    "padding that holds bytes": Trick(
        fault="data-in-slack", shipped=lambda: patched(GOOD, _main_start() - 1, b"x")
    ),
    "reserved space that holds bytes": Trick(
        fault="data-in-slack", shipped=value(RESERVED, b"anything")
    ),
    "a stale SHA-1": Trick(fault="digest-differs", shipped=value(SHA1, b"0" * 40)),
    "a stale SHA-256": Trick(fault="digest-differs", shipped=value(SHA256, b"0" * 64)),
    "a stale SHA3-256": Trick(fault="digest-differs", shipped=value(SHA3, b"0" * 64)),
    "a stale MD5": Trick(fault="digest-differs", shipped=value(MD5, b"0" * 16)),
    "an MD5 that is followed by bytes": Trick(
        fault="signature-unreadable",
        shipped=signed(Entry.binary(MD5, _MD5 + b"x"), drop=(MD5,)),
    ),
    "an MD5 of 15 bytes": Trick(
        fault="signature-unreadable", shipped=signed(Entry.binary(MD5, _MD5[:15]), drop=(MD5,))
    ),
    "a smaller size": Trick(fault="trailing-bytes", shipped=value(SIZE, b"\0\0\0\1")),
    "another size of the content": Trick(
        fault="digest-differs", shipped=value(PAYLOAD_SIZE, b"\0\0\0\1")
    ),
    "a size of the content that ours does not say": Trick(
        fault="digest-differs",
        shipped=signed(Entry(271, INT64, struct.pack(">Q", 4242))),
    ),
    "a digest as bytes": Trick(
        fault="signature-unreadable",
        shipped=signed(Entry.binary(SHA256, b"x" * 32), drop=(SHA256,)),
    ),
    "a signature as text": Trick(
        fault="signature-unreadable",
        shipped=lambda: RPM.signed(Entry(RSA, STRING, b"text\0")),
    ),
    "another digest of the payload in the main header": of(
        "digest-differs", replace(RPM, said=b"another")
    ),
    "a digest of the payload by an old algorithm": of("weak-digest", replace(RPM, algorithm=2)),
    "no digest of the payload, and a signature over the header": of("bytes-not-covered", OLD),
    "no digest of the payload, and one of two signs it": Trick(
        fault="bytes-not-covered",
        shipped=lambda: OLD.signed(OLD.by(ADA), OLD.by(BOB, PGP)),
        pins=pinned(ADA, BOB),
        ours=OLD.file(),
    ),
}
