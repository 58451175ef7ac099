"""Make sure that the engine has the image that a recipe names."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import ImageUnavailableError
from builders.engine import Engine
from builders.images.catalogue import ImageCatalogue
from builders.images.oci_archive import BuiltImage
from builders.inputs.fetching import FetchProgress, no_progress

_PINNED = "@sha256:"


@dataclass(frozen=True, kw_only=True)
class ProvidedImage:
    """An image that the engine has: its id there, and the digest that the claim contains."""

    reference: str
    config: Digest


def claimed_digest(name: str, images: ImageCatalogue) -> Digest:
    """Return the digest of an image for the claim: its locked config digest.

    For `name@sha256:...` it is the digest in the reference. Raises `UsageError` for an unknown
    name.
    """
    if _PINNED in name:
        return Digest(name.partition(_PINNED)[2])
    return images.lock(name).image.config


def ensure_image(
    name: str,
    images: ImageCatalogue,
    engine: Engine,
    workdir: Path,
    progress: FetchProgress = no_progress,
    *,
    offline: bool = False,
) -> ProvidedImage:
    """Return an image of the engine, which is built or pulled if it is not there.

    `offline` pulls nothing. Raises `ImageUnavailableError`, `ImageMismatchError`,
    `InputUnavailableError`.
    """
    if _PINNED in name:
        if not engine.has_image(name):
            if offline:
                raise ImageUnavailableError(
                    "the engine does not have the image, and nothing is pulled offline",
                    got=name,
                    todo="Load it into the engine, or run this once without --offline",
                )
            engine.pull(name)
        return ProvidedImage(reference=name, config=claimed_digest(name, images))
    locked = images.lock(name).image
    for digest in (locked.config, locked.manifest):
        if engine.has_image(f"sha256:{digest}"):
            return ProvidedImage(reference=f"sha256:{digest}", config=locked.config)
    workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workdir, prefix="image-") as folder:
        built = images.build(name, Path(folder), progress)
        progress(0, 0, f"loading {name} into the engine")
        return load_image(name, built, engine)


def load_image(name: str, image: BuiltImage, engine: Engine) -> ProvidedImage:
    """Load a built image into the engine as `samebits/<name>`; raises as `Engine.load` does."""
    digests = image.digests
    ids = (digests.config, digests.manifest)
    reference = engine.load(image.tar, ids=ids, layers=(digests.diff_id,), name=name)
    return ProvidedImage(reference=reference, config=digests.config)
