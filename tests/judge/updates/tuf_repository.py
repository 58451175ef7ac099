"""Makes a repository of The Update Framework with python-tuf, one release after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from builders.core.digest import Digest
from builders.recipe.signature import PinnedSignature, SignedFormat

EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
SEEN = datetime(2026, 11, 28, tzinfo=UTC)
Signed = Targets | Snapshot | Timestamp


@dataclass(frozen=True)
class TufKey:
    """An Ed25519 key of a role, the same each time."""

    seed: bytes

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed.ljust(32, b"."))

    @property
    def signer(self) -> CryptoSigner:
        return CryptoSigner(self.private)

    @property
    def der(self) -> bytes:
        form = PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(Encoding.DER, form)

    @property
    def pem(self) -> str:
        form = PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(Encoding.PEM, form).decode()

    @property
    def pin(self) -> Digest:
        return Digest.of(self.der)


TARGETS, SNAPSHOT, TIMESTAMP, EVE = map(TufKey, (b"targets", b"snapshot", b"timestamp", b"eve"))


def pinned(*keys: TufKey) -> PinnedSignature:
    return PinnedSignature(
        format=SignedFormat.TUF,
        signers=tuple(key.pin for key in keys),
        public_keys=tuple(key.pem for key in keys),
    )


def written(signed: Signed, *keys: TufKey) -> bytes:
    """Return metadata as it is published; without keys, as a build leaves it."""
    made: Metadata[Any] = Metadata(signed)
    for key in keys:
        made.sign(key.signer, append=True)
    return made.to_bytes(JSONSerializer())


@dataclass(frozen=True, kw_only=True)
class TufRelease:
    """The metadata of one release; the defaults are right."""

    version: int
    files: Mapping[str, bytes]
    expires: datetime = EXPIRES
    custom: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By path."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Fields of targets that no specification knows."""

    @property
    def targets(self) -> Targets:
        found = Targets(version=self.version, expires=self.expires)
        for path, data in self.files.items():
            target = TargetFile.from_data(path, data, ["sha256", "sha512"])
            if path in self.custom:
                target.unrecognized_fields["custom"] = dict(self.custom[path])
            found.targets[path] = target
        found.unrecognized_fields.update(self.more)
        return found

    def snapshot(self, targets: bytes, version: int | None = None) -> Snapshot:
        meta = MetaFile.from_data(version or self.version, targets, ["sha256"])
        return Snapshot(version=self.version, expires=self.expires, meta={"targets.json": meta})

    def timestamp(self, snapshot: bytes, version: int | None = None) -> Timestamp:
        meta = MetaFile.from_data(version or self.version, snapshot, ["sha256"])
        return Timestamp(version=self.version, expires=self.expires, snapshot_meta=meta)

    def published(self) -> dict[str, bytes]:
        """Return the signed metadata by file name."""
        targets = written(self.targets, TARGETS)
        snapshot = written(self.snapshot(targets), SNAPSHOT)
        timestamp = written(self.timestamp(snapshot), TIMESTAMP)
        return {"targets.json": targets, "snapshot.json": snapshot, "timestamp.json": timestamp}


APP = {f"app-{version}.bin": b"app %d\n" % version * 50 for version in (1, 2, 3)}
RELEASES = [
    TufRelease(
        version=number,
        files={f"app-{one}.bin": APP[f"app-{one}.bin"] for one in range(1, number + 1)},
        custom={f"app-{number}.bin": {"rollout": "10%"}},
    )
    for number in (1, 2, 3)
]
"""Three releases; each lists the files of those before."""
