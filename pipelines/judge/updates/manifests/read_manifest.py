"""The reader of manifests, which runs in the jail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from pydantic import TypeAdapter

from builders.core.frozen_model import FrozenModel
from builders.jail.file_reader import JailLimits, Reader, Scratch
from builders.recipe.update_manifest import ManifestName
from pipelines.judge.updates.manifests.clamsign_manifest import read_signed_digest
from pipelines.judge.updates.manifests.manifest_content import ManifestContent
from pipelines.judge.updates.manifests.rauc_manifest import read_rauc
from pipelines.judge.updates.manifests.tuf_manifest import read_tuf
from pipelines.judge.updates.update_fault import UpdateError, UpdateRefused


class ManifestChoice(FrozenModel):
    """The format that a manifest is read as."""

    format: ManifestName


def _read(
    files: Sequence[BinaryIO], choice: ManifestChoice, _: Scratch
) -> ManifestContent | UpdateRefused:
    (file,) = files
    try:
        if choice.format is ManifestName.CLAMSIGN:
            return read_signed_digest(file)
        if choice.format is ManifestName.RAUC:
            return read_rauc(file)
        return read_tuf(file, choice.format)
    except UpdateError as error:
        return error.refused


MANIFEST = Reader(
    name="pipelines.judge.updates.manifests.read_manifest:MANIFEST",
    read=_read,
    parameters=ManifestChoice,
    result=TypeAdapter[ManifestContent | UpdateRefused](ManifestContent | UpdateRefused),
    limits=JailLimits(seconds=60, answer=32 << 20),
)
"""Says what a manifest lists and claims."""
