"""A signed release from its recipe to a bundle that a stranger checks."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.images.provide import ProvidedImage
from pipelines.center.file import local_policy_file
from pipelines.judge.signatures.signature_format import Graft, Refused
from pipelines.verify.session import Session
from tests.command import samebits
from tests.judge.signatures.pe_tricks import ADA, EVE, OURS
from tests.judge.signatures.signing import Signing, signed
from tests.lab import SOURCE, verified, write_recipe

NAME = "out.bin"
STEP = f"echo {base64.b64encode(OURS).decode()} | base64 -d > /out/{NAME}"


def recipe(folder: Path, shipped: bytes, signer: Digest, **fields: Any) -> Path:
    artefact: dict[str, Any] = {
        "name": NAME,
        "shipped": {"locator": f"file:{NAME}", "sha256": str(Digest.of(shipped))},
        "signature": {"format": "pe", "signers": [str(signer)]},
    }
    return write_recipe(
        folder, [["sh", "-c", STEP]], shipped=shipped, artefacts=[artefact], **fields
    )


def test_the_vendors_signature_on_our_bytes_is_the_shipped_file(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    shipped = signed(OURS, Signing(by=ADA))
    folder, home = tmp_path / "signed", session.center.home
    report = verified(session, recipe(folder, shipped, ADA.pin))
    (finding,) = report.artefacts
    assert finding.verdict is Verdict.IDENTICAL_SIGNED, finding.reason
    assert isinstance(finding.signature, Graft)
    assert finding.rebuilt is not None
    assert finding.rebuilt.sha256 == Digest.of(OURS)

    shown = samebits("evidence", "show", report.release, home=home).out
    assert "signed by CN=ada, certificate sha256 " in shown, shown
    assert " bytes that no signature covers: certificate-header 8, " in shown, shown

    out, policy = tmp_path / "signed.bundle.tar", local_policy_file(home)
    made = samebits("evidence", "export", report.release, "--out", out, home=home)
    assert made.code == 0, made.err
    words = ("evidence", "check", out, "--policy", policy, "--file", folder / NAME)
    checked = samebits(*words, home=home)
    assert checked.code == 0, checked.out
    known = samebits("check", folder / NAME, home=home)
    assert (known.code, "IDENTICAL_SIGNED" in known.out) == (0, True), known.out


def test_another_signer_is_a_difference_with_a_name(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    report = verified(session, recipe(tmp_path / "forged", signed(OURS, Signing(by=EVE)), ADA.pin))
    (finding,) = report.artefacts
    assert finding.verdict is Verdict.DIFFERENT
    assert isinstance(finding.signature, Refused)
    assert finding.signature.fault == "unexpected-signer"
    assert str(EVE.pin) in finding.reason


def test_an_input_that_holds_the_unsigned_file_proves_nothing(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    folder, held = tmp_path / "held", b"data: " + zlib.compress(OURS)
    inputs = [
        {"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))},
        {"role": "dependency", "locator": "file:data.bin", "sha256": str(Digest.of(held))},
    ]
    path = recipe(folder, signed(OURS, Signing(by=ADA)), ADA.pin, inputs=inputs)
    (folder / "data.bin").write_bytes(held)
    (finding,) = verified(session, path).artefacts
    assert finding.verdict is Verdict.NOT_CHECKED
    assert finding.reason.startswith(f"copied-input: {NAME} is already in the dependency data.bin")
