"""Makes RAUC bundles whose manifest names an image."""

from __future__ import annotations

from builders.core.digest import Digest
from tests.judge.signatures.rauc_signing import Verity

IMAGE = b"root file system" * 300
SAID = {"filename": "rootfs.img", "sha256": Digest.of(IMAGE).hex, "size": str(len(IMAGE))}


def bundle(version: str = "3", more: str = "", **changes: str) -> Verity:
    lines = "".join(f"{key}={value}\n" for key, value in {**SAID, **changes}.items())
    update = f"[update]\ncompatible=box\nversion={version}\n\n"
    return Verity(update=f"{update}[image.rootfs]\n{lines}adaptive=block-hash-index\n\n{more}")
