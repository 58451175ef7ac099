"""Signed jar archives, and packages with version 1 alone, that must not pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from builders.recipe.signature import SignedFormat
from tests.judge.signatures.apk_signing import LINEAGE, ROTATION, JarSigning, Package, lineage
from tests.judge.signatures.apk_tricks import (
    ANN,
    BEN,
    EVE,
    EVIL,
    FULL,
    Trick,
    added,
    apk,
    changed,
    cut,
    patched,
    pinned,
    v3,
    v31,
    without,
)
from tests.judge.signatures.zips import Item, archive

JAR_ITEMS = (
    Item(name="META-INF/", stored=True, extra=b"\xfe\xca\0\0"),
    Item(
        name="META-INF/MANIFEST.MF",
        content=b"Manifest-Version: 1.0\r\nMain-Class: a.B\r\n\r\n",
        descriptor=True,
    ),
    Item(name="a/", stored=True),
    Item(name="a/B.class", content=b"\xca\xfe\xba\xbe" * 30, descriptor=True),
    Item(name="a/" + "long" * 30 + ".txt", content=b"text\n"),
)
OUR_JAR = archive(JAR_ITEMS)

JAR_BY_ANN = pinned(SignedFormat.JAR, ANN)
MAIN = {"Main-Class": "a.B"}
CLASS = "a/B.class"
LISTED = "META-INF/CERT.SF"


def signing(**fields: Any) -> JarSigning:
    """Return a signing of the jar archive; the defaults are right."""
    return JarSigning(**{"by": ANN, "main": MAIN, **fields})


def without_manifest(items: Iterable[Item]) -> list[Item]:
    """Return entries without the manifest, which a signed archive has anew."""
    return [item for item in items if item.name != "META-INF/MANIFEST.MF"]


def jar(fault: str, *signings: JarSigning, **fields: Any) -> Trick:
    """Return a trick of a jar archive."""
    items = without_manifest(fields.pop("items", JAR_ITEMS))
    kept = {"pins": fields.pop("pins", JAR_BY_ANN), "ours": fields.pop("ours", OUR_JAR)}
    package = Package(first=signings or (signing(),), front=True, **fields)
    return Trick(fault=fault, shipped=lambda: package.made(items), **kept)


def listed(fault: str, old: bytes, new: bytes, name: str = LISTED, **fields: Any) -> Trick:
    """Return a trick whose list of digests, or manifest, is changed after it was signed."""

    def change(items: list[Item]) -> list[Item]:
        (one,) = (item for item in items if item.name == name)
        assert old in one.content
        return changed(name, content=one.content.replace(old, new, 1))(items)

    return jar(fault, changed=change, **fields)


def without_line(data: bytes) -> Callable[[list[Item]], list[Item]]:
    """Return a change of all that is signed."""
    return changed("META-INF/CERT.EC", content=data)


EMPTY = Item(name="empty", stored=True)
GOOD_JAR = Package(first=(signing(),), front=True)
WRONG_SIZE = changed(CLASS, size=9)(without_manifest(JAR_ITEMS))
TWO = (signing(), signing(by=BEN, name="BEN"))
TRICKS: dict[str, Trick] = {
    "not signed": Trick(
        fault="signature-missing", shipped=lambda: OUR_JAR, pins=JAR_BY_ANN, ours=OUR_JAR
    ),
    "no list of digests": jar("signature-unreadable", changed=without(".SF")),
    "no signature": jar("signature-unreadable", changed=without(".EC")),
    "a manifest alone": jar("signature-missing", changed=without(".EC", ".SF")),
    "no manifest": jar("signature-missing", changed=without("MANIFEST.MF")),
    "two signatures of one name": jar(
        "signature-unreadable", changed=added(Item(name="META-INF/CERT.RSA", content=b"x"))
    ),
    "ours is signed": jar("rebuilt-is-signed", ours=GOOD_JAR.made(without_manifest(JAR_ITEMS))),
    # what is signed
    "another signer": jar("unexpected-signer", signing(by=EVE)),
    "another signer beside the right one": jar(
        "unexpected-signer", signing(), signing(by=EVE, name="EVE")
    ),
    "a pinned signer that did not sign": jar(
        "missing-signer", pins=pinned(SignedFormat.JAR, ANN, BEN)
    ),
    "a second signature is dropped": jar(
        "missing-signer",
        *TWO,
        changed=without("BEN.SF", "BEN.EC"),
        pins=pinned(SignedFormat.JAR, ANN, BEN),
    ),
    "one signer twice": jar("duplicate", signing(), signing(name="ANN")),
    "an unknown certificate": jar("unknown-certificate", signing(certificates=(EVE.der,))),
    "a certificate twice": jar("duplicate", signing(certificates=(ANN.der,))),
    "a signature over something else": jar(
        "signature-invalid", signing(signature=ANN.sign(b"x", "sha256"))
    ),
    "a signature that is none": jar("signature-unreadable", changed=without_line(b"PKCS #7")),
    "a list of digests that is changed": listed(
        "signature-invalid", b"Created-By: 1", b"Created-By: 2"
    ),
    "an entry that is changed": jar(
        "signed-other-bytes",
        items=[replace(i, content=b"\xca\xfe" * 60) if i.name == CLASS else i for i in JAR_ITEMS],
        changed=changed(CLASS, content=b"\xca\xfe\xba\xbe" * 30),
    ),
    "a manifest that is changed": listed(
        "signed-other-bytes", b"SHA-256-Digest: ", b"SHA-256-Digest: A", "META-INF/MANIFEST.MF"
    ),
    "a digest of the manifest that is wrong": jar(
        "signed-other-bytes", signing(listed={"SHA-256-Digest-Manifest": "AAAA"})
    ),
    "a digest of the main attributes that is wrong": jar(
        "signed-other-bytes", signing(listed={"SHA-256-Digest-Manifest-Main-Attributes": "AAAA"})
    ),
    "no digest of the manifest": jar(
        "weak-digest", signing(listed={"SHA-256-Digest-Manifest": ""})
    ),
    "SHA-1": jar("weak-digest", signing(digest="SHA-1")),
    "a digest that is not known": jar(
        "weak-digest", signing(sections={CLASS: {"MD5-Digest": "AAAA"}})
    ),
    "a wrong digest beside a right one": jar(
        "signed-other-bytes", signing(sections={CLASS: {"SHA-512-Digest": "AAAA"}})
    ),
    "an attribute of the list that is not known": jar(
        "unexpected-attribute", signing(listed={"Evil": "yes"})
    ),
    "a section of the list for what the manifest does not name": listed(
        "missing-entry", b"Name: a/B.class", b"Name: a/C.class"
    ),
    "an attribute of a section of the list that is not known": listed(
        "unexpected-attribute", b"Name: a/B.class\r\n", b"Name: a/B.class\r\nEvil: yes\r\n"
    ),
    # what the manifest says
    "another program to run": jar("manifest-differs", signing(main={"Main-Class": "evil.E"})),
    "an agent to launch": jar(
        "manifest-differs", signing(main={**MAIN, "Launcher-Agent-Class": "evil.E"})
    ),
    "a path to other archives": jar("manifest-differs", signing(main={**MAIN, "Class-Path": "e"})),
    "who made it, which ours does not say": jar(
        "manifest-differs", signing(main={**MAIN, "Built-By": "eve"})
    ),
    "a main attribute less": jar("manifest-differs", signing(main={})),
    "a section that says more": jar(
        "manifest-differs", signing(sections={CLASS: {"Sealed": "true"}})
    ),
    "an entry by SHA-1 alone": jar(
        "weak-digest",
        signing(sections={CLASS: {"SHA-256-Digest": "", "SHA1-Digest": "AAAA"}}),
    ),
    "a section without a name": listed(
        "signature-unreadable", b"Name: a/B", b"Nome: a/B", "META-INF/MANIFEST.MF"
    ),
    "a section of ours that is not there": jar(
        "manifest-differs",
        ours=archive(
            [
                replace(i, content=i.content + b"Name: x/\r\nSealed: true\r\n\r\n")
                if i.name == "META-INF/MANIFEST.MF"
                else i
                for i in JAR_ITEMS
            ]
        ),
    ),
    "a signature over another type": jar(
        "signature-unreadable", signing(content_type="digested_data")
    ),
    "a section of a package": jar("manifest-differs", signing(sections={"a/": {"Sealed": "true"}})),
    "an entry that is not in the manifest": jar("unsigned-entry", signing(skipped=(CLASS,))),
    "an empty entry that is not in the manifest": jar(
        "unsigned-entry",
        signing(skipped=("empty",)),
        items=(*JAR_ITEMS, EMPTY),
        ours=archive([*JAR_ITEMS, EMPTY]),
    ),
    "an entry that is not there": jar(
        "missing-entry", signing(sections={"gone.class": {"SHA-256-Digest": "AAAA"}})
    ),
    "an entry without a digest that is not there": jar(
        "missing-entry", signing(sections={"gone.class": {"SHA-256-Digest": ""}})
    ),
    "a folder with a digest that is not there": jar(
        "missing-entry", signing(sections={"gone/": {"SHA-256-Digest": "AAAA"}})
    ),
    "a folder with content": jar(
        "unsigned-entry",
        items=[replace(i, content=b"evil") if i.name == "a/" else i for i in JAR_ITEMS],
        ours=archive([replace(i, content=b"evil") if i.name == "a/" else i for i in JAR_ITEMS]),
    ),
    "a name twice in the manifest": listed(
        "duplicate-name",
        b"Name: " + CLASS.encode(),
        b"Name: a/x\r\n\r\nName: a/x\r\n\r\nName: " + CLASS.encode(),
        "META-INF/MANIFEST.MF",
    ),
    "a line that is no attribute": listed(
        "signature-unreadable", b"Main-Class: ", b"Main-Class= ", "META-INF/MANIFEST.MF"
    ),
    "an attribute twice": listed(
        "signature-unreadable",
        b"Main-Class: ",
        b"main-class: evil.E\r\nMain-Class: ",
        "META-INF/MANIFEST.MF",
    ),
    "a line end of another kind": listed(
        "signature-unreadable", b"a.B\r\n", b"a.B\rMain-Class: e\r\n", "META-INF/MANIFEST.MF"
    ),
    "an empty manifest": jar(
        "signature-unreadable", changed=changed("META-INF/MANIFEST.MF", content=b"")
    ),
    "a manifest that is no UTF-8": listed(
        "signature-unreadable", b"a.B\r\n", b"a.\xff\r\n", "META-INF/MANIFEST.MF"
    ),
    "a manifest that begins with an entry": listed(
        "signature-unreadable", b"Manifest-Version: 1.0", b"Name: x", "META-INF/MANIFEST.MF"
    ),
    # entries
    "an entry more": jar("layout", items=(*JAR_ITEMS, EVIL)),
    "an entry more, which is no signature file but for its case": jar(
        "layout", changed=added(Item(name="META-INF/evil.rsa", content=b"evil"))
    ),
    "an entry below a name of a signature file": jar(
        "layout", changed=added(Item(name="META-INF/x/evil.SF", content=b"evil"))
    ),
    "a signing block": jar("data-between-entries", after=b"APK Sig Block 42"),
    "a signature file that ends early": jar(
        "signature-unreadable", changed=changed(LISTED, packed=b"\x03", crc=0)
    ),
    "a signature file with data after its end": jar(
        "signature-unreadable", changed=changed(LISTED, packed=b"\x03\0evil", size=0, crc=0)
    ),
    "a signature file of another checksum": jar(
        "signature-unreadable", changed=changed(LISTED, crc=1)
    ),
    "a signature file of another size": jar(
        "signature-unreadable", changed=changed(LISTED, size=10)
    ),
    "an entry over what it says to hold": Trick(
        fault="signature-unreadable",
        shipped=lambda: GOOD_JAR.made(WRONG_SIZE),
        pins=JAR_BY_ANN,
        ours=archive([JAR_ITEMS[1], *WRONG_SIZE]),
    ),
    # version 1 of packages
    "version 1 over another entry": apk(
        "signed-other-bytes",
        first=(JarSigning(by=ANN, sections={"res/a.png": {"SHA-256-Digest": "AAAA"}}),),
    ),
    "version 1 without an entry": apk(
        "unsigned-entry", first=(JarSigning(by=ANN, skipped=("res/a.png",)),)
    ),
    "version 1 by SHA-1 and nothing else": apk(
        "weak-digest", first=(JarSigning(by=ANN, digest="SHA-1"),), values=()
    ),
    "version 1 that names an unknown version": apk(
        "unexpected-attribute", first=(JarSigning(by=ANN, schemes="2, 9"),)
    ),
    "version 1 with an attribute for a manifest that ours has not": apk(
        "manifest-differs",
        first=(JarSigning(by=ANN, main={"Built-By": "x", "Evil": "y"}),),
    ),
    "a version that version 1 names is another than is there": apk(
        "signature-stripped", first=(JarSigning(by=ANN, schemes="2"),), values=FULL.values[1:]
    ),
    # more of packages
    "a lineage by another algorithm than it says": v31(
        "lineage-invalid", attributes=((LINEAGE, lineage(ANN, BEN, said=0x0202)),)
    ),
    "a rotation at no version": v3("unexpected-attribute", attributes=((ROTATION, b"\1"),)),
    "a stored entry of another size": apk(
        "signature-unreadable", changed=changed("res/a.png", size=3)
    ),
    "a record that names no local header": apk(
        "signature-unreadable", changed=changed("classes.dex", offset=5)
    ),
    "as many records as zip64 has": Trick(
        fault="zip64", shipped=cut(FULL, patched(-14, b"\xff" * 4))
    ),
    "two counts of records": Trick(
        fault="signature-unreadable", shipped=cut(FULL, patched(-12, b"\1\0"))
    ),
    "a directory of a size beyond the file": Trick(
        fault="signature-unreadable", shipped=cut(FULL, patched(-10, b"\0\0\1\0"))
    ),
}
