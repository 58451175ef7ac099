"""The readers of a session: what the parent of their processes imports, and that they are there."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from builders.jail import Reader
from pipelines.verify.readers import READERS

ROOT = Path(__file__).parents[2]
KEYS_OR_NETWORK = {
    "boto3", "botocore", "docker", "httpx", "prefect", "requests", "securesystemslib", "urllib3",
}  # fmt: skip
"""`cryptography` is there: it verifies what vendors have signed."""
PROGRAM = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name.partition(":")[0])
json.dump(sorted(sys.modules), sys.stdout)
"""


@pytest.mark.parametrize("name", READERS)
def test_a_reader_is_found_under_its_name(name: str) -> None:
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, Reader)
    assert found.name == name


def test_nothing_with_keys_or_a_network_is_imported_to_read_files() -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, *READERS], cwd=ROOT, capture_output=True, check=True
    )
    assert not KEYS_OR_NETWORK & set(json.loads(found.stdout))
