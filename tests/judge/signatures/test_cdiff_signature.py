"""Signed deltas of ClamAV databases: ours with the vendor's signature is the shipped file."""

from __future__ import annotations

import io

import pytest

from builders.core.digest import Digest
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft
from pipelines.judge.signatures.signed_cdiff import pins
from tests.judge.signatures.cdiff_tricks import OURS, SHIPPED, pinned
from tests.judge.signatures.databases import STRONG
from tests.judge.signatures.planted import grafted


def test_our_delta_with_the_vendors_signature_is_the_shipped_one() -> None:
    found = grafted(SHIPPED, pinned(STRONG), OURS)
    assert isinstance(found, Graft), found
    assert (found.sha256, found.size) == (Digest.of(SHIPPED), len(SHIPPED))
    assert [one.certificate for one in found.signers] == [STRONG.pin]
    assert found.carried == ()


def test_every_altered_byte_of_a_signed_delta_is_refused() -> None:
    for at in range(0, len(SHIPPED), 7):
        made = bytearray(SHIPPED)
        made[at] ^= 0x01
        assert not isinstance(grafted(bytes(made), pinned(STRONG), OURS), Graft), at


def test_the_key_that_a_delta_does_not_bring_is_asked_for() -> None:
    for shipped, fault in ((SHIPPED, "unexpected-signer"), (OURS, "signature-missing")):
        with pytest.raises(BadSignatureError) as raised:
            pins(io.BytesIO(shipped))
        assert raised.value.refused.fault == fault
