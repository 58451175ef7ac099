"""Metadata of The Update Framework: ours with the vendor's signatures, and what must not pass."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.core.digest import Digest
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft
from pipelines.judge.signatures.tuf import pins, verify
from tests.judge.signatures.planted import grafted
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


def test_what_is_verified_is_a_list_of_signatures_and_nothing_else() -> None:
    crowded = SHIPPED.replace(b'"sig":', b'"payload": "x", "sig":')
    for data, fault in ((crowded, "signature-unreadable"), (OURS, "signature-missing")):
        with pytest.raises(BadSignatureError) as raised:
            verify(io.BytesIO(data), PINS)
        assert raised.value.refused.fault == fault
