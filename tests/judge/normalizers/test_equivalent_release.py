"""A release with masked fields, from its recipe to a bundle that a stranger checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.images.provide import ProvidedImage
from pipelines.center.file import local_policy_file
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked
from pipelines.verify.session import Session
from tests.command import samebits
from tests.lab import verified, write_recipe

NAME, SIZE, TIME = "data.a", 40_000, 1_700_000_000
STEP = (
    f"cd /tmp && head -c {SIZE} /dev/zero > data.bin && chmod 644 data.bin && "
    f"ar rcSU /out/{NAME} data.bin"
)
REASON = "the vendor's ar writes the time of its machine"


def archive(mode: int = 0o100644) -> bytes:
    """Return what ar of the vendor makes."""
    head = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"data.bin/", TIME, 4321, 4321, mode, SIZE)
    return b"!<arch>\n" + head + bytes(SIZE)


def recipe(folder: Path, shipped: bytes, *names: str) -> Path:
    artefact: dict[str, Any] = {
        "name": NAME,
        "shipped": {"locator": f"file:{NAME}", "sha256": str(Digest.of(shipped))},
        "normalizers": [{"name": name, "reason": REASON} for name in names],
    }
    return write_recipe(
        folder, [["sh", "-c", STEP]], shipped=shipped, name=NAME, artefacts=[artefact]
    )


def test_what_is_masked_is_listed_signed_and_no_match(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    folder, home = tmp_path / "masked", session.center.home
    report = verified(session, recipe(folder, archive(), "ar-times", "ar-owners"))
    (finding,) = report.artefacts
    assert finding.verdict is Verdict.EQUIVALENT, finding.reason
    assert isinstance(finding.ledger, MaskLedger)
    assert finding.ledger.sha256 == Digest.of(archive())
    assert {line.field for line in finding.ledger.lines} >= {"modification-time"}

    shown = samebits("evidence", "show", report.release, home=home).out
    assert f"ar-times masks 12 bytes: {REASON}" in shown, shown
    assert "modification-time of data.bin, 12 bytes at 24" in shown, shown

    out, policy = tmp_path / "masked.bundle.tar", local_policy_file(home)
    made = samebits("evidence", "export", report.release, "--out", out, home=home)
    assert made.code == 0, made.err
    words = ("evidence", "check", out, "--policy", policy, "--file", folder / NAME)
    checked = samebits(*words, home=home)
    assert (checked.code, "EQUIVALENT" in checked.out) == (1, True), checked.out
    joined = samebits("consensus", report.release, home=home)
    assert joined.code != 0, joined.out
    assert "CONFIRMED" not in joined.out, joined.out


def test_what_no_normalizer_may_mask_is_different(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    path = recipe(tmp_path / "mode", archive(0o104755), "ar-times", "ar-owners")
    (finding,) = verified(session, path).artefacts
    assert finding.verdict is Verdict.DIFFERENT
    assert isinstance(finding.ledger, NotMasked)
    assert finding.reason.startswith("mode: byte ")
