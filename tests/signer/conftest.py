"""A key, and honest runs of every ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders.core.enums import Outcome
from pipelines.evidence.privatekey import PrivateKey, create_key
from tests.judge.normalizers.made_files import ar
from tests.judge.signatures.pe_tricks import ADA
from tests.judge.signatures.pe_tricks import OURS as PROGRAM
from tests.judge.signatures.signing import Signing, signed
from tests.signer.scene import OURS, THEIRS, Scene

Stage = Callable[[str], Scene]

SCENES: dict[str, dict[str, Any]] = {
    "identical": {},
    "packed": {"packing": {"format": "gzip", "name": "secret"}},
    "unread": {"read": False},
    "pulled": {"image": "registry.internal:5000/base/builder@sha256:" + "7" * 64},
    "different": {
        "outputs": {"rules.bin": THEIRS, "rules.idx": b"index", "rules.debug": b"s"},
        "explained": True,
    },
    "nondeterministic": {
        "outputs": {"rules.bin": THEIRS, "rules.idx": b"index"},
        "again": {"rules.bin": OURS, "rules.idx": b"index"},
    },
    "confirmed": {
        "outputs": {"rules.bin": THEIRS, "rules.idx": b"index"},
        "again": {"rules.bin": THEIRS, "rules.idx": b"index"},
    },
    "equivalent": {
        "shipped": {"rules.bin": ar(1_700_000_000), "rules.idx": b"index"},
        "outputs": {"rules.bin": ar(1_800_000_001), "rules.idx": b"index"},
        "normalizers": ({"name": "ar-times", "reason": "its ar writes the time"},),
    },
    "signed": {
        "shipped": {"rules.bin": signed(PROGRAM, Signing(by=ADA)), "rules.idx": b"index"},
        "outputs": {"rules.bin": PROGRAM, "rules.idx": b"index", "rules.debug": b"symbols"},
        "signature": {"format": "pe", "signers": [str(ADA.pin)]},
    },
    "retried": {"retried": True},
    "missing": {"outputs": {"rules.bin": OURS}},
    "nothing": {"outputs": {}},
    "unexpected": {"outputs": {"rules.bin": OURS, "rules.idx": b"index", "surprise": b"!"}},
    "twins": {
        "outputs": {"rules.bin": OURS, "rules.idx": b"index", "surprise1": b"!", "surprise2": b"!"}
    },
    "unreachable": {"served": {"rules.idx": None}},
    "mismatch": {"served": {"rules.bin": THEIRS}},
    "moved": {"moved": {"rules.bin": OURS, "rules.idx": b"index", "rules.debug": b"elsewhere"}},
    "moved-apart": {"moved": {"rules.bin": OURS, "rules.idx": b"elsewhere"}},
    "moved-on-one-core": {"moved": {"rules.bin": OURS, "rules.idx": b"index"}, "cores": 1},
    "moved-declared": {
        "build": {"hostname": "vendor", "folder_order": "created"},
        "moved": {"rules.bin": OURS, "rules.idx": b"index"},
    },
    "failed": {"outcome": Outcome.BUILD_FAILED},
    "broken": {"outcome": Outcome.INFRASTRUCTURE_ERROR, "attempt": Outcome.BUILT},
    "unavailable": {"outcome": Outcome.INPUT_UNAVAILABLE, "attempted": False},
}


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    return create_key(tmp_path_factory.mktemp("keys"), "statements")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Set a scene by its name."""
    return lambda name: Scene(folder=tmp_path, **SCENES[name])
