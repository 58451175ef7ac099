"""RAUC bundles: our squashfs with the vendor's signature, and ways in which that must not pass."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.rauc import RAUC, verify
from pipelines.judge.signatures.rpm import RPM
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from pipelines.judge.signatures.splice import (
    Own,
    Piece,
    SpliceError,
    SpliceLimits,
    SplicePlan,
    Taken,
    splice,
)
from pipelines.judge.signatures.verity import hash_tree, tree_size
from tests.judge.signatures import rpm_tricks
from tests.judge.signatures.pe_tricks import ADA, BOB, ROOT
from tests.judge.signatures.planted import grafted
from tests.judge.signatures.rauc_signing import (
    BLOCK,
    SALT,
    Verity,
    cms,
    plain,
    sized,
    squashfs,
)
from tests.judge.signatures.rauc_tricks import BY_ADA, GOOD, IMAGE, OURS, VERITY, pinned
from tests.judge.signatures.signing import edited, value

DER = plain(ADA, IMAGE)[len(IMAGE) : -8]
BUNDLES: dict[str, tuple[bytes, bytes, PinnedSignature]] = {
    "plain": (plain(ADA, IMAGE), IMAGE, BY_ADA),
    "plain, of one that we signed": (plain(ADA, IMAGE), plain(BOB, IMAGE), BY_ADA),
    "an elliptic key": (plain(BOB, IMAGE), IMAGE, pinned(BOB)),
    "another certificate": (
        plain(ADA, IMAGE, ROOT),
        IMAGE,
        pinned(ADA, certificates=(ROOT,)),
    ),
    "verity": (GOOD, OURS, BY_ADA),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_our_squashfs_with_the_signature_is_the_shipped_bundle(name: str) -> None:
    shipped, ours, pins = BUNDLES[name]
    found = grafted(shipped, pins, ours)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert {one.certificate for one in found.signers} == set(pins.signers)
    assert {one.why for one in found.carried} == {"certificate", "structure"}
    assert sum(one.length for one in found.carried) < found.taken < 4000


def test_what_is_not_covered_is_found_where_it_is() -> None:
    bare = verify(io.BytesIO(GOOD), BY_ADA).uncovered
    assert (bare[-1].offset, bare[-1].length, bare[-1].why) == (len(GOOD) - 8, 8, "size")
    (held,) = (one for one in bare if one.why == "certificate")
    assert GOOD[held.offset :][: held.length] == ADA.der


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (Verity(tree=b"\1" * BLOCK).by(ADA), "digest-differs"),
        (Verity(tree=bytes(2 * BLOCK), size=2 * BLOCK).by(ADA), "digest-differs"),
        (Verity(root=bytes(32)).by(ADA), "signed-other-bytes"),
        (plain(ADA, IMAGE + b"anything"), "layout"),
        (sized(IMAGE, b"\x30\x80\0\0"), "signature-unreadable"),
    ],
)
def test_a_bundle_is_verified_alone_as_well(made: bytes, fault: str) -> None:
    with pytest.raises(BadSignatureError) as error:
        verify(io.BytesIO(made), BY_ADA)
    assert error.value.refused.fault == fault


@given(
    content=st.binary(min_size=1, max_size=40),
    blocks=st.integers(2, 200),
    salts=st.tuples(*[st.binary(min_size=32, max_size=32)] * 2),
)
@settings(max_examples=15, deadline=None)
def test_a_bundle_gets_back_the_signature_that_was_taken_off(
    content: bytes, blocks: int, salts: tuple[bytes, bytes]
) -> None:
    image = squashfs(content[:1], blocks)
    shipped = Verity(image=image, salt=salts[0]).by(ADA)
    found = grafted(shipped, BY_ADA, Verity(image=image, salt=salts[1]).by(BOB))
    assert isinstance(found, Graft), found
    assert found.sha256 == Digest.of(shipped)


@given(at=st.integers(0, 1 << 30), byte=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_no_bundle_with_one_other_byte_passes(at: int, byte: int) -> None:
    shipped = bytearray(GOOD)
    shipped[at % len(shipped)] ^= byte
    assert isinstance(grafted(bytes(shipped), BY_ADA, OURS), Refused)


@pytest.mark.parametrize(
    ("blocks", "root"),
    [
        (1, "4ce3ecf32c133bf6321901b6092219474b6ac91a19d0304621d629e6bb9987dc"),
        (2, "ee3e6af6b3e489a50a4b89ad492cd7d12eb5bf39af859e18192181cdc8a44070"),
        (129, "1797e36469458d7970b1e6baf880e1d6732b0bc4ace04b38fc6131de66b5e6c7"),
    ],
)
def test_the_hash_tree_is_that_of_veritysetup(blocks: int, root: str) -> None:
    """The roots are what `veritysetup format --no-superblock` prints for these files."""
    data = b"".join(struct.pack(">I", number) * (BLOCK // 4) for number in range(blocks))
    made = hash_tree(io.BytesIO(data), len(data), SALT)
    assert len(made.tree) == tree_size(len(data))
    assert made.root.hex() == root


def test_a_hash_tree_is_over_whole_blocks() -> None:
    for size in (0, 5, BLOCK + 1):
        with pytest.raises(ValueError, match="not whole blocks"):
            hash_tree(io.BytesIO(bytes(size)), size, SALT)
    with pytest.raises(ValueError, match="ends early"):
        hash_tree(io.BytesIO(bytes(BLOCK)), 2 * BLOCK, SALT)


@pytest.mark.parametrize(
    ("limits", "ours", "theirs"),
    [
        (RAUC.limits, OURS, GOOD),
        (RPM.limits, rpm_tricks.OURS, rpm_tricks.GOOD),
    ],
)
def test_a_plan_that_copies_the_shipped_file_is_refused(
    limits: SpliceLimits, ours: bytes, theirs: bytes
) -> None:
    files = io.BytesIO(ours), io.BytesIO(theirs)
    for kept in (0, 96, 200):
        pieces: list[Piece] = [Taken(offset=kept, length=len(theirs) - kept, why="all")]
        if kept:
            pieces.insert(0, Own(offset=0, length=kept))
        with pytest.raises(SpliceError, match="would be left out"):
            splice(SplicePlan(pieces=tuple(pieces)), *files, io.BytesIO(), limits)


def unusual(manifest: bytes) -> bytes:
    """Return a bundle of format verity with another manifest."""
    return sized(VERITY.payload, cms(ADA, manifest))


_ROOT, _WORD = b"verity-hash=", value(0x06, bytes.fromhex("2a864886f70d010701"))
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")


@pytest.mark.parametrize(
    ("shipped", "fault", "why"),
    [
        (sized(IMAGE, b"\x30"), "signature-unreadable", "no CMS"),
        (sized(IMAGE, value(0x30, _SIGNED_DATA + b"\5\0\5\0")), "signature-unreadable", "no CMS"),
        (
            sized(IMAGE, value(0x30, _SIGNED_DATA + value(0xA0, value(0x30, b"\2\1\1")))),
            "signature-unreadable",
            "no CMS",
        ),
        (
            sized(IMAGE, value(0x30, _WORD + value(0xA0, b"\5\0"))),
            "signature-unreadable",
            "no SignedData",
        ),
        (
            sized(IMAGE, edited(DER, lambda _: value(0x30, _SIGNED_DATA), 0, 1, 0, 2)),
            "signature-unreadable",
            "something else than data",
        ),
        (
            sized(
                IMAGE,
                edited(DER, lambda _: value(0x30, _WORD + value(0xA0, b"\5\0")), 0, 1, 0, 2),
            ),
            "signature-unreadable",
            "no octets",
        ),
        (unusual(VERITY.manifest.replace(_ROOT, b"verity-root=")), "signature-unreadable", "root"),
        (
            unusual(VERITY.manifest.replace(b"verity-size=4", b"verity-size=x")),
            "signature-unreadable",
            "size of its hash tree",
        ),
        (unusual(b"a=b\n" + VERITY.manifest), "signature-unreadable", "with a line 'a=b'"),
        (replace(VERITY, size=len(VERITY.payload)).by(ADA), "layout", "a squashfs of 0 bytes"),
    ],
)
def test_a_bundle_that_is_not_read_is_named(shipped: bytes, fault: str, why: str) -> None:
    with pytest.raises(BadSignatureError, match=why) as error:
        verify(io.BytesIO(shipped), BY_ADA)
    assert error.value.refused.fault == fault


def test_a_bundle_may_be_one_block_and_say_more() -> None:
    small = squashfs(b"", blocks=1)
    assert isinstance(grafted(plain(ADA, small), BY_ADA, small), Graft)
    more = replace(VERITY, more="[image.boot]\nformat=crypt\nverity-size=1\n")
    assert isinstance(grafted(more.by(ADA), BY_ADA, more.by(BOB)), Graft)


def test_our_own_bundle_has_nothing_between_squashfs_and_signature() -> None:
    ours = plain(BOB, IMAGE + bytes(BLOCK))
    found = grafted(plain(ADA, IMAGE), BY_ADA, ours)
    assert isinstance(found, Refused)
    assert found.fault == "layout"
