"""A signature makes no rebuilt file out of one that an input holds without it."""

from __future__ import annotations

import base64
import io

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.signature import PinnedSignature
from pipelines.judge.compare import Declared, Facts, compare
from pipelines.judge.copied import contents
from pipelines.judge.finding import FileFact, Finding
from pipelines.judge.grafting import with_grafts
from tests.fakes.jail import OpenJail
from tests.judge.encodings import source
from tests.judge.signatures.pe_tricks import ADA, EVE, OURS
from tests.judge.signatures.signing import Signing, Vendor, signed
from tests.judge.test_encoded_copies import checked, sought

NAME = "engine.dll"


def judged(archive: bytes, by: Vendor = ADA) -> Finding:
    """Judge a signed file that was rebuilt, with `archive` as the source."""
    shipped, jail, file = signed(OURS, Signing(by=by)), OpenJail(), checked(archive)
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(Declared(name=NAME, published=Digest.of(shipped)),),
        rebuilt=(
            Output(name=NAME, size=len(OURS), sha256=Digest.of(OURS), part=OutputKind.ARTEFACT),
        ),
        served={NAME: FileFact(sha256=Digest.of(shipped), size=len(shipped))},
        input_fault=None,
    )
    pinned = PinnedSignature.model_validate({"format": "pe", "signers": [str(ADA.pin)]})
    files = [sought(shipped), sought(OURS)]
    (finding,) = compare(
        with_grafts(
            facts,
            {NAME: pinned},
            jail,
            shipped=lambda *_: io.BytesIO(shipped),
            rebuilt=lambda *_: io.BytesIO(OURS),
            scanned=[(file, contents(file, jail, sought=files))],
        )
    )
    return finding


@pytest.mark.parametrize("held", [OURS, base64.encodebytes(OURS)])
def test_an_unsigned_copy_among_the_inputs_is_no_rebuild(held: bytes) -> None:
    finding = judged(source(held))
    assert finding.verdict is Verdict.NOT_CHECKED
    assert finding.reason.startswith(f"copied-input: {NAME} is already in the source")


def test_without_a_copy_it_is_the_vendors_signature_on_our_bytes() -> None:
    assert judged(source(b"int main;\n")).verdict is Verdict.IDENTICAL_SIGNED


def test_a_copy_turns_no_difference_into_no_verdict() -> None:
    assert judged(source(OURS), by=EVE).verdict is Verdict.DIFFERENT
