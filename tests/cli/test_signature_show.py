"""`samebits signature show` prints a section that the reader of recipes takes."""

from __future__ import annotations

from pathlib import Path

import yaml

from builders.recipe.signature import PinnedSignature
from tests.command import samebits
from tests.judge.signatures.pe_tricks import ADA, BOB, CLOCK, OURS, ROOT
from tests.judge.signatures.signing import Signing, Vendor, signed

HOSTILE = Vendor.named("eve\n  format: rpm\x1b[2J")


def test_what_is_printed_is_what_a_recipe_pins(tmp_path: Path) -> None:
    file = tmp_path / "engine.dll"
    first = Signing(by=ADA, certificates=(ROOT.der,), stamped_by=CLOCK)
    file.write_bytes(signed(OURS, first, Signing(by=BOB)))
    shown = samebits("signature", "show", file, home=tmp_path)
    assert shown.code == 0, shown.err
    section = PinnedSignature.model_validate(yaml.safe_load(shown.out)["signature"])
    assert section == PinnedSignature.model_validate(
        {
            "format": "pe",
            "signers": [ADA.pin, BOB.pin],
            "certificates": [ROOT.pin],
            "time_stamps": [CLOCK.pin],
        }
    )
    assert "# signed by CN=ada, stamped on 2020-06-01" in shown.out
    assert f"    # CN=root, valid until 2999-01-01\n    - {ROOT.pin}\n" in shown.out

    asked = samebits("signature", "show", "--json", "--format", "pe", file, home=tmp_path)
    assert (asked.code, asked.document()["fault"]) == (0, None)
    assert asked.document()["signature"]["signers"] == [str(ADA.pin), str(BOB.pin)]


def test_a_signature_that_does_not_verify_is_shown_and_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "engine.dll"
    file.write_bytes(signed(OURS, Signing(by=HOSTILE)).replace(b"echo", b"evil"))
    shown = samebits("signature", "show", file, home=tmp_path)
    assert shown.code == 1
    assert shown.out.startswith("# signed-other-bytes: ")
    assert "\x1b" not in shown.out
    assert yaml.safe_load(shown.out)["signature"] == {
        "format": "pe",
        "signers": [str(HOSTILE.pin)],
    }


def test_a_file_without_a_signature_has_nothing_to_pin(tmp_path: Path) -> None:
    file = tmp_path / "engine.dll"
    file.write_bytes(OURS)
    shown = samebits("signature", "show", file, home=tmp_path)
    assert (shown.code, shown.out) == (2, "")
    assert "signature-missing, the shipped file has no certificate table" in shown.err
    unknown = samebits("signature", "show", "--format", "cap", file, home=tmp_path)
    assert unknown.code == 64
    assert "Did you mean 'cab'?" in unknown.err
