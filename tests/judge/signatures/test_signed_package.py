"""A signed RPM package from its recipe to the statement, with the keys in the recipe."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.images.provide import ProvidedImage
from pipelines.judge.signatures.signature_format import Graft
from pipelines.verify.session import Session
from tests.judge.signatures.rpm_tricks import ADA, GOOD, OURS
from tests.lab import verified, write_recipe

NAME = "hello-1.0-1.noarch.rpm"
STEP = f"echo {base64.b64encode(OURS).decode()} | base64 -d > /out/{NAME}"


def test_our_package_with_the_signature_of_a_key_of_the_recipe_is_the_shipped_one(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    signature = {"format": "rpm", "signers": [ADA.fingerprint], "public_keys": [ADA.armored]}
    artefact = {
        "name": NAME,
        "shipped": {"locator": f"file:{NAME}", "sha256": str(Digest.of(GOOD))},
        "signature": signature,
    }
    path = write_recipe(
        tmp_path, [["sh", "-c", STEP]], shipped=GOOD, name=NAME, artefacts=[artefact]
    )
    report = verified(session, path)
    (finding,) = report.artefacts
    assert finding.verdict is Verdict.IDENTICAL_SIGNED, finding.reason
    assert isinstance(finding.signature, Graft)
    (signer,) = finding.signature.signers
    assert (signer.certificate, signer.subject) == (ADA.fingerprint, ADA.user)
    texts = [file.read_text() for file in session.center.home.rglob("comparison-*.dsse.json")]
    payloads = [json.loads(base64.b64decode(json.loads(text)["payload"])) for text in texts]
    (stated,) = (one for one in payloads if one["subject"][0]["name"] == NAME)
    assert stated["predicate"]["signature"]["signers"] == [{"key": ADA.fingerprint}]
