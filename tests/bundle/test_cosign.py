"""Judged by others: Debian's cosign over real artefacts and what we sign about them.

cosign 2 takes the envelope as its `--signature`, looks for the artefact's SHA-256 among the
subjects, and takes the URI of a predicate type of ours as `--type`.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.evidence.dsse import Envelope
from pipelines.evidence.privatekey import PrivateKey, create_key
from pipelines.evidence.statements.reader import name_records
from tests.signer.scene import OURS, THEIRS, Scene

COMPARISON = "https://samebits.example/comparison/v2"


@dataclass(frozen=True)
class Signed:
    """A run of an artefact that differs, as a stranger finds it."""

    folder: Path
    envelopes: dict[str, Envelope]

    def cosign(
        self,
        artefact: str,
        envelope: bytes,
        kind: str = "slsaprovenance1",
        key: str = "statements.pub",
    ) -> subprocess.CompletedProcess[str]:
        (self.folder / "envelope").write_bytes(envelope)
        tool = shutil.which("cosign")
        assert tool, "cosign is missing: infra/bootstrap.sh installs it"
        return subprocess.run(
            [
                tool,
                "verify-blob-attestation",
                *("--key", key, "--type", kind, "--insecure-ignore-tlog"),
                *("--signature", "envelope", artefact),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    folder = tmp_path_factory.mktemp("cosign")
    key: PrivateKey = create_key(folder, "statements")
    create_key(folder, "other")
    outputs = {"rules.bin": THEIRS, "rules.idx": b"index", "rules.debug": b"symbols"}
    scene = Scene(folder=tmp_path_factory.mktemp("scene"), outputs=outputs)
    (folder / "rebuilt").write_bytes(THEIRS)
    (folder / "shipped").write_bytes(OURS)
    return Signed(folder, name_records(scene.signer(key).sign(scene.make())))


def test_provenance_is_accepted_for_the_rebuilt_file(signed: Signed) -> None:
    done = signed.cosign("rebuilt", signed.envelopes["provenance-1.dsse.json"].to_bytes())
    assert done.returncode == 0, done.stderr
    assert "Verified OK" in done.stderr


def test_a_comparison_is_accepted_for_the_shipped_file(signed: Signed) -> None:
    envelope = signed.envelopes["comparison-1.dsse.json"].to_bytes()
    done = signed.cosign("shipped", envelope, COMPARISON)
    assert done.returncode == 0, done.stderr


def test_the_verdict_is_read_as_the_customers_page_says(signed: Signed) -> None:
    """cosign accepts the comparison above, whose verdict is a DIFFERENT."""
    page = (Path(__file__).parents[2] / "infra/docs/howto/customer.md").read_text()
    script = page.partition("python3 -c '")[2].partition("'")[0]
    path = signed.folder / "comparison-1.dsse.json"
    path.write_bytes(signed.envelopes["comparison-1.dsse.json"].to_bytes())
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=path.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"DIFFERENT\n"


def test_provenance_is_refused_for_another_file(signed: Signed) -> None:
    done = signed.cosign("shipped", signed.envelopes["provenance-1.dsse.json"].to_bytes())
    assert done.returncode != 0


def test_provenance_is_refused_under_another_key(signed: Signed) -> None:
    envelope = signed.envelopes["provenance-1.dsse.json"].to_bytes()
    assert signed.cosign("rebuilt", envelope, key="other.pub").returncode != 0


def test_a_comparison_is_not_taken_for_provenance(signed: Signed) -> None:
    envelope = signed.envelopes["comparison-1.dsse.json"].to_bytes()
    assert signed.cosign("shipped", envelope).returncode != 0


@pytest.mark.parametrize("part", ["subject", "predicate", "signature", "type"])
def test_altered_envelopes_are_refused(signed: Signed, part: str) -> None:
    envelope = signed.envelopes["provenance-1.dsse.json"]
    plain = envelope.to_dict()
    statement = json.loads(envelope.payload)
    if part == "subject":
        statement["subject"].append({"name": "x", "digest": {"sha256": "a" * 64}})
    elif part == "predicate":
        statement["predicate"]["runDetails"]["builder"]["id"] = "https://other.example/"
    elif part == "type":
        plain["payloadType"] = "application/json"
    if part == "signature":
        sig = bytearray(envelope.signatures[0].sig)
        sig[0] ^= 1
        plain["signatures"][0]["sig"] = base64.b64encode(bytes(sig)).decode()
    else:
        plain["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    assert signed.cosign("rebuilt", json.dumps(plain).encode()).returncode != 0
