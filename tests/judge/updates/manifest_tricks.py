"""Manifests of an update that must not pass, each with its fault and the file that has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tuf.api.metadata import MetaFile, Snapshot

from builders.core.digest import Digest
from builders.core.enums import Verdict
from tests.judge.updates.manifest_scene import ManifestScene, base_run
from tests.judge.updates.tuf_repository import (
    APP,
    EVE,
    EXPIRES,
    RELEASES,
    SEEN,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TufRelease,
    written,
)

GOOD = ManifestScene()
THIRD = RELEASES[2]
PAST = SEEN - timedelta(seconds=1)


def published(release: TufRelease) -> ManifestScene:
    return GOOD.but(shipped={**GOOD.shipped, **release.published()})


def with_targets(change: Callable[[Any], None], **more: Any) -> ManifestScene:
    """Return a release whose targets are changed, with snapshot and timestamp that fit."""
    changed = THIRD.targets
    change(changed)
    targets = written(changed, TARGETS)
    snapshot = written(THIRD.snapshot(targets), SNAPSHOT)
    timestamp = written(THIRD.timestamp(snapshot), TIMESTAMP)
    names = ("targets.json", "snapshot.json", "timestamp.json")
    shipped = dict(zip(names, (targets, snapshot, timestamp), strict=True))
    return GOOD.but(shipped={**GOOD.shipped, **shipped}, **more)


def of_app(**fields: Any) -> Callable[[Any], None]:
    def change(targets: Any) -> None:
        for name, value in fields.items():
            setattr(targets.targets["app-3.bin"], name, value)

    return change


def with_digest(**digests: str) -> Callable[[Any], None]:
    return lambda targets: targets.targets["app-3.bin"].hashes.update(digests)


def listed(path: str, of: str) -> Callable[[Any], None]:
    def change(targets: Any) -> None:
        targets.targets[path] = targets.targets[of]

    return change


def with_snapshot(meta: Mapping[str, MetaFile], version: int = 3) -> ManifestScene:
    made = written(Snapshot(version=version, expires=EXPIRES, meta=dict(meta)), SNAPSHOT)
    timestamp = written(THIRD.timestamp(made), TIMESTAMP)
    return GOOD.served(snapshot_json=made, timestamp_json=timestamp)


def redeclared(scene: ManifestScene, name: str, **fields: Any) -> ManifestScene:
    """Change what the recipe says of a manifest."""
    declared = scene.manifests[name].model_copy(update=fields)
    return scene.but(manifests={**scene.manifests, name: declared})


BEFORE = RELEASES[1].published()
OTHER = replace(THIRD, more={"x": "y"})
MIXED = written(THIRD.snapshot(written(OTHER.targets, TARGETS)), SNAPSHOT)
GOOD_TARGETS = GOOD.shipped["targets.json"]
DRILLS: dict[str, tuple[str, str, Callable[[], ManifestScene]]] = {
    "a downgrade": (
        "downgrade", "targets.json", lambda: published(replace(THIRD, version=1)),
    ),
    "a downgrade of the snapshot": (
        "downgrade", "snapshot.json", lambda: published(replace(THIRD, version=1)),
    ),
    "a downgrade of the timestamp": (
        "downgrade", "timestamp.json", lambda: published(replace(THIRD, version=1)),
    ),
    "a version that was used before": (
        "stale-manifest", "targets.json", lambda: published(replace(THIRD, version=2)),
    ),
    "a replayed old manifest": (
        "stale-manifest", "targets.json", lambda: GOOD.served(targets_json=BEFORE["targets.json"]),
    ),
    "a replayed old timestamp": (
        "stale-manifest", "timestamp.json",
        lambda: GOOD.served(timestamp_json=BEFORE["timestamp.json"]),
    ),
    "an expired timestamp": (
        "expired", "timestamp.json", lambda: published(replace(THIRD, expires=PAST)),
    ),
    "expired targets": (
        "expired", "targets.json", lambda: published(replace(THIRD, expires=PAST)),
    ),
    "a snapshot that expires as it is fetched": (
        "expired", "snapshot.json", lambda: published(replace(THIRD, expires=SEEN)),
    ),
    "the snapshot of other targets": (
        "mixed-snapshots", "snapshot.json", lambda: GOOD.served(snapshot_json=MIXED),
    ),
    "the timestamp of another snapshot": (
        "mixed-snapshots", "timestamp.json",
        lambda: GOOD.served(timestamp_json=written(THIRD.timestamp(MIXED), TIMESTAMP)),
    ),
    "the snapshot of the release before": (
        "mixed-snapshots", "timestamp.json",
        lambda: GOOD.served(snapshot_json=BEFORE["snapshot.json"]),
    ),
    "a snapshot that names another version": (
        "mixed-snapshots", "snapshot.json",
        lambda: with_snapshot({"targets.json": MetaFile(version=4)}),
    ),
    "a snapshot that names an older version": (
        "downgrade", "snapshot.json", lambda: with_snapshot({"targets.json": MetaFile(version=1)}),
    ),
    "a snapshot that forgets targets": (
        "unlisted-file", "snapshot.json", lambda: with_snapshot({"role.json": MetaFile(version=1)}),
    ),
    "a snapshot with a role that nobody declared": (
        "undeclared-file", "snapshot.json",
        lambda: with_snapshot({
            "targets.json": MetaFile.from_data(3, GOOD_TARGETS, ["sha256"]),
            "role.json": MetaFile(version=1),
        }),
    ),
    "a wrong length": ("wrong-length", "targets.json", lambda: with_targets(of_app(length=1))),
    "a wrong length of targets": (
        "mixed-snapshots", "snapshot.json",
        lambda: with_snapshot({"targets.json": MetaFile(version=3, length=1)}),
    ),
    "a wrong digest": (
        "field-mismatch", "targets.json", lambda: with_targets(with_digest(sha256="0" * 64)),
    ),
    "a second digest that is wrong": (
        "field-mismatch", "targets.json", lambda: with_targets(with_digest(sha512="0" * 128)),
    ),
    "a digest that proves nothing": (
        "unsupported-feature", "targets.json", lambda: with_targets(with_digest(sha1x="0" * 64)),
    ),
    "a digest that is none": (
        "manifest-unreadable", "targets.json", lambda: with_targets(with_digest(sha256="secret")),
    ),
    "another file than ours": (
        "field-mismatch", "targets.json",
        lambda: GOOD.but(rebuilt={"app-3.bin": APP["app-3.bin"].swapcase()}),
    ),
    "a file that was not rebuilt": (
        "target-not-rebuilt", "targets.json", lambda: GOOD.but(rebuilt={}),
    ),
    "a file of the release that is not listed": (
        "unlisted-file", "targets.json", lambda: with_targets(lambda t: t.targets.pop("app-3.bin")),
    ),
    "a file that the recipe says is listed": (
        "unlisted-file", "targets.json",
        lambda: redeclared(
            with_targets(lambda t: t.targets.pop("app-3.bin")), "targets.json",
            files={"a/b.bin": "app-3.bin"},
        ),
    ),
    "an output that the recipe says is listed": (
        "unlisted-file", "targets.json",
        lambda: redeclared(
            GOOD.but(rebuilt={**GOOD.rebuilt, "extra.bin": b"x"}), "targets.json",
            files={"a/extra.bin": "extra.bin"},
        ),
    ),
    "a file that nobody declared": (
        "undeclared-file", "targets.json", lambda: with_targets(listed("evil.bin", "app-1.bin")),
    ),
    "another digest for an old file": (
        "undeclared-file", "targets.json", lambda: with_targets(listed("app-1.bin", "app-2.bin")),
    ),
    "a file under two paths": (
        "field-mismatch", "targets.json", lambda: with_targets(listed("a/app-3.bin", "app-3.bin")),
    ),
    "nothing of this release": (
        "nothing-recomputed", "targets.json",
        lambda: with_targets(
            lambda t: t.targets.pop("app-3.bin"),
        ).but(shipped={"targets.json": written(
            replace(RELEASES[1], version=3).targets, TARGETS)}),
    ),
    "the snapshot for the targets": (
        "wrong-role", "targets.json",
        lambda: GOOD.but(
            shipped={**GOOD.shipped, "targets.json": GOOD.shipped["snapshot.json"]},
            pins={**GOOD.pins, "targets.json": GOOD.pins["snapshot.json"]},
        ),
    ),
    "a manifest before that is none": (
        "wrong-base", "targets.json",
        lambda: redeclared(
            GOOD.but(bases=(*GOOD.bases, b"{}")), "targets.json", previous=Digest.of(b"{}")
        ),
    ),
    "a manifest before that was not judged": (
        "base-not-judged", "targets.json", lambda: GOOD.but(judged=None),
    ),
    "a manifest before that is not right": (
        "base-not-reproduced", "targets.json", lambda: GOOD.but(judged=base_run(Verdict.DIFFERENT)),
    ),
    "a delta in place of the manifest before": (
        "delta-of-delta", "targets.json", lambda: GOOD.but(judged=base_run(is_delta=True)),
    ),
    "an older manifest, whose base was not judged": (
        "downgrade", "targets.json",
        lambda: with_targets(lambda t: setattr(t, "version", 1)).but(judged=None),
    ),
    "the snapshot before for the targets before": (
        "wrong-base", "targets.json",
        lambda: redeclared(GOOD, "targets.json", previous=Digest.of(BEFORE["snapshot.json"])),
    ),
    "no signature": (
        "missing-signature", "targets.json",
        lambda: GOOD.served(targets_json=written(THIRD.targets)),
    ),
    "a signature by another key": (
        "signature-refused", "targets.json",
        lambda: GOOD.served(targets_json=written(THIRD.targets, EVE)),
    ),
    "a second signature by another key": (
        "signature-refused", "targets.json",
        lambda: GOOD.served(targets_json=written(THIRD.targets, TARGETS, EVE)),
    ),
    "the key of another role": (
        "signature-refused", "targets.json",
        lambda: GOOD.served(targets_json=written(THIRD.targets, SNAPSHOT)),
    ),
    "a claim that was changed after signing": (
        "signature-refused", "targets.json",
        lambda: GOOD.served(targets_json=GOOD_TARGETS.replace(b"10%", b"99%")),
    ),
    "a field that is there twice": (
        "signature-refused", "targets.json",
        lambda: GOOD.served(targets_json=GOOD_TARGETS.replace(
            b'"version": 3', b'"version": 9, "version": 3')),
    ),
    "no metadata": (
        "signature-refused", "targets.json", lambda: GOOD.served(targets_json=b"PK\3\4" * 99),
    ),
    "a version below one": (
        "signature-refused", "targets.json",
        lambda: GOOD.served(targets_json=GOOD_TARGETS.replace(b'"version": 3', b'"version": 0')),
    ),
}  # fmt: skip
