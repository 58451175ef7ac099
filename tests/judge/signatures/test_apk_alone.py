"""Android packages that are looked at alone: what is between entries, and what is not signed."""

from __future__ import annotations

import io
import struct

import pytest

from pipelines.judge.signatures.apk import APK, pins
from pipelines.judge.signatures.raw_zip import read_zip
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault
from tests.judge.signatures.apk_signing import V2, Package, signers
from tests.judge.signatures.apk_tricks import ANN, BY_ANN, FULL, ITEMS, OURS, first, second

V1 = Package(first=(first(schemes=None),)).made(ITEMS)
BLOCKED = FULL.made(ITEMS)


def with_gap(package: bytes, data: bytes) -> bytes:
    """Return a package with bytes after its last entry, and the right place of its directory."""
    archive = read_zip(io.BytesIO(package), "shipped")
    at = archive.local_end
    moved = struct.pack("<I", archive.directory + len(data))
    return package[:at] + data + package[at:-6] + moved + package[-2:]


@pytest.mark.parametrize(
    ("package", "gap"),
    [
        (V1, bytes(1)),
        (V1, b"data"),
        (BLOCKED, b"\0\0data"),
        (BLOCKED, bytes(4096)),
    ],
    ids=["zeros without a block", "data without a block", "data", "a page of zeros"],
)
def test_nothing_stands_between_entries_and_directory(package: bytes, gap: bytes) -> None:
    with pytest.raises(BadSignatureError) as raised:
        APK.verify(io.BytesIO(with_gap(package, gap)), BY_ANN)
    assert raised.value.refused.fault is SignatureFault.BETWEEN_ENTRIES


def test_a_block_may_follow_less_than_a_page_of_zeros() -> None:
    """Version 2 signs the entries with these zeros, so that here it is another file."""
    with pytest.raises(BadSignatureError) as raised:
        APK.verify(io.BytesIO(with_gap(BLOCKED, bytes(4095))), BY_ANN)
    assert raised.value.refused.fault is not SignatureFault.BETWEEN_ENTRIES


def test_a_package_that_is_not_signed_is_named_so() -> None:
    calls = (
        lambda: APK.plan(io.BytesIO(OURS), io.BytesIO(OURS)),
        lambda: APK.verify(io.BytesIO(OURS), BY_ANN),
        lambda: pins(io.BytesIO(OURS)),
    )
    for call in calls:
        with pytest.raises(BadSignatureError) as raised:
            call()
        assert raised.value.refused.fault is SignatureFault.MISSING


def test_what_a_block_does_not_cover_is_in_order_and_in_it() -> None:
    archive = read_zip(io.BytesIO(BLOCKED), "shipped")
    bare = [one for one in APK.verify(io.BytesIO(BLOCKED), BY_ANN).uncovered if "block" in one.why]
    assert bare == sorted(bare, key=lambda one: one.offset)
    assert all(archive.local_end <= one.offset for one in bare)
    assert bare[-1].offset + bare[-1].length == archive.directory
    certificate = BLOCKED.index(ANN.der, archive.local_end)
    assert not any(one.offset <= certificate < one.offset + one.length for one in bare)


def test_of_a_block_without_a_signature_nothing_is_covered_by_it() -> None:
    padded = Package(first=(first(schemes=None),), values=(lambda _: [(0x42726577, bytes(10))],))
    bare = APK.verify(io.BytesIO(padded.made(ITEMS)), BY_ANN).uncovered
    assert {one.why for one in bare} == {"signature-file", "directory-record"}


@pytest.mark.parametrize(("schemes", "passes"), [("2", True), ("3", False), ("2, 3", False)])
def test_a_version_that_version_1_names_is_there(schemes: str, *, passes: bool) -> None:
    package = Package(first=(first(schemes=schemes),), values=(signers(V2, second(attributes=())),))
    if passes:
        assert APK.verify(io.BytesIO(package.made(ITEMS)), BY_ANN).signers
        return
    with pytest.raises(BadSignatureError) as raised:
        APK.verify(io.BytesIO(package.made(ITEMS)), BY_ANN)
    assert raised.value.refused.fault is SignatureFault.STRIPPED
