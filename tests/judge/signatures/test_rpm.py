"""RPM packages: our bytes with the vendor's signature, and each way in which that must not pass."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.rpm import pins
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from tests.fakes.jail import OpenJail
from tests.judge.signatures.pgp_signing import Signature
from tests.judge.signatures.rpm_signing import (
    MD5,
    OPENPGP,
    PGP,
    RESERVED,
    RSA,
    SHA1,
    SHA3,
    SIZE,
    Entry,
    Rpm,
)
from tests.judge.signatures.rpm_tricks import ADA, BOB, BY_ADA, OLD, OURS, RPM, TRICKS, pinned

FORMER = OLD.signed(OLD.by(ADA), OLD.by(ADA, PGP), drop=(SHA3,))
GOOD: dict[str, tuple[bytes, bytes, PinnedSignature]] = {
    "over the header": (RPM.signed(RPM.by(ADA)), OURS, BY_ADA),
    "over header and payload": (RPM.signed(RPM.by(ADA, PGP)), OURS, BY_ADA),
    "over both": (RPM.signed(RPM.by(ADA), RPM.by(ADA, PGP)), OURS, BY_ADA),
    "in base64": (RPM.signed(RPM.by(ADA, OPENPGP)), OURS, BY_ADA),
    "by two": (RPM.signed(RPM.by(ADA), RPM.by(BOB, OPENPGP)), OURS, pinned(BOB, ADA)),
    "without a digest of the payload": (FORMER, OLD.file(), BY_ADA),
    "without reserved space": (
        RPM.signed(RPM.by(ADA), drop=(RESERVED, MD5, SIZE, SHA1)),
        OURS,
        BY_ADA,
    ),
}


def grafted(shipped: bytes, pins: PinnedSignature, ours: bytes = OURS) -> Graft | Refused:
    return graft(OpenJail(), io.BytesIO(shipped), io.BytesIO(ours), pins, io.BytesIO())


@pytest.mark.parametrize("name", GOOD)
def test_our_bytes_with_the_signature_are_the_shipped_package(name: str) -> None:
    shipped, ours, pins = GOOD[name]
    found = grafted(shipped, pins, ours)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert {one.certificate for one in found.signers} == set(pins.signers)
    assert {one.why for one in found.carried} == {"structure"}
    for one in found.carried:
        assert one.sha256 == Digest.of(shipped[one.offset :][: one.length])
    assert sum(one.length for one in found.carried) < found.taken < 1000


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_a_difference_with_a_name(name: str) -> None:
    trick = TRICKS[name]
    found = grafted(trick.shipped(), trick.pins, trick.ours)
    assert isinstance(found, Refused), "it passed"
    assert found.fault == trick.fault, found.detail


def test_a_package_says_which_keys_a_recipe_needs() -> None:
    for entry, name in (
        (RPM.by(ADA), ADA.fingerprint),
        (Entry.binary(RSA, Signature(by=ADA).former(RPM.main)), ADA.fingerprint[-16:]),
    ):
        with pytest.raises(BadSignatureError, match=f"signed by OpenPGP key {name}; "):
            pins(io.BytesIO(RPM.signed(entry)))
    with pytest.raises(BadSignatureError, match="no signature"):
        pins(io.BytesIO(OURS))


@given(
    payload=st.binary(max_size=300),
    texts=st.lists(st.text("abc", max_size=9), max_size=4),
    dropped=st.sets(st.sampled_from([MD5, RESERVED, SHA1, SHA3, SIZE])),
    tag=st.sampled_from([RSA, PGP, OPENPGP]),
)
@settings(max_examples=40, deadline=None)
def test_a_package_gets_back_the_signature_that_was_taken_off(
    payload: bytes, texts: list[str], dropped: set[int], tag: int
) -> None:
    entries = tuple(Entry.text(1000 + number, text) for number, text in enumerate(texts))
    made = Rpm(payload=payload, entries=entries)
    shipped = made.signed(made.by(ADA, tag), drop=tuple(dropped))
    found = grafted(shipped, BY_ADA, made.file())
    assert isinstance(found, Graft), found
    assert found.sha256 == Digest.of(shipped)


@given(at=st.integers(0, 1 << 30), byte=st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_no_package_with_one_other_byte_passes(at: int, byte: int) -> None:
    shipped = bytearray(GOOD["over both"][0])
    shipped[at % len(shipped)] ^= byte
    assert isinstance(grafted(bytes(shipped), BY_ADA), Refused)
