"""A private release: a tree full of things that nobody outside may hear of."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.inputs.vault import Vault
from tests.lab import write_recipe

TREE = {
    "hydra/src/quiet_engine_core.c": b'/* hydra codename */ char *t = "tok-5ECr3t-9f1c";\n',
    "hydra/src/ratchet_table.h": b"#define RATCHET_SEED 0x51f0badcafe\n",
    "hydra/docs/roadmap-orpheus.txt": b"ship from forge17.corp.invalid in the spring\n",
    "hydra/keys/vendor signing.pem": b"not really a key: zeta-omega-kappa\n",
}
TEXTS = (
    "hydra", "quiet_engine_core", "ratchet_table", "roadmap-orpheus", "vendor signing",
    "tok-5ECr3t-9f1c", "51f0badcafe", "forge17", "corp.invalid", "zeta-omega-kappa", "RATCHET_SEED",
    "orpheus", "vault-of-forge", "INTERNAL_FLAG", "internal-value-77", "/build/acme-inner",
    "inner-host",
)  # fmt: skip
ARCHIVE = "hydra-4.2.tar"
BUILD = {
    "environment": {"INTERNAL_FLAG": "internal-value-77"},
    "path": "/build/acme-inner",
    "hostname": "inner-host",
}
UNPACK = ["tar", "-xf", f"/inputs/source/{ARCHIVE}"]


def archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in TREE.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def write_private(
    folder: Path, vault: Vault, steps: Sequence[Sequence[str]], *, stocked: bool = True, **more: Any
) -> Path:
    """Write a private recipe whose source is only in the vault."""
    data = archive()
    if stocked:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder.parent / ARCHIVE
        path.write_bytes(data)
        vault.add(path, Digest.of(data), what=ARCHIVE)
        path.unlink()
    return write_recipe(
        folder,
        [UNPACK, *steps],
        inputs=[{"role": "source", "locator": f"vault:{ARCHIVE}", "sha256": str(Digest.of(data))}],
        visibility="private",
        build=BUILD,
        **more,
    )


def files() -> dict[str, bytes]:
    """Return every file whose digest must not be told."""
    return {**TREE, ARCHIVE: archive(), "BUILD": json.dumps(BUILD).encode()}
