"""Clear-signed texts: our text in the vendor's frame, and each way in which that must not pass."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from pipelines.judge.signatures import clearsigned
from pipelines.judge.signatures.clearsigned import pins
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from tests.judge.signatures.pgp_signing import Signature
from tests.judge.signatures.planted import grafted
from tests.judge.signatures.text_tricks import BY_ADA, CHECKSUM
from tests.judge.signatures.texts import ADA, BOB, DSC, GOOD, ClearSigned, canonical, pinned

BY_BOB = Signature(by=BOB, kind=1, digest=8).packet(canonical(DSC))
TWO = GOOD.but(by=(ADA, BOB), packets=GOOD.data + BY_BOB, headers=b"Hash: SHA512, SHA256\n")
SIGNED = {
    "one signer": (GOOD, DSC),
    "two signers": (GOOD.but(by=(ADA, BOB)), DSC),
    "SHA-256": (GOOD.but(digest=8), DSC),
    "long lines in the armor": (GOOD.but(width=76), DSC),
    "a text without a line feed at its end": (GOOD, DSC[:-1]),
    "a checksum of the armor": (GOOD.but(checksum=CHECKSUM), DSC),
    "two signers with two digests": (TWO, DSC),
    "an empty line that debsign adds": (GOOD.but(text=DSC + b"\n"), DSC),
    "a text that ends with blanks": (GOOD.but(text=DSC + b" \t\n"), DSC + b" \t\n"),
    "a text with CR LF": (ClearSigned(text=b"a\r\n-b\r\n"), b"a\r\n-b\r\n"),
}


@pytest.mark.parametrize("name", SIGNED)
def test_our_text_with_the_signature_is_the_shipped_file(name: str) -> None:
    signed, ours = SIGNED[name]
    shipped, pins = signed.whole(), pinned(*signed.by)
    found = grafted(shipped, pins, ours)
    assert isinstance(found, Graft), found
    assert found.sha256 == Digest.of(shipped)
    assert {one.certificate for one in found.signers} == set(pins.signers)
    letters = base64.b64encode(signed.data)
    lines = -(-len(letters) // signed.width)
    assert found.taken == 1 + len(letters) + lines + len(signed.checksum)


def test_what_the_signatures_do_not_cover_is_listed_by_its_place_in_the_text() -> None:
    shipped = TWO.whole()
    found = grafted(shipped, pinned(ADA, BOB), DSC)
    assert isinstance(found, Graft)
    letters = base64.b64encode(TWO.data)
    begin = shipped.index(letters[:64])
    listed = []
    for one in found.carried:
        text = shipped[one.offset :][: one.length]
        line, column = divmod(one.offset - begin, 65)
        assert letters[64 * line + column :].startswith(text.replace(b"\n", b""))
        listed.append(base64.b64decode(text))
    loose = [len(key.key_id) + 2 for key in (ADA, BOB)]
    assert [ADA.key_id in listed[1], BOB.key_id in listed[3]] == [True, True]
    assert len(listed[1]) <= loose[0] + 4
    assert len(listed[3]) <= loose[1] + 4


def test_what_is_listed_is_found_in_short_lines_too() -> None:
    shipped = GOOD.but(width=8).whole()
    found = grafted(shipped, BY_ADA, DSC)
    assert isinstance(found, Graft)
    texts = [shipped[one.offset :][: one.length].replace(b"\n", b"") for one in found.carried]
    assert ADA.key_id in base64.b64decode(texts[-1], validate=True)


def test_a_text_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = GOOD.whole()
    monkeypatch.setattr(clearsigned, "_MAX_TEXT", len(shipped))
    assert isinstance(grafted(shipped, BY_ADA, DSC), Graft)
    monkeypatch.setattr(clearsigned, "_MAX_TEXT", len(shipped) - 1)
    found = grafted(shipped, BY_ADA, DSC)
    assert isinstance(found, Refused)
    assert found.fault == "signature-unreadable"


@settings(max_examples=25)
@given(st.lists(st.sampled_from([b"", b"-", b"- ", b"--", b"From a", b"a ", b"\t", b"a\r", b"x"])))
def test_any_text_clear_signed_comes_back(lines: list[bytes]) -> None:
    ours = b"".join(line + b"\n" for line in lines)
    found = grafted(ClearSigned(text=ours or b"\n").whole(), BY_ADA, ours)
    assert isinstance(found, Graft), found


def test_every_altered_byte_but_those_that_are_listed_is_refused() -> None:
    shipped = GOOD.whole()
    good = grafted(shipped, BY_ADA, DSC)
    assert isinstance(good, Graft)
    listed = {at for one in good.carried for at in range(one.offset, one.offset + one.length)}
    for at in sorted(set(range(len(shipped))) - listed):
        made = bytearray(shipped)
        made[at] ^= 0x01
        assert not isinstance(grafted(bytes(made), BY_ADA, DSC), Graft), at


def test_keys_that_a_text_does_not_bring_are_asked_for() -> None:
    by_id = Signature(by=ADA, kind=1, issuer=b"").packet(canonical(DSC))
    for shipped, fault, named in (
        (GOOD.whole(), "unexpected-signer", ADA.fingerprint),
        (GOOD.but(packets=by_id).whole(), "unexpected-signer", f"key {ADA.fingerprint[-16:]};"),
        (DSC, "signature-unreadable", "not clear-signed"),
        (GOOD.but(packets=b"x").whole(), "signature-unreadable", "cannot be read"),
        (GOOD.but(after=b"x").whole(), "text-outside-frame", "after the frame"),
    ):
        with pytest.raises(BadSignatureError) as raised:
            pins(io.BytesIO(shipped))
        assert raised.value.refused.fault == fault
        assert named in raised.value.refused.detail
