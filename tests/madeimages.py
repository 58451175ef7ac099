"""Builder images that nobody can build: definitions and locks of packages of a few bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from builders.core.digest import Digest
from builders.images.definition import load_definition
from builders.inputs.vault import Vault


def made_image(
    folder: Path,
    name: str,
    packages: Sequence[str],
    vault: Vault,
    *,
    versions: Mapping[str, str] | None = None,
) -> set[Digest]:
    """Write definition and lock of an image, and put its packages into the vault.

    Their version is 1 where `versions` has no other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(
        f"schema: samebits/image/v1\nsuite: trixie\npackages: [{', '.join(packages)}]\n"
    )
    lines, digests = [], set()
    for package in ("base-files", *packages):
        content = f"{package} of {name}".encode()
        digest = Digest.of(content)
        staged = folder / f"{package}.part"
        staged.write_bytes(content)
        vault.add(staged, digest, what=package)
        staged.unlink()
        file = f"pool/main/{package[0]}/{package}/{package}_amd64.deb"
        version = (versions or {}).get(package, "1")
        lines.append(f"{package} {version} amd64 {len(content)} {digest} {file}")
        digests.add(digest)
    some = str(Digest.of(name.encode()))
    lock = {
        "schema": "samebits/image-lock/v1",
        "definition": str(load_definition(path).digest()),
        "suite": "trixie",
        "epoch": 0,
        "image": {"config": some, "manifest": some, "diff_id": some},
        "tools": {},
        "essential": lines[:1],
        "packages": lines[1:],
    }
    (folder / f"{name}.lock.yaml").write_text(json.dumps(lock))  # JSON is YAML
    return digests
