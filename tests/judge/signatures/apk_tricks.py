"""Signed packages and jar archives that must not pass, and what each is called."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.apk_signing import (
    LINEAGE,
    ROTATION,
    STRIPPING,
    V2,
    V3,
    V31,
    ApkSigning,
    JarSigning,
    Package,
    block,
    lineage,
    signers,
    sized,
    u32,
)
from tests.judge.signatures.planted import Planted
from tests.judge.signatures.signing import Vendor
from tests.judge.signatures.zips import Item, archive, laid_out, shifted

ANN, BEN, CAY, EVE = (Vendor.named(name, elliptic=True) for name in ("ann", "ben", "cay", "eve"))
ITEMS = (
    Item(name="AndroidManifest.xml", content=random.Random(1).randbytes(1200)),  # noqa: S311
    Item(name="lib/x86_64/libx.so", content=b"\x7fELF" * 20, stored=True),
    Item(name="res/a.png", content=b"pixels", stored=True),
    Item(name="classes.dex", content=b"dex\n035" * 50),
)
OURS = archive(ITEMS)


def pinned(
    format_: SignedFormat, *signers: Vendor, certificates: Iterable[Vendor] = ()
) -> PinnedSignature:
    return PinnedSignature(
        format=format_,
        signers=tuple(one.pin for one in signers),
        certificates=tuple(one.pin for one in certificates),
    )


BY_ANN = pinned(SignedFormat.APK, ANN)


def first(**fields: Any) -> JarSigning:
    return JarSigning(**{"by": ANN, "schemes": "2, 3", **fields})


def second(**fields: Any) -> ApkSigning:
    return ApkSigning(**{"by": ANN, "attributes": ((STRIPPING, u32(3)),), **fields})


def third(**fields: Any) -> ApkSigning:
    return ApkSigning(**{"by": ANN, **fields})


FULL = Package(first=(first(),), values=(signers(V2, second()), signers(V3, third())))
ROTATED = Package(
    first=(first(),),
    values=(
        signers(V2, second()),
        signers(V3, third(attributes=((ROTATION, u32(33)),), versions=(24, 32))),
        signers(
            V31,
            third(by=BEN, attributes=((LINEAGE, lineage(ANN, BEN)),), versions=(33, 0x7FFFFFFF)),
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Trick(Planted):
    """A shipped file, or bytes of ours, that must not pass, and what it is called then."""

    pins: PinnedSignature = BY_ANN
    ours: bytes = OURS


def apk(fault: str, package: Package = FULL, **fields: Any) -> Trick:
    """Return a trick by fields of a package, and of a trick."""
    items = fields.pop("items", ITEMS)
    kept = {name: fields.pop(name) for name in ("pins", "ours") if name in fields}
    return Trick(fault=fault, shipped=lambda: replace(package, **fields).made(items), **kept)


def v2(fault: str, **fields: Any) -> Trick:
    """Return a trick of version 2 alone."""
    pins = fields.pop("pins", BY_ANN)
    one = second(**{"attributes": (), **fields})
    return apk(fault, Package(values=(signers(V2, one),)), pins=pins)


def v3(fault: str, *more: ApkSigning, **fields: Any) -> Trick:
    """Return a trick of version 3 alone."""
    pins = fields.pop("pins", BY_ANN)
    return apk(fault, Package(values=(signers(V3, third(**fields), *more),)), pins=pins)


def v31(fault: str, **fields: Any) -> Trick:
    """Return a trick with a signer of version 3.1 that came after one of version 3."""
    one = {
        "by": BEN,
        "attributes": ((LINEAGE, lineage(ANN, BEN)),),
        "versions": (33, 0x7FFFFFFF),
        **fields,
    }
    values = (*ROTATED.values[:2], signers(V31, third(**one)))
    return apk(fault, ROTATED, values=values, pins=pinned(SignedFormat.APK, ANN, BEN))


def cut(package: Package, change: Callable[[bytes], bytes], items: Iterable[Item] = ITEMS) -> Any:
    """Return a shipped file that is changed after it was signed."""
    return lambda: change(package.made(items))


def patched(at: int, data: bytes) -> Callable[[bytes], bytes]:
    """Return a change of the bytes at an offset, from the end if it is negative."""

    def change(whole: bytes) -> bytes:
        start = at if at >= 0 else len(whole) + at
        return whole[:start] + data + whole[start + len(data) :]

    return change


def with_block(*values: tuple[int, bytes], pages: bool = False) -> Callable[[], bytes]:
    """Return a package with a signing block of values."""
    return lambda: laid_out(ITEMS).made(block(*values, pages=pages))


def changed(name: str, **fields: Any) -> Callable[[list[Item]], list[Item]]:
    """Return a change of one entry."""
    return lambda items: [replace(i, **fields) if i.name == name else i for i in items]


def added(*items: Item, before: bool = False) -> Callable[[list[Item]], list[Item]]:
    """Return a change that adds entries."""
    return lambda found: [*items, *found] if before else [*found, *items]


def without(*endings: str) -> Callable[[list[Item]], list[Item]]:
    return lambda items: [item for item in items if not item.name.endswith(endings)]


def values_of(package: Package) -> list[tuple[int, bytes]]:
    """Return the values of a signing block that verify."""
    layout = package.layout(ITEMS)
    parts = [layout.entries, layout.directory, layout.end(len(layout.entries))]
    return [value for made in package.values for value in made(parts)]


def grown(index: int) -> Callable[[list[bytes]], list[tuple[int, bytes]]]:
    """Return a value with a byte after its fields."""

    def make(parts: list[bytes]) -> list[tuple[int, bytes]]:
        (kind, data), *_ = signers(V3, third())(parts)
        cuts = {0: data + b"\0", 1: u32(len(data)) + data[4:]}
        return [(kind, cuts[index])]

    return make


def resized(whole: bytes) -> bytes:
    """Return a package whose block says another size at its begin than at its end."""
    at = whole.rindex(b"APK Sig Block 42") - 8
    (size,) = struct.unpack_from("<Q", whole, at)
    start = at + 24 - size - 8
    return patched(start, struct.pack("<Q", size + 8))(whole)


def moved_end(whole: bytes) -> bytes:
    """Return a package with another end record before its end record."""
    return whole[:-2] + struct.pack("<H", 22) + whole[-22:]


EVIL = Item(name="classes2.dex", content=b"evil")
BIG = 0xFFFFFFFF
ZIP64 = b"PK\6\6" + struct.pack("<Q", 44) + bytes(44) + b"PK\6\7" + bytes(16)
TRICKS: dict[str, Trick] = {
    # no signature, or no package
    "not signed": Trick(fault="signature-missing", shipped=lambda: OURS),
    "an empty file": Trick(fault="signature-unreadable", shipped=lambda: b""),
    "no archive": Trick(fault="signature-unreadable", shipped=lambda: b"PK" * 200),
    "ours has a signing block": Trick(
        fault="rebuilt-is-signed",
        shipped=lambda: FULL.made(ITEMS),
        ours=Package(values=(signers(V2, second()),)).made(ITEMS),
    ),
    "ours has signature files": Trick(
        fault="rebuilt-is-signed",
        shipped=lambda: FULL.made(ITEMS),
        ours=Package(first=(first(),)).made(ITEMS),
    ),
    "a manifest and nothing that signs it": apk(
        "signature-missing", first=(first(),), values=(), changed=without(".SF", ".EC")
    ),
    "a block with padding alone": Trick(fault="signature-missing", shipped=with_block(pages=True)),
    # other bytes, other entries
    "another entry than ours": apk("layout", items=(*ITEMS[:3], replace(ITEMS[3], name="x.dex"))),
    "an entry more": apk("layout", items=(*ITEMS, EVIL)),
    "an entry less": apk("layout", items=ITEMS[:3]),
    "entries in another order": apk("layout", items=(ITEMS[0], ITEMS[2], ITEMS[1], ITEMS[3])),
    "an entry of another length": apk(
        "bytes-differ", items=(*ITEMS[:3], replace(ITEMS[3], content=b"dex\n035" * 50 + b"evil"))
    ),
    "an entry of the same length": apk(
        "bytes-differ", items=(ITEMS[0], ITEMS[1], replace(ITEMS[2], content=b"PIXELS"), ITEMS[3])
    ),
    "compressed at another level": apk(
        "bytes-differ", items=(replace(ITEMS[0], level=1), *ITEMS[1:3], replace(ITEMS[3], level=0))
    ),
    "a directory in another order": Trick(
        fault="layout", shipped=lambda: laid_out(ITEMS, order=-1).made(block(*values_of(FULL)))
    ),
    "data in an extra field": apk(
        "layout", items=(*ITEMS[:3], replace(ITEMS[3], extra=b"\x99\x99\4\0evil"))
    ),
    "alignment that hides data": apk(
        "layout",
        items=(
            *ITEMS[:2],
            replace(ITEMS[2], extra=b"\x35\xd9\6\0\4\0evil"),
            ITEMS[3],
        ),
    ),
    "alignment by a number that no tool uses": apk(
        "layout", items=(*ITEMS[:2], replace(ITEMS[2], extra=b"\x35\xd9\3\0\7\0\0"), ITEMS[3])
    ),
    # zip
    "a program before the archive": Trick(
        fault="data-between-entries",
        shipped=lambda: shifted(ITEMS, b"dex\n035\0" * 5).made(block(*values_of(FULL))),
    ),
    "data between entries": apk("data-between-entries", between=b"evil" * 20),
    "an entry that the directory does not have": apk("data-between-entries", between=EVIL.local()),
    "data after the last entry": apk("data-between-entries", after=b"evil"),
    "zeros after the last entry that align nothing": apk("data-between-entries", after=bytes(8)),
    "a comment": Trick(
        fault="zip-comment",
        shipped=cut(FULL, lambda whole: whole[:-2] + b"\4\0evil"),
    ),
    "an end record before the end record": Trick(
        fault="data-between-entries", shipped=cut(FULL, moved_end)
    ),
    "bytes after the end record": Trick(
        fault="zip-comment", shipped=cut(FULL, lambda whole: whole + b"evil")
    ),
    "zip64": Trick(
        fault="zip64", shipped=cut(FULL, lambda whole: whole[:-22] + ZIP64[-20:] + whole[-22:])
    ),
    "an entry of zip64": apk("zip64", changed=changed("classes.dex", offset=BIG)),
    "a count that is not that of the directory": Trick(
        fault="signature-unreadable",
        shipped=cut(FULL, lambda w: w[:-14] + struct.pack("<HH", 3, 3) + w[-10:]),
    ),
    "an archive in parts": Trick(
        fault="signature-unreadable", shipped=cut(FULL, patched(-18, b"\1\0"))
    ),
    "a local header with another name": apk(
        "local-header-differs", changed=changed("classes.dex", said="classes.ded")
    ),
    "a local header with another size": apk(
        "local-header-differs", changed=changed("classes.dex", local_size=7)
    ),
    "two entries of one name": apk("duplicate-name", changed=added(ITEMS[3])),
    "two entries in one place": apk(
        "local-header-differs", changed=added(Item(name="classes2.dex", offset=0))
    ),
    "an encrypted entry": apk("signature-unreadable", changed=changed("classes.dex", flags=1)),
    "an entry packed by an unknown method": apk(
        "signature-unreadable", changed=changed("classes.dex", method=12)
    ),
    # the signing block
    "an unknown value": Trick(
        fault="unknown-block",
        shipped=lambda: laid_out(ITEMS).made(block(*values_of(FULL), (0x504B4453, b"tag"))),
    ),
    "a value of a store": Trick(
        fault="unknown-block",
        shipped=lambda: laid_out(ITEMS).made(block((0x2146444E, b"store"), *values_of(FULL))),
    ),
    "data in the padding of the block": Trick(
        fault="data-in-slack",
        shipped=lambda: laid_out(ITEMS).made(block(*values_of(FULL), (0x42726577, b"\0evil"))),
    ),
    "version 2 twice": apk("duplicate-block", values=(FULL.values[0], *FULL.values)),
    "version 3 twice": apk("duplicate-block", values=(*FULL.values, FULL.values[1])),
    "a block that says two sizes": Trick(fault="signature-unreadable", shipped=cut(FULL, resized)),
    "a value that ends after the block": Trick(
        fault="signature-unreadable",
        shipped=lambda: laid_out(ITEMS).made(
            block((V2, b"x")).replace(struct.pack("<Q", 5), struct.pack("<Q", 500))
        ),
    ),
    "a byte after the signers": apk("signature-unreadable", Package(values=(grown(0),))),
    "signers that end after their value": apk("signature-unreadable", Package(values=(grown(1),))),
    "a value without signers": Trick(
        fault="signature-missing", shipped=with_block((V2, sized(b"")))
    ),
    # signers of versions 2 and 3
    "another signer": v2("unexpected-signer", by=EVE),
    "another signer beside the right one": apk(
        "unexpected-signer",
        Package(values=(signers(V2, second(attributes=()), second(by=EVE, attributes=())),)),
    ),
    "another signer of version 3": apk(
        "unexpected-signer", values=(FULL.values[0], signers(V3, third(by=EVE)))
    ),
    "a pinned signer that did not sign": v2(
        "missing-signer", pins=pinned(SignedFormat.APK, ANN, BEN)
    ),
    "one signer twice": apk(
        "duplicate", Package(values=(signers(V2, *[second(attributes=())] * 2),))
    ),
    "two signers of version 3": v3(
        "duplicate", third(by=BEN), pins=pinned(SignedFormat.APK, ANN, BEN)
    ),
    "an unknown certificate": v2("unknown-certificate", certificates=(EVE.der,)),
    "a certificate twice": v2("duplicate", certificates=(ANN.der,)),
    "no certificate": v2("signature-unreadable", certificates=(b"",)),
    "the key of another": v2("signature-invalid", key=EVE.der),
    "a signature by another key": v2("signature-invalid", signature=EVE.sign(b"x", "sha256")),
    "a signature that signs other bytes": v2("signed-other-bytes", digest=bytes(32)),
    "a digest for another algorithm": v2("signature-invalid", signed_algorithm=0x0103),
    "an algorithm that is not known": v2("weak-digest", algorithm=0x0421),
    "the algorithm of another key": v2("signature-unreadable", algorithm=0x0301, signature=b"x"),
    "an unknown attribute": v2("unexpected-attribute", attributes=((0x12345678, b"evil"),)),
    "an attribute twice": v2("unexpected-attribute", attributes=((STRIPPING, u32(3)),) * 2),
    "a stripping protection of another value": v2(
        "unexpected-attribute", attributes=((STRIPPING, u32(7)),)
    ),
    "a byte after the fields of a signer": v2("signature-unreadable", rest=b"\0"),
    "other versions of Android than signed": v3("signature-unreadable", outer=(24, 40)),
    "versions of Android from last to first": v3("signature-unreadable", versions=(40, 24)),
    # versions that name each other
    "version 3 is stripped, which version 2 names": apk(
        "signature-stripped", first=(), values=FULL.values[:1]
    ),
    "versions 2 and 3 are stripped": apk("signature-stripped", values=()),
    "version 3 is stripped, which version 1 names": apk(
        "signature-stripped", values=(signers(V2, second(attributes=())),)
    ),
    "version 2 is stripped, which version 1 names": apk(
        "signature-stripped", values=FULL.values[1:]
    ),
    "version 3.1 is stripped, which version 3 names": apk(
        "signature-stripped",
        ROTATED,
        values=ROTATED.values[:2],
        pins=pinned(SignedFormat.APK, ANN, BEN),
    ),
    "version 3.1 that version 3 does not name": apk(
        "signature-stripped",
        values=(*FULL.values, ROTATED.values[2]),
        pins=pinned(SignedFormat.APK, ANN, BEN),
    ),
    "version 3.1 for another version of Android than named": v31(
        "signature-stripped", versions=(34, BIG)
    ),
    "version 1 by another pinned signer than version 2": apk(
        "missing-signer", first=(first(by=BEN),), pins=pinned(SignedFormat.APK, ANN, BEN)
    ),
    "version 3 by another pinned signer than version 2": apk(
        "lineage-invalid",
        values=(FULL.values[0], signers(V3, third(by=BEN))),
        pins=pinned(SignedFormat.APK, ANN, BEN),
    ),
    "version 3.1 without a lineage": v31("lineage-invalid", attributes=()),
    "a lineage that the old key did not sign": v31(
        "lineage-invalid", attributes=((LINEAGE, lineage(ANN, BEN, forged=True)),)
    ),
    "a lineage from another vendor": v31(
        "unknown-certificate", attributes=((LINEAGE, lineage(EVE, BEN)),)
    ),
    "a lineage that ends with another": v31(
        "lineage-invalid", attributes=((LINEAGE, lineage(BEN, ANN)),)
    ),
    "a lineage with one certificate twice": v31(
        "lineage-invalid", attributes=((LINEAGE, lineage(BEN, ANN, BEN)),)
    ),
    "a lineage of an unknown version": v31(
        "lineage-invalid", attributes=((LINEAGE, lineage(ANN, BEN, version=2)),)
    ),
    "an empty lineage": v31("lineage-invalid", attributes=((LINEAGE, u32(1)),)),
    # version 1 beside the others
}
