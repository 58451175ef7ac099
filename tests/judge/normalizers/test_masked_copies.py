"""A mask makes no rebuilt file out of one that an input holds without it."""

from __future__ import annotations

import io
import zlib

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.jail.errors import JailUnavailableError
from builders.rebuild.rebuild_result import Output, OutputKind
from pipelines.judge.compare import Declared, Facts, compare
from pipelines.judge.copied import contents
from pipelines.judge.finding import FileFact, Finding
from pipelines.judge.masking import with_masks
from tests.fakes.jail import OpenJail
from tests.judge.encodings import source
from tests.judge.normalizers.made_files import PAIRS, edited
from tests.judge.normalizers.trick import declared
from tests.judge.test_encoded_copies import checked, sought

NAME, PAIR = "engine.a", PAIRS["ar times"]
THEIRS, OURS = PAIR.make(PAIR.shipped), PAIR.make(PAIR.rebuilt)


def judged(archive: bytes, jail: OpenJail | None = None, ours: bytes = OURS) -> Finding:
    """Judge a file of which times may be masked, with `archive` as the source."""
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(Declared(name=NAME, published=Digest.of(THEIRS)),),
        rebuilt=(
            Output(name=NAME, size=len(ours), sha256=Digest.of(ours), part=OutputKind.ARTEFACT),
        ),
        served={NAME: FileFact(sha256=Digest.of(THEIRS), size=len(THEIRS))},
        input_fault=None,
    )
    file, files = checked(archive), [sought(THEIRS), sought(ours)]
    (finding,) = compare(
        with_masks(
            facts,
            {NAME: declared(PAIR.normalizer)},
            {},
            jail or OpenJail(),
            shipped=lambda *_: io.BytesIO(THEIRS),
            rebuilt=lambda *_: io.BytesIO(ours),
            scanned=[(file, contents(file, OpenJail(), sought=files))],
        )
    )
    return finding


def test_what_no_input_holds_is_equivalent() -> None:
    finding = judged(source(b"int main;"))
    assert finding.verdict is Verdict.EQUIVALENT
    assert finding.reason == (
        f"same SHA-256 once 24 of {len(THEIRS)} bytes are masked: ar-times 24"
    )


@pytest.mark.parametrize("held", [OURS, b"data: " + zlib.compress(OURS)])
def test_a_copy_among_the_inputs_is_no_rebuild(held: bytes) -> None:
    finding = judged(source(held))
    assert finding.verdict is Verdict.NOT_CHECKED
    assert finding.reason.startswith(f"copied-input: {NAME} is already in the source")
    assert finding.ledger is None


def test_without_a_jail_there_is_no_verdict() -> None:
    jail = OpenJail(JailUnavailableError("no jail", got="this machine"))
    finding = judged(source(b"int main;"), jail)
    assert finding.verdict is Verdict.NOT_CHECKED
    assert finding.reason.startswith("fields-not-read: no jail")


def test_a_copy_of_what_is_not_equivalent_is_no_fault_of_an_input() -> None:
    ours = edited(OURS, 100, b"other")
    assert judged(source(ours), ours=ours).verdict is Verdict.DIFFERENT
