"""A PE file whose signature is pinned, and whose time stamp is masked besides."""

from __future__ import annotations

import io

import pytest
from pydantic import ValidationError

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.artefact import Artefact
from builders.recipe.normalizers import NormalizerName
from pipelines.judge.compare import Declared, Facts, compare
from pipelines.judge.finding import FileFact, Finding
from pipelines.judge.grafting import Opener, with_grafts
from pipelines.judge.masking import with_masks
from pipelines.judge.normalizers.ledger import MaskLedger
from pipelines.judge.signatures.signature_format import Graft, Refused
from tests.fakes.jail import OpenJail
from tests.judge.normalizers.made_files import FILLER, edited, pe
from tests.judge.normalizers.program_tricks import PE_TEXT
from tests.judge.normalizers.trick import declared
from tests.judge.signatures.pe_tricks import ADA, EVE, pinned
from tests.judge.signatures.signing import Signing, signed

NAME = "engine.dll"
THEIRS, OURS = pe(1_700_000_000), pe(1)


def judged(shipped: bytes, rebuilt: bytes = OURS) -> Finding:
    """Judge a rebuilt file against one that Ada should have signed."""
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(Declared(name=NAME, published=Digest.of(shipped)),),
        rebuilt=(
            Output(
                name=NAME, size=len(rebuilt), sha256=Digest.of(rebuilt), part=OutputKind.ARTEFACT
            ),
        ),
        served={NAME: FileFact(sha256=Digest.of(shipped), size=len(shipped))},
        input_fault=None,
    )
    pins, jail = {NAME: pinned(ADA)}, OpenJail()

    def files(data: bytes) -> Opener:
        return lambda *_: io.BytesIO(data)

    theirs, ours = files(shipped), files(rebuilt)
    facts = with_grafts(facts, pins, jail, shipped=theirs, rebuilt=ours, scanned=[])
    allowed = {NAME: declared(NormalizerName.PE_TIME_STAMP)}
    facts = with_masks(facts, allowed, pins, jail, shipped=theirs, rebuilt=ours, scanned=[])
    (finding,) = compare(facts)
    return finding


def test_what_the_signature_covers_is_said_of_each_field() -> None:
    shipped = signed(THEIRS, Signing(by=ADA))
    finding = judged(shipped)
    assert finding.verdict is Verdict.EQUIVALENT, finding.reason
    assert isinstance(finding.ledger, MaskLedger)
    assert isinstance(finding.signature, Graft)
    assert finding.signature.sha256 != finding.ledger.sha256 == Digest.of(shipped)
    assert [(line.field, line.signed) for line in finding.ledger.lines] == [
        ("time-stamp", True),
        ("checksum", False),
    ]
    again = Finding.model_validate_json(finding.model_dump_json())
    assert again == finding
    with pytest.raises(ValidationError, match="contradicted"):
        Finding.model_validate({**dict(finding), "verdict": Verdict.IDENTICAL_SIGNED})


@pytest.mark.parametrize(
    ("shipped", "rebuilt", "fault", "masked"),
    [
        (signed(THEIRS, Signing(by=EVE)), OURS, "unexpected-signer", "signature"),
        (
            edited(signed(THEIRS, Signing(by=ADA)), PE_TEXT, b"evil"),
            OURS,
            "signed-other-bytes",
            "signature",
        ),
        (
            signed(THEIRS, Signing(by=ADA)),
            edited(OURS, PE_TEXT, b"evil"),
            "bytes-differ",
            "content",
        ),
        (THEIRS, OURS, "signature-missing", None),
        (signed(pe(7, text=FILLER + b"x"), Signing(by=ADA)), OURS, "layout", None),
    ],
)
def test_what_is_wrong_with_the_signature_is_not_masked(
    shipped: bytes, rebuilt: bytes, fault: str, masked: str | None
) -> None:
    finding = judged(shipped, rebuilt)
    assert finding.verdict is Verdict.DIFFERENT
    assert isinstance(finding.signature, Refused)
    assert finding.signature.fault == fault, finding
    assert not isinstance(finding.ledger, MaskLedger)
    assert (finding.ledger.fault if finding.ledger else None) == masked


def test_the_same_stamp_needs_no_mask() -> None:
    finding = judged(signed(OURS, Signing(by=ADA)))
    assert (finding.verdict, finding.ledger) == (Verdict.IDENTICAL_SIGNED, None)


def test_of_other_formats_a_signature_and_normalizers_exclude_each_other() -> None:
    declaring = {
        "name": "a.apk",
        "signature": {"format": "apk", "signers": [str(ADA.pin)]},
        "normalizers": [{"name": "zip-times", "reason": "its clock"}],
    }
    with pytest.raises(ValidationError, match="or with one of format pe"):
        Artefact.model_validate(declaring)
