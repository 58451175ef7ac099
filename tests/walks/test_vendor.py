"""A vendor's release engineer ships a closed product that others can rebuild.

Nobody has written down how the build machine is set up. All that the engineer has is the source,
the build script, and the file that the machine made.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from junitparser import Failure, JUnitXml
from sarif_kit.validate import validation_errors

from builders.core.digest import digest_file
from builders.images.provide import ProvidedImage
from tests.command import Ended, samebits
from tests.infer.ownproduct import RELEASE, SHIPPED, SOURCE, VENDOR_MACHINE, Product

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]


class Engineer:
    """Types commands in a home of their own, and keeps the recipe under `recipes`."""

    def __init__(self, folder: Path) -> None:
        self.home, self.recipes = folder / "home", folder / "recipes/releases/acme/engine"
        self.recipe = self.recipes / "4.2.yaml"
        self.product = Product(folder / "work", self.home)
        self.dist = self.product.dist

    def types(self, *words: str | Path, code: int = 0) -> Ended:
        ended = samebits(*words, home=self.home)
        assert ended.code == code, f"{words}\n{ended.out}\n{ended.err}"
        assert "Traceback" not in ended.err
        return ended

    def gate(self, form: str, *, code: int) -> str:
        """Run the gate of the release pipeline on what lies in `dist`."""
        words = ("verify", "--candidate", self.dist, "--format", form, self.recipe)
        return self.types(*words, code=code).out

    def stored(self) -> list[Path]:
        """Return what a store has beside the inputs: evidence."""
        files = [path for path in (self.home / "store").rglob("*") if path.is_file()]
        return [path for path in files if "vault" not in path.parts and path.name != "format"]


@pytest.fixture
def engineer(tmp_path: Path, build_image: ProvidedImage) -> Engineer:
    return Engineer(tmp_path)


def test_a_release_engineer_ships_a_closed_product(engineer: Engineer, tmp_path: Path) -> None:
    built = engineer.product.build(**VENDOR_MACHINE)
    find_the_recipe(engineer)
    claim = stop_what_was_tampered_with(engineer, built)
    let_the_right_file_pass(engineer)
    assert engineer.stored() == [], "a gate leaves no evidence"
    ship(engineer)
    report = verify_what_was_shipped(engineer)
    assert report["claim"] == claim, "what was let pass is what is verified"
    hand_the_evidence_to_a_customer(engineer, tmp_path)


def find_the_recipe(engineer: Engineer) -> None:
    """The source lies elsewhere, so it goes into the vault; the script stands beside the recipe."""
    engineer.recipes.mkdir(parents=True)
    script = shutil.copy(engineer.product.folder / "build.sh", engineer.recipes)
    files = ("--source", engineer.product.folder / SOURCE, "--from-file", engineer.dist / SHIPPED)
    words = ("recipe", "new", "--script", script, "--release", RELEASE, "--private", *files)
    told = engineer.types(*words, "--out", engineer.recipe)
    assert f"{RELEASE}  identical  {SHIPPED}" in told.err
    assert "- path /home/ci/workspace/engine" in told.err
    linted = " ".join(engineer.types("recipe", "lint", engineer.recipe).out.split())
    assert f"{RELEASE} can be used" in linted
    assert "inferred: clock 2026-03-05T06:07:08Z (31 bits)" in linted
    assert f"no `shipped` for {SHIPPED}" in linted


def stop_what_was_tampered_with(engineer: Engineer, built: Path) -> str:
    """Somebody changed one byte between the build and the upload; returns the claim."""
    kept = built.read_bytes()
    built.write_bytes(kept[:-9] + bytes([kept[-9] ^ 1]) + kept[-8:])
    (document,) = json.loads(engineer.gate("json", code=1))["reports"]
    assert (document["unpublished"], document["verdict"]) == ("candidate", "DIFFERENT")
    (suite,) = JUnitXml.fromstring(engineer.gate("junit", code=1).encode())
    (case,) = suite
    assert (case.name, [type(result) for result in case.result]) == (SHIPPED, [Failure])
    sarif = json.loads(engineer.gate("sarif", code=1))
    assert validation_errors(sarif) == []
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]] == ["DIFFERENT"]
    built.write_bytes(kept)
    return str(document["claim"])


def let_the_right_file_pass(engineer: Engineer) -> None:
    annotation = engineer.gate("github", code=0)
    assert annotation.startswith("::notice file=")
    assert f"title=IDENTICAL {RELEASE} {SHIPPED}::" in annotation
    assert "no evidence" in engineer.gate("text", code=0)


def ship(engineer: Engineer) -> None:
    """Upload the file, and write into the recipe where it is and which it is."""
    refused = engineer.types("verify", engineer.recipe, code=64)
    assert f"artefact {SHIPPED} has no `shipped`" in " ".join(refused.err.split())
    shutil.copy(engineer.dist / SHIPPED, engineer.recipes)
    digest = digest_file(engineer.dist / SHIPPED)
    where = f'\n    shipped: {{locator: "file:{SHIPPED}", sha256: {digest}}}'
    text = engineer.recipe.read_text()
    engineer.recipe.write_text(re.sub(rf'(?<=  - name: "{SHIPPED}")', where, text))


def verify_what_was_shipped(engineer: Engineer) -> dict[str, Any]:
    """Nothing but the vault and the shipped file is needed; the source is told to nobody."""
    (report,) = engineer.types("verify", "--offline", "--json", engineer.recipe).document()[
        "reports"
    ]
    assert report["verdict"] == "IDENTICAL"
    assert "unpublished" not in report
    listed = engineer.types("evidence", "list", RELEASE, "--json").document()["runs"]
    assert [row["run"] for row in listed] == [report["run"]]
    public = [path for path in engineer.stored() if "public" in path.parts]
    source = str(digest_file(engineer.product.folder / SOURCE)).encode()
    assert public
    assert not [path for path in public if source in path.read_bytes()]
    assert not [path for path in public if b"scan.c" in path.read_bytes()]
    found: dict[str, Any] = report
    return found


def hand_the_evidence_to_a_customer(engineer: Engineer, folder: Path) -> None:
    bundle, policy = folder / "engine.bundle.tar", engineer.home / "policy/policy.dsse.json"
    engineer.types("evidence", "export", RELEASE, "--out", bundle)
    check = ("evidence", "check", bundle, "--policy", policy, "--file")
    engineer.types(*check, engineer.dist / SHIPPED)
    other = folder / "other.bin"
    other.write_bytes(b"another file")
    engineer.types(*check, other, code=2)


def test_a_vendor_ships_rules_and_an_update(build_image: ProvidedImage, tmp_path: Path) -> None:
    """The demo of updates, as `infra/demo.sh --updates` runs it."""
    command = [sys.executable, str(ROOT / "infra/demo_updates.py"), str(tmp_path / "day")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = [line.split(maxsplit=2) for line in ended.stdout.splitlines() if line[:1] == " "]
    found = [(one[0], one[1].rstrip(":")) for one in told]
    assert ("CONFIRMED", "acme/agent@1.1") in found
    assert ("strengthened", "acme_beacon") in found
    assert ("weakened", "acme_dropper") in found
    assert ("DIFFERENT", "rules-3.tar") in found
    assert ("DIFFERENT", "agent-1.2.tar.bsdiff") in found
