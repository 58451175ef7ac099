"""A portal in a folder that has the one bundle of the documentation, and no pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from tests.command import DATA

EXAMPLE = Path(__file__).parents[2] / "infra/docs/example"
FILE = DATA / "archives/netbase_6.5_all.deb"
BUNDLE = "bundles/debian/netbase/6.5/local-run.bundle.tar"


class FolderPortal:
    """A portal in a folder, with one bundle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.put(BUNDLE, (EXAMPLE / "netbase.bundle.tar").read_bytes())
        self.index(FILE.read_bytes(), [BUNDLE])

    def put(self, path: str, data: bytes) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def index(self, content: bytes, paths: list[str], **changes: Any) -> None:
        """List bundles about a file."""
        digest = Digest.of(content)
        bundles = [{"center": "local", "run": "r", "path": path, "bases": []} for path in paths]
        row = {
            "release": "debian/netbase@6.5",
            "page": "releases/debian/netbase/6.5/",
            "artefact": FILE.name,
            "role": "published",
            "bundles": bundles,
        }
        shard = {
            "schema": "samebits/portal/files/v1",
            "prefix": digest.hex[:2],
            "files": {digest.hex: [row]},
            **changes,
        }
        self.put(f"files/{digest.hex[:2]}.json", json.dumps(shard).encode())
