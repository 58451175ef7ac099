"""Manifests of The Update Framework: targets, snapshot and timestamp (specification 1.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from tuf.api.metadata import MetaFile, Snapshot, Targets, Timestamp

from builders.core.escaping import escaped
from builders.recipe.update_manifest import ManifestName
from pipelines.judge.signatures.signature_format import BadSignatureError
from pipelines.judge.signatures.tuf import read_metadata
from pipelines.judge.updates.manifest_format import VendorClaim, vendor_claim
from pipelines.judge.updates.manifests.manifest_content import ListedFile, ManifestContent
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_ROLES: Mapping[ManifestName, type[Targets | Snapshot | Timestamp]] = {
    ManifestName.TUF_SNAPSHOT: Snapshot,
    ManifestName.TUF_TARGETS: Targets,
    ManifestName.TUF_TIMESTAMP: Timestamp,
}


def read_tuf(file: BinaryIO, name: ManifestName) -> ManifestContent:
    """Return what metadata of one role says; raises `UpdateError`."""
    try:
        signed = read_metadata(file).signed
    except BadSignatureError as error:
        raise UpdateError(UpdateFault.MANIFEST_UNREADABLE, error.refused.detail) from error
    if not isinstance(signed, _ROLES[name]):
        what = f"metadata of the role {signed.type}, the recipe says {name}"
        raise UpdateError(UpdateFault.WRONG_ROLE, what)
    try:
        return ManifestContent(
            version=str(signed.version),
            number=signed.version,
            expires=signed.expires,
            files=tuple(_listed(signed)),
            claims=tuple(_claims(signed)),
        )
    except ValueError as error:
        what = f"metadata that lists or claims what cannot be: {escaped(str(error)):.200}"
        raise UpdateError(UpdateFault.MANIFEST_UNREADABLE, what) from error


def _listed(signed: Targets | Snapshot | Timestamp) -> Iterator[ListedFile]:
    match signed:
        case Targets():
            for path, target in signed.targets.items():
                yield ListedFile(path=path, size=target.length, digests=target.hashes)
        case Snapshot():
            for path, meta in signed.meta.items():
                yield _meta(path, meta)
        case _:
            yield _meta("snapshot.json", signed.snapshot_meta)


def _meta(path: str, meta: MetaFile) -> ListedFile:
    return ListedFile(path=path, size=meta.length, digests=meta.hashes or {}, version=meta.version)


def _claims(signed: Targets | Snapshot | Timestamp) -> Iterator[VendorClaim]:
    """Yield all that is neither a version nor said of a file's bytes."""
    yield vendor_claim("spec_version", signed.spec_version)
    yield vendor_claim("expires", signed.expires.isoformat())
    for name, value in signed.unrecognized_fields.items():
        yield vendor_claim(name, value)
    if isinstance(signed, Targets):
        for path, target in signed.targets.items():
            for name, value in target.unrecognized_fields.items():
                yield vendor_claim(f"{path}: {name}", value)
        if signed.delegations is not None:
            yield vendor_claim("delegations", signed.delegations.to_dict())
    else:
        named = signed.meta if isinstance(signed, Snapshot) else {"": signed.snapshot_meta}
        for path, meta in named.items():
            for name, value in meta.unrecognized_fields.items():
                yield vendor_claim(f"{path or 'snapshot.json'}: {name}", value)
