"""A signed and compressed kernel module, from its recipe to a bundle that a stranger checks."""

from __future__ import annotations

import base64
import io
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Role, Verdict
from builders.images.provide import ProvidedImage
from builders.rebuild.rebuild_result import Output, OutputKind
from pipelines.center.file import local_policy_file
from pipelines.judge.compare import Facts
from pipelines.judge.copied import CheckedInput, contents
from pipelines.judge.finding import FileFact
from pipelines.judge.grafting import with_grafts
from pipelines.judge.signatures.signature_format import Graft
from pipelines.verify.session import Session
from tests.command import samebits
from tests.fakes.jail import OpenJail
from tests.judge.signatures.module_tricks import ADA, BY_ADA, OURS
from tests.judge.signatures.modules import packed, signed
from tests.lab import verified, write_recipe

NAME = "out.bin"
_SIGNED = signed(OURS, ADA)
STEP = f"echo {base64.b64encode(packed(OURS)).decode()} | base64 -d > /out/{NAME}"


def recipe_of(folder: Path, shipped: bytes, **fields: Any) -> Path:
    artefact: dict[str, Any] = {
        "name": NAME,
        "shipped": {"locator": f"file:{NAME}", "sha256": str(Digest.of(shipped))},
        "signature": {
            name: value for name, value in BY_ADA.model_dump(mode="json").items() if value
        },
    }
    return write_recipe(
        folder, [["sh", "-c", STEP]], shipped=shipped, artefacts=[artefact], **fields
    )


def test_a_signature_below_a_compression_is_grafted_signed_for_and_checked(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    shipped = packed(signed(OURS, ADA))
    folder, home = tmp_path / "signed", session.center.home
    report = verified(session, recipe_of(folder, shipped))
    (finding,) = report.artefacts
    assert finding.verdict is Verdict.IDENTICAL_SIGNED, finding.reason
    assert isinstance(finding.signature, Graft)
    shown = samebits("evidence", "show", report.release, home=home).out
    assert "compressed again: xz preset 6 check crc32 dictionary 1048576 threads" in shown, shown
    assert "carries 0 bytes that no signature covers" in shown, shown

    out, policy = tmp_path / "signed.bundle.tar", local_policy_file(home)
    made = samebits("evidence", "export", report.release, "--out", out, home=home)
    assert made.code == 0, made.err
    words = ("evidence", "check", out, "--policy", policy, "--file", folder / NAME)
    assert samebits(*words, home=home).code == 0


@pytest.mark.parametrize("held", [OURS, _SIGNED], ids=["unsigned", "signed"])
def test_an_input_that_holds_the_module_uncompressed_proves_nothing(held: bytes) -> None:
    """The build could have compressed it."""
    shipped, ours = packed(_SIGNED), packed(OURS)
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=(),
        rebuilt=(
            Output(name=NAME, sha256=Digest.of(ours), size=len(ours), part=OutputKind.ARTEFACT),
        ),
        served={NAME: FileFact(sha256=Digest.of(shipped), size=len(shipped))},
        input_fault=None,
    )
    held_input = CheckedInput(
        role=Role.DEPENDENCY,
        name="data.ko",
        digest=Digest.of(held),
        open=lambda: nullcontext(io.BytesIO(held)),
    )
    scanned = [(held_input, contents(held_input, OpenJail()))]
    found = with_grafts(
        facts,
        {NAME: BY_ADA},
        OpenJail(),
        shipped=lambda *_: nullcontext(io.BytesIO(shipped)),
        rebuilt=lambda *_: nullcontext(io.BytesIO(ours)),
        scanned=scanned,
    )
    assert found.input_fault == f"copied-input: {NAME} is already in the dependency data.ko"


def _output(data: bytes) -> Output:
    return Output(name=NAME, sha256=Digest.of(data), size=len(data), part=OutputKind.ARTEFACT)
