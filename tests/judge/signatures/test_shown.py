"""What is in the signatures of a file, and what a recipe would pin for it."""

from __future__ import annotations

import io

import pytest

from builders.recipe.signature import SignedFormat
from pipelines.judge.signatures.shown import SHOW, FormatChoice, ShownSignature
from pipelines.judge.signatures.signature_format import Refused, VerifiedSignatures
from tests.fakes.jail import OpenJail
from tests.judge.signatures import cdiff_tricks, pe_tricks
from tests.judge.signatures.signing import Signing, signed

SIGNED = signed(pe_tricks.OURS, Signing(by=pe_tricks.ADA))


def shown(file: bytes, form: SignedFormat | None = None) -> ShownSignature | Refused:
    return OpenJail().run(SHOW, [io.BytesIO(file)], FormatChoice(format=form))


@pytest.mark.parametrize("form", [None, SignedFormat.PE])
def test_what_verifies_is_shown_with_its_signers(form: SignedFormat | None) -> None:
    found = shown(SIGNED, form)
    assert isinstance(found, ShownSignature)
    assert found.found.pinned == pe_tricks.BY_ADA
    assert isinstance(found.verified, VerifiedSignatures)
    assert [one.certificate for one in found.verified.signers] == [pe_tricks.ADA.pin]


def test_what_does_not_verify_is_shown_with_its_fault() -> None:
    found = shown(SIGNED.replace(b"echo", b"evil"))
    assert isinstance(found, ShownSignature)
    assert found.found.pinned == pe_tricks.BY_ADA
    assert isinstance(found.verified, Refused)
    assert found.verified.fault == "signed-other-bytes"


@pytest.mark.parametrize(
    ("file", "form", "fault", "says"),
    [
        (b"text", None, "signature-unreadable", "a file of no known signed format"),
        (b"text", SignedFormat.PE, "signature-unreadable", "the shipped file is no PE file"),
        (pe_tricks.OURS, None, "signature-missing", "has no certificate table"),
        (SIGNED, SignedFormat.RPM, "signature-unreadable", "package"),
        (cdiff_tricks.SHIPPED, None, "unexpected-signer", "signed by a key of ClamAV"),
    ],
    ids=["text", "text as PE", "not signed", "another format", "without its key"],
)
def test_what_cannot_be_pinned_is_told_by_the_format_that_knows_the_file(
    file: bytes, form: SignedFormat | None, fault: str, says: str
) -> None:
    found = shown(file, form)
    assert isinstance(found, Refused)
    assert found.fault == fault
    assert says in found.detail
