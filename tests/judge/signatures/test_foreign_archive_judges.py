"""apksigner and Java verify what we take of packages and archives, and every trick."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.signature_format import Graft
from tests.judge.signatures import apk_tricks, jar_tricks, test_apk, test_jar
from tests.judge.signatures.test_apk import grafted

pytestmark = pytest.mark.host

JUDGE = Path(__file__).parents[2] / "data" / "judges" / "ForeignJudge.java"
APKSIGNER = "/usr/share/java/apksigner.jar"
REFUSED = {
    "algorithm 0x0101.apk": "Java has no signature by the name that Android has for RSA-PSS",
    "algorithm 0x0102.apk": "the same with SHA-512",
}
"""What we take and they do not, and why."""


def files() -> dict[str, tuple[bytes, bytes, PinnedSignature]]:
    """Return each shipped file with ours, and who has to sign."""
    return {
        **{f"{name}.apk": (one[0], one[2], one[1]) for name, one in test_apk.GOOD.items()},
        **{f"{name}.jar": (one[0], one[2], one[1]) for name, one in test_jar.GOOD.items()},
        **{
            f"{name}.{trick.pins.format}": (trick.shipped(), trick.ours, trick.pins)
            for name, trick in (apk_tricks.TRICKS | jar_tricks.TRICKS).items()
        },
    }


def test_what_we_take_the_tools_of_the_vendors_take_too(tmp_path: Path) -> None:
    made, paths = files(), []
    for number, (name, (shipped, _, _)) in enumerate(made.items()):
        paths.append(tmp_path / f"{number}{Path(name).suffix}")
        paths[-1].write_bytes(shipped)
    run = subprocess.run(
        ["java", "-cp", APKSIGNER, JUDGE, *paths],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    lines = run.stdout.splitlines()
    assert len(lines) == len(made)
    theirs = {
        name
        for (name, (_, _, pins)), line in zip(made.items(), lines, strict=True)
        if line and set(line.split()) <= set(map(str, pins.signers))
    }
    ours = {
        name
        for name, (shipped, own, pins) in made.items()
        if isinstance(grafted(shipped, pins, own), Graft)
    }
    assert ours - theirs == REFUSED.keys()
    assert len(theirs - ours) > 25, "or it does not read these files"
