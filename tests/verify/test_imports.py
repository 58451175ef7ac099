"""What `samebits verify` of an identical release never needs, it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
import pipelines.verify.interrupted, pipelines.verify.publish, pipelines.verify.verify
import pipelines.signer.local_signer
print(*sys.modules)
"""
LATER = [
    "asn1crypto",  # what reads signatures
    "cyclonedx",  # while the build runs
    "pipelines.judge.normalizers.find_fields",
    "pipelines.judge.signatures.graft_readers",
    "prefect",
]


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)
    return set(done.stdout.decode().split())


@pytest.mark.parametrize("module", LATER)
def test_what_a_verification_rarely_needs_waits(loaded: set[str], module: str) -> None:
    assert "pipelines.judge.finding" in loaded
    assert module not in loaded
