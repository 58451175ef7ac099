"""Signed RAUC bundles that must not pass, and what each is called."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.pe_tricks import ADA, BOB, EVE, ROOT
from tests.judge.signatures.planted import Planted
from tests.judge.signatures.rauc_signing import (
    BLOCK,
    SALT,
    Verity,
    cms,
    plain,
    sized,
    squashfs,
)
from tests.judge.signatures.rpm_signing import patched
from tests.judge.signatures.signing import Signing, Vendor, edited, program, value

IMAGE = squashfs()
OTHER = squashfs(b"evil img")
VERITY = Verity()
OURS = Verity(salt=bytes(32)).by(BOB)
"""A bundle as we build it: signed with a key of no meaning, with a salt of its own."""


def pinned(*signers: Vendor, certificates: Iterable[Vendor] = ()) -> PinnedSignature:
    return PinnedSignature(
        format=SignedFormat.RAUC,
        signers=tuple(one.pin for one in signers),
        certificates=tuple(one.pin for one in certificates),
    )


BY_ADA = pinned(ADA)


@dataclass(frozen=True, kw_only=True)
class Trick(Planted):
    """A shipped bundle, or one of ours, that must not pass, and what it is called then."""

    pins: PinnedSignature = BY_ADA
    ours: bytes = OURS


def of_plain(fault: str, shipped: Callable[[], bytes], **fields: object) -> Trick:
    return Trick(**{"fault": fault, "shipped": shipped, "ours": IMAGE, **fields})  # type: ignore[arg-type]


def verity(fault: str, **fields: object) -> Trick:
    """Return a bundle whose manifest or tree says something else."""
    made = replace(VERITY, **fields)  # type: ignore[arg-type]
    return Trick(fault=fault, shipped=lambda: made.by(ADA))


def same(fault: str, **fields: object) -> Trick:
    """Return one of which our own bundle says the same."""
    made = replace(VERITY, **fields)  # type: ignore[arg-type]
    return Trick(fault=fault, shipped=lambda: made.by(ADA), ours=made.by(BOB))


GOOD = VERITY.by(ADA)
_PLAIN = plain(ADA, IMAGE)
_DER = _PLAIN[len(IMAGE) : -8]
_ENVELOPED = value(0x30, bytes.fromhex("06092a864886f70d010703") + value(0xA0, value(0x30, b"")))
_ATTRIBUTES = value(0xA1, value(0x30, b"\x06\x03\x2a\x03\x04" + value(0x31, value(4, b"anything"))))


def _with_attribute(signer: bytes) -> bytes:
    return value(0x30, signer[signer[1] - 0x80 + 2 :] + _ATTRIBUTES)


TRICKS: dict[str, Trick] = {
    "an empty file": Trick(fault="signature-unreadable", shipped=lambda: b""),
    "not signed": of_plain("signature-missing", lambda: IMAGE),
    "a signature of no size": of_plain("signature-missing", lambda: IMAGE + bytes(8)),
    "a signature larger than the file": of_plain(
        "signature-missing", lambda: _PLAIN[:-8] + struct.pack(">Q", len(_PLAIN))
    ),
    "no squashfs": of_plain("signature-unreadable", lambda: plain(ADA, b"\x7fELF" * 2048)),
    "bytes in front of it": of_plain(
        "signature-unreadable", lambda: sized(bytes(BLOCK) + IMAGE, _DER)
    ),
    "no CMS": of_plain("signature-unreadable", lambda: sized(IMAGE, b"\x30\x05hello")),
    "bytes after the CMS": of_plain("data-in-slack", lambda: sized(IMAGE, _DER + b"anything")),
    "bytes after the end": of_plain("signature-missing", lambda: _PLAIN + b"anything"),
    "bytes between squashfs and signature": of_plain(
        "layout", lambda: plain(ADA, IMAGE + b"anything")
    ),
    "blocks between squashfs and signature": of_plain(
        "layout", lambda: plain(ADA, IMAGE + bytes(BLOCK))
    ),
    "a signature below the signature": of_plain("layout", lambda: plain(ADA, _PLAIN)),
    "another squashfs": of_plain("bytes-differ", lambda: plain(ADA, OTHER)),
    "a squashfs that says another size": of_plain(
        "layout", lambda: _PLAIN, ours=patched(IMAGE, 40, struct.pack("<Q", BLOCK))
    ),
    "another signer": of_plain("unexpected-signer", lambda: plain(EVE, IMAGE)),
    "one of two signers": of_plain("missing-signer", lambda: _PLAIN, pins=pinned(ADA, BOB)),
    "a certificate that is not pinned": of_plain(
        "unknown-certificate", lambda: plain(ADA, IMAGE, ROOT)
    ),
    "an attribute that is not signed": of_plain(
        "unexpected-attribute",
        lambda: sized(IMAGE, edited(_DER, _with_attribute, 0, 1, 0, 4, 0)),
    ),
    "a signature that is wrong": of_plain(
        "signature-invalid", lambda: sized(IMAGE, patched(_DER, len(_DER) - 9, b"evil"))
    ),
    "a detached signature over another squashfs": of_plain(
        "signature-invalid", lambda: sized(IMAGE, plain(ADA, OTHER)[len(OTHER) : -8])
    ),
    "a signature over a program": of_plain(
        "signature-unreadable", lambda: sized(IMAGE, Signing(by=ADA).pkcs7(program()))
    ),
    "an encrypted signature": of_plain("encrypted", lambda: sized(IMAGE, _ENVELOPED)),
    "ours has that signature": of_plain("rebuilt-is-signed", lambda: _PLAIN, ours=_PLAIN),
    "a plain bundle for one with a hash tree": Trick(
        fault="manifest-differs", shipped=lambda: _PLAIN
    ),
    "a hash tree where ours is plain": of_plain(
        "manifest-differs", lambda: GOOD, ours=plain(BOB, IMAGE)
    ),
    "a manifest that we did not make": of_plain("manifest-differs", lambda: GOOD),
    "an encrypted payload": same("encrypted", kind="crypt"),
    "an encrypted payload that shows": Trick(
        fault="encrypted",
        shipped=lambda: sized(b"\x07" * BLOCK, cms(ADA, replace(VERITY, kind="crypt").manifest)),
    ),
    "a format that there is not": same("signature-unreadable", kind="plain"),
    "another squashfs below the hash tree": verity("bytes-differ", image=OTHER),
    "another version in the manifest": verity("manifest-differs", update="[update]\nversion=2\n"),
    "an image in the manifest that ours has not": verity(
        "manifest-differs", more="\n[image.boot]\nfilename=boot.img\n"
    ),
    "a comment in the manifest": verity("manifest-differs", more="# anything\n"),
    "a key of the manifest twice": same("duplicate", more="format=verity\n"),
    "a section of the manifest twice": same("duplicate", more="[update]\nversion=9\n"),
    "a line that is no setting": same("signature-unreadable", more="anything\n"),
    "a manifest in another encoding": Trick(
        fault="signature-unreadable",
        shipped=lambda: sized(VERITY.payload, cms(ADA, b"\xff\xfe" + VERITY.manifest)),
    ),
    "a salt that is too short": same("signature-unreadable", salt=SALT[:16]),
    "a root hash of another squashfs": verity("signed-other-bytes", root=bytes(32)),
    "a hash tree of another squashfs": verity("bytes-differ", tree=b"\1" * BLOCK),
    "a hash tree that is too large": Trick(
        fault="digest-differs",
        shipped=lambda: replace(VERITY, size=2 * BLOCK, tree=bytes(2 * BLOCK)).by(ADA),
        ours=replace(VERITY, size=2 * BLOCK, tree=bytes(2 * BLOCK)).by(BOB),
    ),
    "a hash tree larger than the bundle": same("layout", size=1 << 40),
    "no hash tree": same("layout", tree=b""),
}
