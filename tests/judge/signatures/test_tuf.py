"""Metadata of The Update Framework: ours with the vendor's signatures, and what must not pass."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.exceptions import FormatError, UnverifiedSignatureError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata
from tuf.api.serialization.json import JSONSerializer

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures import tuf_metadata
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft, Refused
from pipelines.judge.signatures.tuf import pins, verify
from pipelines.judge.signatures.tuf_metadata import canonical
from tests.judge.signatures.planted import Planted, grafted
from tests.judge.signatures.tuf_tricks import TRICKS
from tests.judge.updates.tuf_repository import (
    EVE,
    RELEASES,
    SNAPSHOT,
    TARGETS,
    TufRelease,
    pinned,
    written,
)

THIRD = RELEASES[2]
OURS, SHIPPED = written(THIRD.targets), written(THIRD.targets, TARGETS)
PINS = pinned(TARGETS)


def test_our_metadata_with_the_vendors_signature_is_the_shipped_one() -> None:
    for ours in (OURS, written(THIRD.targets, EVE)):
        found = grafted(SHIPPED, PINS, ours)
        assert isinstance(found, Graft), found
        assert (found.sha256, found.carried) == (Digest.of(SHIPPED), ())
        assert [one.certificate for one in found.signers] == [TARGETS.pin]


def test_metadata_that_two_keys_have_signed_needs_both() -> None:
    both = written(THIRD.targets, TARGETS, SNAPSHOT)
    assert isinstance(grafted(both, pinned(TARGETS, SNAPSHOT), OURS), Graft)


def test_signatures_may_come_last() -> None:
    def last(data: bytes) -> bytes:
        made = json.loads(data)
        order = {name: made[name] for name in ("signed", "signatures")}
        return json.dumps(order).encode()

    assert isinstance(grafted(last(SHIPPED), PINS, last(OURS)), Graft)


@settings(max_examples=10, deadline=None)
@given(st.dictionaries(st.text("ab/", min_size=1), st.binary(max_size=9)), st.integers(1, 9**9))
def test_any_metadata_signed_comes_back(files: dict[str, bytes], version: int) -> None:
    targets = TufRelease(version=version, files=files).targets
    assert isinstance(grafted(written(targets, TARGETS), PINS, written(targets)), Graft)


def test_keys_that_metadata_does_not_bring_are_named() -> None:
    for last in (False, True):
        for data, fault in ((SHIPPED, "unexpected-signer"), (OURS, "signature-missing")):
            made = json.loads(data)
            text = json.dumps(dict(reversed(made.items()))).encode() if last else data
            with pytest.raises(BadSignatureError) as raised:
                pins(io.BytesIO(text))
            assert raised.value.refused.fault == fault
            assert (TARGETS.signer.public_key.keyid in raised.value.refused.detail) is (
                data == SHIPPED
            )


def test_names_of_keys_in_what_is_signed_are_no_signatures() -> None:
    named = {**json.loads(SHIPPED)["signed"], "more": [{"keyid": "5678"}]}
    for signatures, said in (([], False), ([{"keyid": "1234", "sig": ""}], True)):
        text = json.dumps({"signatures": signatures, "signed": named}).rjust(2000)
        with pytest.raises(BadSignatureError) as raised:
            pins(io.BytesIO(text.encode()))
        assert ("1234" in raised.value.refused.detail) is said
        assert "5678" not in raised.value.refused.detail


def test_metadata_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, read in ((len(SHIPPED), True), (len(SHIPPED) - 1, False)):
        monkeypatch.setattr(tuf_metadata, "MAX_TUF", most)
        assert isinstance(grafted(SHIPPED, PINS, OURS), Graft) is read


def test_what_is_verified_is_a_list_of_signatures_and_nothing_else() -> None:
    crowded = SHIPPED.replace(b'"sig":', b'"payload": "x", "sig":')
    for data, fault in ((crowded, "signature-unreadable"), (OURS, "signature-missing")):
        with pytest.raises(BadSignatureError) as raised:
            verify(io.BytesIO(data), PINS)
        assert raised.value.refused.fault == fault


TEXTS = st.text(max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


@settings(max_examples=30, deadline=None)
@given(JSON)
def test_what_is_signed_is_encoded_as_another_library_does(value: Any) -> None:
    try:
        theirs = encode_canonical(value)
    except FormatError:
        return
    assert canonical(value) == theirs


def theirs_verifies(planted: Planted) -> bool:
    """Say whether python-tuf takes metadata all of whose pinned keys have signed."""
    try:
        found: Metadata[Any] = Metadata.from_bytes(planted.shipped())
        for der in planted.pins.pem_keys():
            key = SSlibKey.from_crypto(load_der_public_key(der))
            key.verify_signature(found.signatures[key.keyid], found.signed_bytes)
    except (
        RepositoryError, UnsupportedAlgorithm, UnverifiedSignatureError,
        ValueError, KeyError, RecursionError,
    ):  # fmt: skip
        return False
    return True


def test_what_we_take_python_tuf_takes_too() -> None:
    good = Planted(fault="", shipped=lambda: SHIPPED, pins=PINS, ours=OURS)
    theirs = {name for name, one in {"": good, **TRICKS}.items() if theirs_verifies(one)}
    ours = {
        name
        for name, one in {"": good, **TRICKS}.items()
        if isinstance(grafted(one.shipped(), one.pins, one.ours), Graft)
    }
    assert ours == {""}
    assert ours < theirs, "or it does not read these files"


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_keys_of_other_kinds_sign_as_python_tuf_does(kind: str) -> None:
    key = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    signer = CryptoSigner(key)
    public = key.public_key()
    form = PublicFormat.SubjectPublicKeyInfo
    pins_ = PinnedSignature(
        format=SignedFormat.TUF,
        signers=(Digest.of(public.public_bytes(Encoding.DER, form)),),
        public_keys=(public.public_bytes(Encoding.PEM, form).decode(),),
    )
    made: Metadata[Any] = Metadata(THIRD.targets)
    made.sign(signer)
    shipped = made.to_bytes(JSONSerializer())
    found = grafted(shipped, pins_, OURS)
    assert isinstance(found, Graft), found
    assert found.signers[0].subject.endswith(signer.public_key.keyid)
    ours, theirs = (one.replace(b"10%", b"99%") for one in (OURS, shipped))
    other = grafted(theirs, pins_, ours)
    assert isinstance(other, Refused)
    assert other.fault == "signature-invalid"
