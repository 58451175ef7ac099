"""PE files: our bytes with the vendor's signature, and each way in which that must not pass."""

from __future__ import annotations

import io

import pytest

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.der import children
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.signature_format import Graft, Refused
from tests.fakes.jail import OpenJail
from tests.judge.signatures.pe_tricks import (
    ADA,
    BOB,
    CLOCK,
    OLD,
    OURS,
    ROOT,
    pinned,
)
from tests.judge.signatures.signing import CHECKSUM, Signing, program, signed, with_table


def grafted(shipped: bytes, pins: PinnedSignature, ours: bytes = OURS) -> Graft | Refused:
    return graft(OpenJail(), io.BytesIO(shipped), io.BytesIO(ours), pins, io.BytesIO())


GOOD: dict[str, tuple[bytes, PinnedSignature]] = {
    "one signer": (signed(OURS, Signing(by=ADA)), pinned(ADA)),
    "an elliptic key": (signed(OURS, Signing(by=BOB)), pinned(BOB)),
    "a certificate that has expired": (signed(OURS, Signing(by=OLD)), pinned(OLD)),
    "two signatures": (signed(OURS, Signing(by=ADA), Signing(by=BOB)), pinned(BOB, ADA)),
    "padding that is counted": (signed(OURS, Signing(by=ADA), padded=True), pinned(ADA)),
    "another certificate": (
        signed(OURS, Signing(by=ADA, certificates=(ROOT.der,))),
        pinned(ADA, certificates=(ROOT,)),
    ),
    "a time stamp": (
        signed(OURS, Signing(by=ADA, stamped_by=CLOCK)),
        pinned(ADA, time_stamps=(CLOCK,)),
    ),
    "SHA-512": (signed(OURS, Signing(by=ADA, algorithm="sha512")), pinned(ADA)),
}


@pytest.mark.parametrize("name", GOOD)
def test_our_bytes_with_the_signature_are_the_shipped_file(name: str) -> None:
    shipped, pins = GOOD[name]
    found = grafted(shipped, pins)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert {one.certificate for one in found.signers} == set(pins.signers)
    table = len(OURS) + -len(OURS) % 8
    assert found.taken == len(shipped) - table
    assert all(
        one.sha256 == Digest.of(shipped[one.offset :][: one.length]) for one in found.carried
    )
    assert all(one.offset >= table for one in found.carried)
    assert sum(one.length for one in found.carried) < found.taken
    ends = [one.offset + one.length for one in found.carried]
    assert all(end <= one.offset for end, one in zip(ends, found.carried[1:], strict=False))


@pytest.mark.parametrize("size", range(8))
@pytest.mark.parametrize("stale", [b"\0\0\0\0", b"\xff\xff\x01\x00"])
def test_any_length_and_any_checksum_of_ours_gives_the_shipped_file(
    size: int, stale: bytes
) -> None:
    ours = bytearray(program(b"x" * size))
    shipped = signed(bytes(ours), Signing(by=ADA))
    ours[CHECKSUM : CHECKSUM + 4] = stale
    assert isinstance(grafted(shipped, pinned(ADA), bytes(ours)), Graft)


def test_all_but_what_the_signature_covers_is_carried() -> None:
    shipped, pins = GOOD["one signer"]
    found = grafted(shipped, pins)
    assert isinstance(found, Graft)
    pkcs7 = Signing(by=ADA).pkcs7(OURS)
    table = shipped[-found.taken :]
    data = children(pkcs7, *children(pkcs7, *children(pkcs7, 0, len(pkcs7))[0][2:])[1][2:])[0]
    signed_data = children(pkcs7, *data[2:])
    content = children(pkcs7, *children(pkcs7, *signed_data[2][2:])[1][2:])[0]
    info = children(pkcs7, *children(pkcs7, *signed_data[4][2:])[0][2:])
    covered = sum(one.end - one.begin for one in (content, info[3], info[5]))
    padding = len(table) - len(pkcs7) - 8
    assert sum(one.length for one in found.carried) == len(table) - covered - padding


def test_what_the_signature_covers_is_not_carried() -> None:
    shipped, pins = GOOD["another certificate"]
    found = grafted(shipped, pins)
    assert isinstance(found, Graft)
    listed = [shipped[c.offset :][: c.length] for c in found.carried if c.why == "certificate"]
    assert sorted(listed) == sorted([ADA.der, ROOT.der])


def test_every_altered_byte_that_a_signature_covers_is_refused() -> None:
    """The others are listed, with their digest, in the statement."""
    shipped, pins = GOOD["one signer"]
    good = grafted(shipped, pins)
    assert isinstance(good, Graft)
    begin = len(shipped) - good.taken
    listed = {at for one in good.carried for at in range(one.offset, one.offset + one.length)}
    covered = [at for at in range(begin, len(shipped)) if at not in listed]
    assert len(covered) > 300
    for at in (*range(begin), *covered):
        made = bytearray(shipped)
        made[at] ^= 0x41
        whole = bytes(made) if at < begin else with_table(OURS, bytes(made[begin:]))
        assert isinstance(grafted(whole, pins), Refused), at
