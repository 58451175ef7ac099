"""MSI packages get no signature: each is refused by a name."""

from __future__ import annotations

import io

import pytest

from builders.core.digest import CHUNK, Digest
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.graft_readers import FORMATS
from pipelines.judge.signatures.signature_format import BadSignatureError, Refused
from tests.judge.signatures.test_pe import grafted

MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
NAME = "\x05DigitalSignature".encode("utf-16-le")
PINS = PinnedSignature(format=SignedFormat.MSI, signers=(Digest.of(b""),))
OURS = MAGIC + bytes(504)
SIGNED = OURS + NAME + bytes(94)


@pytest.mark.parametrize(
    ("shipped", "ours", "fault"),
    [
        (SIGNED, OURS, "layout"),
        (SIGNED, SIGNED, "layout"),
        (OURS + bytes(CHUNK - 512 - 9) + NAME, OURS, "layout"),
        (OURS, OURS, "signature-missing"),
        (b"PK\3\4" + SIGNED, OURS, "signature-unreadable"),
        (SIGNED, b"PK\3\4", "signature-unreadable"),
        (b"", b"", "signature-unreadable"),
    ],
)
def test_a_package_is_refused_whatever_it_is(shipped: bytes, ours: bytes, fault: str) -> None:
    found = grafted(shipped, PINS, ours)
    assert isinstance(found, Refused)
    assert found.fault == fault


def test_it_has_no_signature_that_could_be_verified_or_shown() -> None:
    form = FORMATS[SignedFormat.MSI]
    for read in (lambda f: form.verify(f, PINS), lambda f: form.plan(f, f), form.pins):
        file = io.BytesIO(SIGNED)
        file.seek(1)
        with pytest.raises(BadSignatureError, match="cannot be reproduced"):
            read(file)
