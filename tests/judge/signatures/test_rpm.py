"""RPM packages: our bytes with the vendor's signature, and each way in which that must not pass."""

from __future__ import annotations

import base64
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.rpm import pins, verify
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from tests.fakes.jail import OpenJail
from tests.judge.signatures.pgp_signing import Signature
from tests.judge.signatures.rpm_signing import (
    INT64,
    MD5,
    OPENPGP,
    PAYLOAD_SIZE,
    PGP,
    RESERVED,
    RSA,
    SHA1,
    SHA3,
    SHA256,
    SIZE,
    Entry,
    Rpm,
    strings,
)
from tests.judge.signatures.rpm_tricks import (
    ADA,
    BOB,
    BY_ADA,
    OLD,
    OURS,
    RPM,
    pinned,
    with_main,
)

FORMER = OLD.signed(OLD.by(ADA), OLD.by(ADA, PGP), drop=(SHA3,))
_OLD_TAGS = (SIZE, MD5, PAYLOAD_SIZE, RESERVED)
_BY_TWO = RPM.signed(
    strings(*(base64.b64encode(Signature(by=key).packet(RPM.main)) for key in (ADA, BOB)))
)
_SPACE = (Entry.binary(999, bytes(30)),)
_V6 = with_main(Entry.number(5114, 6))
_V6_OURS = _V6.file([_V6.digests[SHA256], *_SPACE])
_LARGE = Entry(270, INT64, struct.pack(">Q", len(RPM.all)))
GOOD: dict[str, tuple[bytes, bytes, PinnedSignature]] = {
    "over the header": (RPM.signed(RPM.by(ADA)), OURS, BY_ADA),
    "over header and payload": (RPM.signed(RPM.by(ADA, PGP)), OURS, BY_ADA),
    "over both": (RPM.signed(RPM.by(ADA), RPM.by(ADA, PGP)), OURS, BY_ADA),
    "in base64": (RPM.signed(RPM.by(ADA, OPENPGP)), OURS, BY_ADA),
    "in base64, by two": (_BY_TWO, OURS, pinned(BOB, ADA)),
    "by two": (RPM.signed(RPM.by(ADA), RPM.by(BOB, OPENPGP)), OURS, pinned(BOB, ADA)),
    "without a digest of the payload": (FORMER, OLD.file(), BY_ADA),
    "of version 6": (_V6.signed(_V6.by(ADA, OPENPGP), *_SPACE, drop=_OLD_TAGS), _V6_OURS, BY_ADA),
    "of a large size": (RPM.signed(RPM.by(ADA), _LARGE, drop=(SIZE,)), OURS, BY_ADA),
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


def test_what_is_not_covered_of_signatures_in_base64_is_found_there() -> None:
    shipped, _, pins = GOOD["in base64, by two"]
    bare = verify(io.BytesIO(shipped), pins).uncovered
    assert [(one.offset, one.why) for one in bare[:2]] == [(0, "lead"), (96, "structure")]
    assert {one.why for one in bare[2:]} == {"structure", "digest"}
    texts = [shipped[one.offset :][: one.length] for one in bare[2:] if one.why == "structure"]
    found = [base64.b64decode(text, validate=True) for text in texts]
    assert len(found) == 4
    assert ADA.key_id in found[1]
    assert BOB.key_id in found[3]
    assert all(len(one) < 20 for one in found)


@pytest.mark.parametrize("tag", [SHA1, SHA256, SHA3, SIZE])
def test_digests_are_checked_where_a_package_is_verified_alone(tag: int) -> None:
    stale = {one.tag: one for one in Rpm(payload=b"other").digests.values()}[tag]
    with pytest.raises(BadSignatureError) as error:
        verify(io.BytesIO(RPM.signed(RPM.by(ADA), stale, drop=(tag,))), BY_ADA)
    fault = "trailing-bytes" if tag == SIZE else "digest-differs"
    assert error.value.refused.fault == fault


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
