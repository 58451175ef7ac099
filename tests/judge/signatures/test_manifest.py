"""Manifests of jar archives that are read, and how many sections of them."""

from __future__ import annotations

import pytest

from pipelines.judge.signatures import manifest
from pipelines.judge.signatures.manifest import read_manifest
from pipelines.judge.signatures.signature_format import BadSignatureError

MAIN = b"Manifest-Version: 1.0\r\n\r\n"


def test_sections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_MAX_SECTIONS", 2)
    sections = [b"Name: %d\r\n\r\n" % number for number in range(3)]
    most = read_manifest(MAIN + b"".join(sections[:2]), "a manifest")
    assert list(most.entries) == [b"0", b"1"]
    with pytest.raises(BadSignatureError, match="a manifest has more than 2 sections"):
        read_manifest(MAIN + b"".join(sections), "a manifest")
