"""ClamAV databases: ours with both signatures, and each way in which that must not pass."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.cvd import pins, verify
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft
from tests.judge.signatures.database_tricks import BODY, INFO, OWN, PINS, TAR
from tests.judge.signatures.databases import (
    EVE,
    MEMBERS,
    OURS,
    SIGNED,
    STRONG,
    WEAK,
    Key,
    block,
    pinned,
)
from tests.judge.signatures.planted import grafted


def test_our_database_with_both_signatures_is_the_shipped_file() -> None:
    shipped = SIGNED.whole()
    found = grafted(shipped, PINS, OWN)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(shipped), len(shipped))
    assert [(one.certificate, one.weak_digest) for one in found.signers] == [
        (STRONG.pin, None),
        (WEAK.pin, "md5"),
    ]
    carried = {one.why: shipped[one.offset :][: one.length] for one in found.carried}
    assert carried == {
        "header-time": b"28 Nov 2026 02-00 +0000",
        "header-builder": b"root",
        "header-clock": b"1795831200",
    }
    assert all(one.sha256 == Digest.of(carried[one.why]) for one in found.carried)
    assert found.packing == "gzip level 9 strategy filtered OS 3"


def test_what_our_machine_claims_alike_is_not_carried() -> None:
    found = grafted(SIGNED.whole(), PINS, SIGNED.but(strong=None, weak=None).whole())
    assert isinstance(found, Graft), found
    assert found.carried == ()


@settings(max_examples=15)
@given(st.dictionaries(st.sampled_from([b"a.hdb", b"b.ndb", b"c.cbc"]), st.binary(max_size=1200)))
def test_any_database_signed_comes_back(members: dict[bytes, bytes]) -> None:
    held = {b"COPYING": MEMBERS[b"COPYING"], **members}
    shipped = SIGNED.but(members=held).whole()
    found = grafted(shipped, PINS, OURS.but(members=held).whole())
    assert isinstance(found, Graft), found


def test_every_altered_byte_of_header_and_info_is_refused() -> None:
    shipped = SIGNED.whole()
    for at in (*range(0, 160, 3), 300, 511):
        made = bytearray(shipped)
        made[at] ^= 0x01
        assert not isinstance(grafted(bytes(made), PINS, OWN), Graft), at
    for at in range(0, len(INFO), 17):
        info = bytearray(INFO)
        info[at] ^= 0x01
        whole = SIGNED.around(SIGNED.tar(bytes(info)))
        assert not isinstance(grafted(whole, PINS, OWN), Graft), at


def test_a_recipe_without_the_key_of_a_signer_is_refused() -> None:
    for keys in ((), (WEAK.pem,), (WEAK.pem, STRONG.pem, EVE.pem), (WEAK.pem, "STRONG")):
        with pytest.raises(ValueError, match=r"expected public_keys|public key"):
            PinnedSignature(
                format=SignedFormat.CVD, signers=(WEAK.pin, STRONG.pin), public_keys=keys
            )


def test_keys_that_a_database_does_not_bring_are_asked_for() -> None:
    for shipped, fault in ((SIGNED.whole(), "unexpected-signer"), (OWN, "signature-missing")):
        with pytest.raises(BadSignatureError) as raised:
            pins(io.BytesIO(shipped))
        assert raised.value.refused.fault == fault


def test_a_signature_by_hand_is_one_of_clamav() -> None:
    shipped = SIGNED.but(info_signature=STRONG.by_hand(BODY)).whole()
    assert isinstance(grafted(shipped, PINS, OWN), Graft)


def test_the_md5_of_a_header_is_that_of_the_body() -> None:
    with pytest.raises(BadSignatureError) as raised:
        verify(io.BytesIO(SIGNED.but(md5=b"0" * 32).whole()), PINS)
    assert raised.value.refused.fault == "signed-other-bytes"


@pytest.mark.parametrize("names", [(b"a.hdb", b"z.hdb"), (b"z.hdb", b"a.hdb")])
def test_members_are_listed_in_any_order(names: tuple[bytes, bytes]) -> None:
    held = {b"COPYING": b"GPL", **dict.fromkeys(names, b"aa:1:Eicar\n")}
    listed = dict(reversed(held.items()))
    shipped = SIGNED.but(members=held, listed=listed).whole()
    found = grafted(shipped, PINS, OURS.but(members=held, listed=listed).whole())
    assert isinstance(found, Graft), found


def test_a_list_may_fill_its_blocks() -> None:
    def named(more: int) -> dict[bytes, bytes]:
        sizes = [6 + min(80, max(0, more - 80 * number)) for number in range(7)]
        names = [(b"%d.hdb" % n).rjust(size, b"x") for n, size in enumerate(sizes)]
        return {b"COPYING": b"GPL", **dict.fromkeys(names, b"")}

    made = ((SIGNED.but(members=named(more)).info, more) for more in [*range(513)] * 4)
    info, more = next(one for one in made if len(one[0]) % 512 == 0)
    shipped = SIGNED.but(members=named(more))
    whole = shipped.around(shipped.tar(info))
    assert isinstance(grafted(whole, PINS, OURS.but(members=named(more)).whole()), Graft)


@pytest.mark.parametrize(
    ("tar", "fault"),
    [
        (TAR[:124] + b"9" + TAR[125:], "signature-unreadable"),
        (TAR + block(b"a.hdb", bytes(1024))[:-100], "signature-unreadable"),
        (TAR + block(b"a.hdb", bytes(1024))[:-512], "signature-unreadable"),
        (SIGNED.tar(b"x" * (1 << 20)), "weak-digest"),
        (SIGNED.tar(b"x" * ((1 << 20) + 1)), "signature-unreadable"),
    ],
    ids=["a size in other digits", "cut off", "cut off at a block", "a large list", "a larger one"],
)
def test_a_tar_that_is_read_to_its_end_and_no_further(tar: bytes, fault: str) -> None:
    with pytest.raises(BadSignatureError) as raised:
        verify(io.BytesIO(SIGNED.around(tar)), PINS)
    assert raised.value.refused.fault == fault


def test_a_key_of_more_bits_signs_no_list() -> None:
    large = Key.made(2304)
    with pytest.raises(BadSignatureError) as raised:
        verify(io.BytesIO(SIGNED.but(strong=large).whole()), pinned(large, WEAK))
    assert raised.value.refused.fault == "signature-invalid"
