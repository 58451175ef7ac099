"""What every try rests on, as one digest: on another basis, an old trail says nothing."""

from __future__ import annotations

from builders.core.digest import Digest, canonical_json
from builders.images.provide import claimed_digest
from builders.methods import METHODS
from builders.methods.method import launcher_bytes
from builders.methods.timezone import zone_script
from builders.preload.lock import preload_lock, probe_bytes
from pipelines.infer.wheel.pythons import python_images
from pipelines.verify.session import Session

RULES = 5
"""Raised whenever the search would go another way, so that old trails are not taken for new."""


def basis(shop: Session) -> Digest:
    """Return the digest of the images, the scripts, the declared clock and the rules."""
    images = {i.name: str(claimed_digest(i.name, shop.images)) for i in python_images(shop.images)}
    method = METHODS["wheel"].script_bytes()
    scripts = [launcher_bytes(), method, probe_bytes(), zone_script()]
    return Digest.of(
        canonical_json(
            {
                "clock": str(preload_lock().library),
                "images": images,
                "rules": RULES,
                "scripts": [str(Digest.of(script)) for script in scripts],
            }
        )
    )
