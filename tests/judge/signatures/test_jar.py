"""Jar archives: our bytes with the vendor's signatures, and each way that must not pass."""

from __future__ import annotations

import io

import pytest

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.jar import JAR, pins
from pipelines.judge.signatures.jar_signature import verify_jar
from pipelines.judge.signatures.raw_zip import read_zip
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    Graft,
    Refused,
    SignatureFault,
)
from tests.judge.signatures.apk_signing import Package
from tests.judge.signatures.apk_tricks import ANN, BEN, CAY, pinned
from tests.judge.signatures.jar_tricks import (
    CLASS,
    GOOD_JAR,
    JAR_BY_ANN,
    JAR_ITEMS,
    MAIN,
    OUR_JAR,
    TWO,
    signing,
    without_manifest,
)
from tests.judge.signatures.test_apk import grafted
from tests.judge.signatures.test_apk_alone import with_gap
from tests.judge.signatures.zips import Item, archive

PLAIN = without_manifest(JAR_ITEMS)
SECTION = b"Manifest-Version: 1.0\r\nMain-Class: a.B\r\n\r\nName: a/B.class\r\nSealed: true\r\n\r\n"
GOOD: dict[str, tuple[bytes, PinnedSignature, bytes]] = {
    "one signer": (GOOD_JAR.made(PLAIN), JAR_BY_ANN, OUR_JAR),
    "two signers": (
        Package(first=TWO, front=True).made(PLAIN),
        pinned(SignedFormat.JAR, ANN, BEN),
        OUR_JAR,
    ),
    "files of the signature at the end": (
        Package(first=(signing(),)).made(PLAIN),
        JAR_BY_ANN,
        OUR_JAR,
    ),
    "signed attributes": (
        Package(first=(signing(attributes=True),), front=True).made(PLAIN),
        JAR_BY_ANN,
        OUR_JAR,
    ),
    "SHA-512": (
        Package(first=(signing(digest="SHA-512"),), front=True).made(PLAIN),
        JAR_BY_ANN,
        OUR_JAR,
    ),
    "another certificate": (
        Package(first=(signing(certificates=(CAY.der,)),), front=True).made(PLAIN),
        pinned(SignedFormat.JAR, ANN, certificates=(CAY,)),
        OUR_JAR,
    ),
    "an archive without a manifest": (
        Package(first=(signing(main=None),), front=True).made(PLAIN),
        JAR_BY_ANN,
        archive(PLAIN),
    ),
    "a manifest with a section of ours": (
        Package(first=(signing(sections={CLASS: {"Sealed": "true"}}),), front=True).made(PLAIN),
        JAR_BY_ANN,
        archive([Item(name="META-INF/MANIFEST.MF", content=SECTION), *PLAIN]),
    ),
    "a section of a folder that has no entry": (
        Package(first=(signing(sections={"gone/": {}}),), front=True).made(PLAIN),
        JAR_BY_ANN,
        OUR_JAR,
    ),
    "a digest of the main attributes": (
        Package(first=(signing(main={**MAIN}, attributes=True, schemes=None),), front=True).made(
            PLAIN
        ),
        JAR_BY_ANN,
        OUR_JAR,
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_our_bytes_with_the_signature_are_the_shipped_archive(name: str) -> None:
    shipped, pinned_, ours = GOOD[name]
    found = grafted(shipped, pinned_, ours)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert sum(one.length for one in found.carried) == found.taken
    shown = pins(io.BytesIO(shipped)).pinned
    assert set(shown.signers) == set(pinned_.signers)
    assert shown.certificates == pinned_.certificates


def test_every_altered_byte_of_a_content_is_refused() -> None:
    shipped, pinned_, ours = GOOD["one signer"]
    good = grafted(shipped, pinned_, ours)
    assert isinstance(good, Graft)
    listed = {at for one in good.carried for at in range(one.offset, one.offset + one.length)}
    for at in (at for at in range(0, len(shipped), 3) if at not in listed):
        made = bytearray(shipped)
        made[at] ^= 0x41
        assert isinstance(grafted(bytes(made), pinned_, ours), Refused), at


def test_an_archive_that_is_looked_at_alone_is_named_too() -> None:
    signed = GOOD["one signer"][0]
    with pytest.raises(BadSignatureError) as raised:
        JAR.verify(io.BytesIO(with_gap(signed, b"data")), JAR_BY_ANN)
    assert raised.value.refused.fault is SignatureFault.BETWEEN_ENTRIES
    calls = (
        lambda: JAR.plan(io.BytesIO(OUR_JAR), io.BytesIO(OUR_JAR)),
        lambda: JAR.verify(io.BytesIO(OUR_JAR), JAR_BY_ANN),
        lambda: pins(io.BytesIO(OUR_JAR)),
    )
    for call in calls:
        with pytest.raises(BadSignatureError) as raised:
            call()
        assert raised.value.refused.fault is SignatureFault.MISSING


def test_no_signature_covers_how_its_own_files_are_stored() -> None:
    found = JAR.verify(io.BytesIO(GOOD["two signers"][0]), GOOD["two signers"][1]).uncovered
    assert [one.why for one in found] == ["signature-file", "directory-record"] * 5


def test_sha_1_counts_only_where_something_else_is_signed_with_more() -> None:
    file = io.BytesIO(Package(first=(signing(digest="SHA-1"),), front=True).made(PLAIN))
    signed = read_zip(file, "shipped")
    (signer,) = verify_jar(file, signed, JAR_BY_ANN, weak=True).signers
    assert signer.certificate == ANN.pin
    with pytest.raises(BadSignatureError, match="not SHA-2"):
        verify_jar(file, signed, JAR_BY_ANN)
