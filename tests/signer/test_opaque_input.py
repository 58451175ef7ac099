"""The signer signs for an input that cannot be searched only where the recipe declares it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.evidence.errors import RefusedError
from pipelines.evidence.privatekey import PrivateKey
from tests.signer.scene import Scene


@pytest.mark.parametrize("opaque", [None, "encrypted"])
def test_an_input_that_cannot_be_searched_needs_a_reason(
    tmp_path: Path, data: Path, key: PrivateKey, opaque: str | None
) -> None:
    scene = Scene(
        folder=tmp_path, archive=(data / "encrypted.zip").read_bytes(), read=False, opaque=opaque
    )
    evidence = scene.make()
    if opaque:
        assert scene.signer(key).sign(evidence)
    else:
        with pytest.raises(RefusedError, match="input-not-scanned"):
            scene.signer(key).sign(evidence)
