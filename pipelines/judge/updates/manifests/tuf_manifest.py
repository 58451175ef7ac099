"""Manifests of The Update Framework: targets, snapshot and timestamp (specification 1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from builders.core.escaping import escaped
from builders.recipe.update_manifest import ManifestName
from pipelines.judge.signatures.signature_format import BadSignatureError
from pipelines.judge.signatures.tuf_metadata import (
    TufListing,
    TufTargets,
    read_metadata,
)
from pipelines.judge.updates.manifest_format import VendorClaim, vendor_claim
from pipelines.judge.updates.manifests.manifest_content import ListedFile, ManifestContent
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_ROLES = {
    ManifestName.TUF_SNAPSHOT: "snapshot",
    ManifestName.TUF_TARGETS: "targets",
    ManifestName.TUF_TIMESTAMP: "timestamp",
}


def read_tuf(file: BinaryIO, name: ManifestName) -> ManifestContent:
    """Return what metadata of one role says; raises `UpdateError`."""
    try:
        signed = read_metadata(file)[0].signed
    except BadSignatureError as error:
        raise UpdateError(UpdateFault.MANIFEST_UNREADABLE, error.refused.detail) from error
    if signed.role != _ROLES[name] or not isinstance(signed, TufTargets | TufListing):
        what = f"metadata of the role {signed.role!a:.40}, the recipe says {name}"
        raise UpdateError(UpdateFault.WRONG_ROLE, what)
    try:
        return ManifestContent(
            version=str(signed.version),
            number=signed.version,
            expires=signed.expires_on,
            files=tuple(_listed(signed)),
            claims=tuple(_claims(signed)),
        )
    except ValueError as error:
        what = f"metadata that lists or claims what cannot be: {escaped(str(error)):.200}"
        raise UpdateError(UpdateFault.MANIFEST_UNREADABLE, what) from error


def _listed(signed: TufTargets | TufListing) -> Iterator[ListedFile]:
    if isinstance(signed, TufTargets):
        for path, target in signed.targets.items():
            yield ListedFile(path=path, size=target.length, digests=target.hashes)
    else:
        for path, meta in signed.meta.items():
            yield ListedFile(
                path=path, size=meta.length, digests=meta.hashes or {}, version=meta.version
            )


def _claims(signed: TufTargets | TufListing) -> Iterator[VendorClaim]:
    """Yield all that is neither a version nor said of a file's bytes."""
    yield vendor_claim("spec_version", signed.spec_version)
    yield vendor_claim("expires", signed.expires)
    for name, value in signed.others.items():
        yield vendor_claim(name, value)
    if isinstance(signed, TufTargets) and signed.delegations is not None:
        yield vendor_claim("delegations", signed.delegations)
    parts = signed.targets if isinstance(signed, TufTargets) else signed.meta
    for path, part in parts.items():
        for name, value in part.others.items():
            yield vendor_claim(f"{path}: {name}", value)
