"""NuGet packages: our bytes with the signature, and each way in which that must not pass."""

from __future__ import annotations

import pytest
from asn1crypto import cms
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.signature_format import Graft, Refused
from tests.judge.signatures.nuget_tricks import (
    BY_ADA,
    BY_BOTH,
    OURS,
    REPOSITORY,
    attributes,
    content,
    countersigned,
    package,
    pinned,
    signature,
    signed,
    with_entry,
)
from tests.judge.signatures.pe_tricks import ADA, BOB, CLOCK, OLD
from tests.judge.signatures.test_pe import grafted

GOOD: dict[str, tuple[bytes, PinnedSignature]] = {
    "an author": (signed(OURS), BY_ADA),
    "a repository": (signed(OURS, signed_attributes=attributes(ADA, REPOSITORY)), BY_ADA),
    "author and repository": (signed(OURS, **countersigned()), BY_BOTH),
    "a certificate that has expired": (signed(OURS, by=OLD), pinned(OLD)),
    "time stamps of both": (
        signed(OURS, stamped_by=CLOCK, **countersigned(stamped_by=CLOCK)),
        pinned(ADA, BOB, time_stamps=(CLOCK,)),
    ),
    "SHA-512 of the package": (with_entry(OURS, signature(content(OURS, "sha512"))), BY_ADA),
}


@pytest.mark.parametrize("name", GOOD)
def test_our_bytes_with_the_signature_are_the_shipped_package(name: str) -> None:
    shipped, pins = GOOD[name]
    found = grafted(shipped, pins, OURS)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert {one.certificate for one in found.signers} == set(pins.signers)
    stamped = bool(pins.time_stamps)
    assert all((one.stamped_on is not None) == stamped for one in found.signers)
    assert sum(one.length for one in found.carried if one.why == "time") == 8
    assert sum(one.length for one in found.carried) < found.taken


def test_time_stamps_are_carried_and_a_countersignature_is_not() -> None:
    shipped, pins = GOOD["time stamps of both"]
    found = grafted(shipped, pins, OURS)
    assert isinstance(found, Graft)
    assert [one.why for one in found.carried].count("time-stamp") == 2
    data = cms.ContentInfo.load(shipped[shipped.index(b".signature.p7s") + 14 :])["content"]
    attributes = data["signer_infos"][0]["unsigned_attrs"]
    (counter,) = (a["values"][0] for a in attributes if a["type"].native == "counter_signature")
    at = shipped.index(counter["signature"].native)
    assert not any(one.offset <= at < one.offset + one.length for one in found.carried)


@settings(max_examples=10, deadline=None)
@given(st.dictionaries(st.text("abc/", min_size=1, max_size=9), st.binary(max_size=99), min_size=1))
def test_any_package_with_its_signature_is_given_back(contents: dict[str, bytes]) -> None:
    ours = package(**contents)
    assert isinstance(grafted(signed(ours), BY_ADA, ours), Graft)


def test_every_altered_byte_beside_the_signature_is_refused() -> None:
    shipped, pins = GOOD["an author"]
    good = grafted(shipped, pins, OURS)
    assert isinstance(good, Graft)
    carried = {at for one in good.carried for at in range(one.offset, one.offset + one.length)}
    for at in set(range(len(shipped))) - carried:
        made = bytearray(shipped)
        made[at] ^= 0x41
        assert isinstance(grafted(bytes(made), pins, OURS), Refused), at
