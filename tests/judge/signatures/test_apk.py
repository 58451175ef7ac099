"""Android packages: our bytes with the vendor's signatures, and each way that must not pass."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.jail import ParserJail
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.apk import APK
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.graft_readers import PLAN, VERIFY
from pipelines.judge.signatures.signature_format import Graft, Refused
from tests.fakes.jail import OpenJail
from tests.judge.signatures.apk_signing import V2, V3, ApkSigning, JarSigning, Package, signers
from tests.judge.signatures.apk_tricks import (
    ANN,
    BEN,
    BY_ANN,
    CAY,
    FULL,
    ITEMS,
    OURS,
    ROTATED,
    first,
    pinned,
    second,
    third,
)
from tests.judge.signatures.jar_tricks import (
    GOOD_JAR,
    JAR_BY_ANN,
    JAR_ITEMS,
    OUR_JAR,
    without_manifest,
)
from tests.judge.signatures.pe_tricks import ADA
from tests.judge.signatures.zips import Item, aligned, archive

BY_BOTH = pinned(SignedFormat.APK, ANN, BEN)
PLAIN = second(attributes=())


def grafted(shipped: bytes, pins: PinnedSignature, ours: bytes = OURS) -> Graft | Refused:
    return graft(OpenJail(), io.BytesIO(shipped), io.BytesIO(ours), pins, io.BytesIO())


def by(number: int) -> Package:
    """Return a package signed by an algorithm of RSA."""
    return Package(values=(signers(V2, ApkSigning(by=ADA, algorithm=number)),))


GOOD: dict[str, tuple[bytes, PinnedSignature, bytes]] = {
    name: (package.made(ITEMS), pins, ours)
    for name, (package, pins, ours) in {
        "versions 1, 2 and 3": (FULL, BY_ANN, OURS),
        "version 3.1 after a rotation": (ROTATED, BY_BOTH, OURS),
        "version 1 alone": (Package(first=(first(schemes=None),)), BY_ANN, OURS),
        "version 2 alone": (Package(values=(signers(V2, PLAIN),)), BY_ANN, OURS),
        "version 3 alone": (Package(values=(signers(V3, third()),)), BY_ANN, OURS),
        "two signers": (
            Package(values=(signers(V2, PLAIN, replace(PLAIN, by=BEN)),)),
            BY_BOTH,
            OURS,
        ),
        "another certificate": (
            Package(values=(signers(V2, replace(PLAIN, certificates=(CAY.der,))),)),
            pinned(SignedFormat.APK, ANN, certificates=(CAY,)),
            OURS,
        ),
        "aligned by apksigner": (replace(FULL, stated=True), BY_ANN, OURS),
        "aligned by apksigner, block in pages": (
            replace(FULL, stated=True, pages=True),
            BY_ANN,
            archive(aligned(ITEMS, stated=False)),
        ),
        "aligned by zipalign": (replace(FULL, stated=False), BY_ANN, OURS),
        "SHA-1 of version 1 beside version 2": (
            replace(FULL, first=(first(digest="SHA-1"),)),
            BY_ANN,
            OURS,
        ),
        **{f"algorithm {n:#06x}": (by(n), pinned(SignedFormat.APK, ADA), OURS)
           for n in (0x0101, 0x0102, 0x0103, 0x0104)},
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_our_bytes_with_the_signatures_are_the_shipped_package(name: str) -> None:
    shipped, pins, ours = GOOD[name]
    found = grafted(shipped, pins, ours)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert {one.certificate for one in found.signers} == set(pins.signers)
    assert all(
        one.sha256 == Digest.of(shipped[one.offset :][: one.length]) for one in found.carried
    )
    shown = APK.pins(io.BytesIO(shipped)).pinned
    assert set(shown.signers) == set(pins.signers)
    assert set(shown.certificates) == set(pins.certificates)


def test_of_a_package_with_version_1_alone_all_that_is_taken_is_carried() -> None:
    for name, all_ in (("version 1 alone", True), ("versions 1, 2 and 3", False)):
        shipped, pins, ours = GOOD[name]
        found = grafted(shipped, pins, ours)
        assert isinstance(found, Graft)
        assert (sum(one.length for one in found.carried) == found.taken) is all_
        assert {one.why for one in found.carried} == (
            {"signature-file", "directory-record"} if all_ else {"signing-block"}
        )


@pytest.mark.parametrize("name", ["versions 1, 2 and 3", "version 1 alone"])
def test_every_altered_byte_that_a_signature_covers_is_refused(name: str) -> None:
    """The others are listed, with their digest, in the statement."""
    shipped, pins, ours = GOOD[name]
    good = grafted(shipped, pins, ours)
    assert isinstance(good, Graft)
    listed = {at for one in good.carried for at in range(one.offset, one.offset + one.length)}
    for at in range(0, len(shipped), 5):
        made = bytearray(shipped)
        made[at] ^= 0x41
        found = grafted(bytes(made), pins, ours)
        assert isinstance(found, Refused) or at in listed, at


ENTRIES = st.lists(
    st.builds(
        Item,
        name=st.sampled_from([f"{n}{end}" for n in range(5) for end in (".dex", ".so", "/é")]),
        content=st.binary(max_size=30),
        stored=st.booleans(),
        descriptor=st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda item: item.name,
)


@given(
    items=ENTRIES,
    stated=st.sampled_from([None, True, False]),
    pages=st.booleans(),
    first_=st.sampled_from([(), (JarSigning(by=ANN, stored=True),)]),
)
@settings(max_examples=25, deadline=None)
def test_a_package_is_its_entries_and_its_signatures(
    items: list[Item], stated: bool | None, pages: bool, first_: tuple[JarSigning, ...]
) -> None:
    package = Package(first=first_, values=(signers(V2, PLAIN),), stated=stated, pages=pages)
    shipped = package.made(items)
    found = grafted(shipped, BY_ANN, archive(items))
    assert isinstance(found, Graft), found
    assert found.sha256 == Digest.of(shipped)


def test_packages_and_archives_are_read_in_a_jail_without_files() -> None:
    jail = ParserJail([PLAN.name, VERIFY.name])
    try:
        for shipped, pins, ours in (
            *(GOOD[name] for name in ("versions 1, 2 and 3", "algorithm 0x0101")),
            (GOOD_JAR.made(without_manifest(JAR_ITEMS)), JAR_BY_ANN, OUR_JAR),
        ):
            found = graft(jail, io.BytesIO(shipped), io.BytesIO(ours), pins, io.BytesIO())
            assert isinstance(found, Graft), found
    finally:
        jail.close()
