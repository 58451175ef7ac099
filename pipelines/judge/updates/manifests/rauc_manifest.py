"""The manifest of a RAUC bundle, as its signature holds it (docs/reference.rst of RAUC).

What it says of the hash tree and of its signature is looked at by the graft of the bundle. Here its
images are files that the build leaves beside the bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from builders.core.escaping import escaped
from pipelines.judge.signatures.rauc import bundle_manifest
from pipelines.judge.signatures.signature_format import BadSignatureError
from pipelines.judge.updates.manifest_format import VendorClaim, vendor_claim
from pipelines.judge.updates.manifests.manifest_content import ListedFile, ManifestContent
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_IMAGE = re.compile(r"image\.[A-Za-z0-9_.-]{1,64}")
_RECOMPUTED = frozenset({"filename", "sha256", "size"})
_OF_THE_TREE = frozenset({"format", "verity-hash", "verity-salt", "verity-size"})


def read_rauc(file: BinaryIO) -> ManifestContent:
    """Return what the manifest of a bundle says; raises `UpdateError`."""
    try:
        sections = bundle_manifest(file)
    except BadSignatureError as error:
        raise _unreadable(error.refused.detail) from error
    if sections is None:
        what = "a bundle of format plain, whose manifest is inside of its squashfs"
        raise UpdateError(UpdateFault.UNSUPPORTED, what)
    version = sections.get("update", {}).get("version")
    if not version:
        raise _unreadable("a manifest without the version of its update")
    try:
        return ManifestContent(
            version=version, files=tuple(_images(sections)), claims=tuple(_claims(sections))
        )
    except ValueError as error:
        raise _unreadable(f"images or claims that cannot be: {escaped(str(error)):.200}") from error


def _images(sections: Mapping[str, Mapping[str, str]]) -> Iterator[ListedFile]:
    seen: set[str] = set()
    for section, keys in sections.items():
        if not _IMAGE.fullmatch(section):
            continue
        name, sha256, size = (keys.get(key, "") for key in ("filename", "sha256", "size"))
        if not re.fullmatch("[0-9a-f]{64}", sha256) or not re.fullmatch("[0-9]{1,18}", size):
            raise _unreadable(f"[{section}] without digest and size")
        if name in seen:
            raise _unreadable(f"[{section}] is of the file of another image")
        seen.add(name)
        yield ListedFile(path=name, size=int(size), digests={"sha256": sha256})


def _claims(sections: Mapping[str, Mapping[str, str]]) -> Iterator[VendorClaim]:
    for section, keys in sections.items():
        image = bool(_IMAGE.fullmatch(section))
        for key, value in keys.items():
            known = image and key in _RECOMPUTED
            known = known or (section == "bundle" and key in _OF_THE_TREE)
            if not known and (section, key) != ("update", "version"):
                yield vendor_claim(f"[{section}] {key}", value)


def _unreadable(detail: str) -> UpdateError:
    return UpdateError(UpdateFault.MANIFEST_UNREADABLE, detail)
