"""Cabinets: our bytes with the vendor's signature, and each way in which that must not pass."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.signature_format import Graft, Refused
from tests.judge.signatures.cab_tricks import (
    GROWN,
    OURS,
    cabinet,
    pinned,
    signed,
)
from tests.judge.signatures.pe_tricks import ADA, BOB, CLOCK, OLD, ROOT
from tests.judge.signatures.test_pe import grafted

GOOD: dict[str, tuple[bytes, PinnedSignature]] = {
    "one signer": (signed(OURS), pinned(ADA)),
    "no padding": (signed(OURS, padded=False), pinned(ADA)),
    "an elliptic key": (signed(OURS, by=BOB), pinned(BOB)),
    "a certificate that has expired": (signed(OURS, by=OLD), pinned(OLD)),
    "another certificate": (
        signed(OURS, certificates=(ROOT.der,)),
        pinned(ADA, certificates=(ROOT,)),
    ),
    "a time stamp": (signed(OURS, stamped_by=CLOCK), pinned(ADA, time_stamps=(CLOCK,))),
    "SHA-512": (signed(OURS, algorithm="sha512"), pinned(ADA)),
}


@pytest.mark.parametrize("name", GOOD)
def test_our_bytes_with_the_signature_are_the_shipped_cabinet(name: str) -> None:
    shipped, pins = GOOD[name]
    found = grafted(shipped, pins, OURS)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert found.taken == len(shipped) - len(OURS) - GROWN
    assert all(one.offset >= len(OURS) + GROWN for one in found.carried)
    assert sum(one.length for one in found.carried) < found.taken


@settings(max_examples=10, deadline=None)
@given(st.lists(st.binary(max_size=99), min_size=1, max_size=9))
def test_any_cabinet_with_its_signature_is_given_back(contents: list[bytes]) -> None:
    ours = cabinet(*contents)
    assert isinstance(grafted(signed(ours), pinned(ADA), ours), Graft)


def test_every_altered_byte_of_the_cabinet_is_refused() -> None:
    shipped, pins = GOOD["one signer"]
    for at in range(len(OURS) + GROWN):
        made = bytearray(shipped)
        made[at] ^= 0x41
        assert isinstance(grafted(bytes(made), pins, OURS), Refused), at
