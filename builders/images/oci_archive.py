"""Write an image as one tar that is an OCI image layout and a docker-archive at once.

The layer is not compressed, so its digest does not depend on a compressor's version; config and
manifest are written as canonical JSON. Formats: OCI Image Layout 1.0, OCI Image Specification 1.0,
and the manifest.json that `docker load` reads.
"""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from builders.core.digest import Digest, canonical_json
from builders.images.definition import USER_ID, ImageDefinition
from builders.images.layer import write_layer
from builders.images.lock import ImageDigests

_OCI = "application/vnd.oci.image"


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image in a tar, and its digests."""

    tar: Path
    digests: ImageDigests


def write_archive(
    root: Path, definition: ImageDefinition, epoch: int, first_id: int, tar: Path
) -> BuiltImage:
    """Write the file tree at `root` as an image to the new file `tar`; `epoch` in seconds.

    Its root is the user and group `first_id` at `root`.
    """
    with tar.open("x+b") as out:
        out.write(bytes(tarfile.BLOCKSIZE))  # the layer's header is written once its size is known
        hashing = _HashingWriter(out)
        write_layer(root, hashing, epoch, first_id)  # type: ignore[arg-type]  # it has write and tell
        diff_id, layer_size = Digest(hashing.hasher.hexdigest()), hashing.size
        config = canonical_json(_config(definition, epoch, diff_id))
        layer = _descriptor("layer.v1.tar", diff_id, layer_size)
        manifest = canonical_json(
            {
                "config": _descriptor("config.v1+json", Digest.of(config), len(config)),
                "layers": [layer],
                "mediaType": f"{_OCI}.manifest.v1+json",
                "schemaVersion": 2,
            }
        )
        digests = ImageDigests(
            config=Digest.of(config), manifest=Digest.of(manifest), diff_id=diff_id
        )
        members = {
            _blob(digests.config): config,
            _blob(digests.manifest): manifest,
            "index.json": canonical_json(_index(digests.manifest, len(manifest))),
            "manifest.json": canonical_json(
                [{"Config": _blob(digests.config), "Layers": [_blob(diff_id)], "RepoTags": None}]
            ),
            "oci-layout": canonical_json({"imageLayoutVersion": "1.0.0"}),
        }
        out.seek(0)
        out.write(_header(_blob(diff_id), layer_size, epoch))
        out.seek(0, 2)
        for name, data in members.items():
            out.write(_header(name, len(data), epoch) + data + bytes(-len(data) % 512))
        out.write(bytes(2 * tarfile.BLOCKSIZE))
    return BuiltImage(tar=tar, digests=digests)


def _config(definition: ImageDefinition, epoch: int, diff_id: Digest) -> dict[str, Any]:
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "architecture": "amd64",
        "config": {
            "Cmd": ["/bin/sh"],
            "Env": [f"{name}={value}" for name, value in definition.variables().items()],
            "User": f"{USER_ID}:{USER_ID}",
            "WorkingDir": "/",
        },
        "created": created,
        "history": [{"created": created, "created_by": "samebits image"}],
        "os": "linux",
        "rootfs": {"diff_ids": [f"sha256:{diff_id}"], "type": "layers"},
    }


def _index(manifest: Digest, size: int) -> dict[str, Any]:
    platform = {"architecture": "amd64", "os": "linux"}
    return {
        "manifests": [{**_descriptor("manifest.v1+json", manifest, size), "platform": platform}],
        "mediaType": f"{_OCI}.index.v1+json",
        "schemaVersion": 2,
    }


def _descriptor(media_type: str, digest: Digest, size: int) -> dict[str, Any]:
    return {"digest": f"sha256:{digest}", "mediaType": f"{_OCI}.{media_type}", "size": size}


def _blob(digest: Digest) -> str:
    return f"blobs/sha256/{digest}"


def _header(name: str, size: int, epoch: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, epoch, 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


class _HashingWriter:
    """Writes to a file, and counts and hashes what is written."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self.size, self.hasher = out, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hasher.update(data)
        self.size += len(data)
        return self._out.write(data)

    def tell(self) -> int:
        return self.size
