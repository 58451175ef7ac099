"""Manifests of an update: what is computed anew, what is claimed, and each fault by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from tuf.api.metadata import MetaFile, Snapshot

from builders.core.enums import Verdict
from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.compare import Unread
from pipelines.judge.signatures.signature_format import Graft
from pipelines.judge.updates.manifest_format import ManifestFact
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


def test_what_follows_from_our_bytes_is_computed_anew_and_the_rest_is_a_claim() -> None:
    found = GOOD.found()
    targets = found["targets.json"]
    assert isinstance(targets, ManifestFact)
    assert targets.refused is None, targets.refused
    assert targets.recomputed == (
        "app-3.bin: size", "app-3.bin: sha256", "app-3.bin: sha512",
    )  # fmt: skip
    assert (targets.version, targets.expires, targets.seen_on) == ("3", EXPIRES, SEEN)
    assert targets.kept == 2, "the files of the releases before"
    claims = {one.path: one.says for one in targets.claims}
    assert claims["expires"].startswith("2030-01-01")
    assert claims["app-3.bin: custom"] == '{"rollout": "10%"}'
    assert [one.certificate for one in targets.signers] == [TARGETS.pin]
    for name, listed in (("snapshot.json", "targets.json"), ("timestamp.json", "snapshot.json")):
        fact = found[name]
        assert isinstance(fact, ManifestFact)
        assert fact.refused is None, fact.refused
        assert fact.recomputed == tuple(f"{listed}: {f}" for f in ("version", "size", "sha256"))


def test_three_releases_follow_each_other() -> None:
    for before, release in pairwise(RELEASES):
        name = f"app-{release.version}.bin"
        old = before.published()
        scene = GOOD.but(
            shipped={**release.published(), name: APP[name]},
            rebuilt={name: APP[name]},
            manifests={
                one: declared.model_copy(update={"previous": _digest(old[one])})
                for one, declared in GOOD.manifests.items()
            },
            bases=tuple(old.values()),
        )
        facts = scene.found().values()
        assert not [one for one in facts if not isinstance(one, ManifestFact) or one.refused]


def test_metadata_that_the_build_leaves_gets_the_vendors_signature() -> None:
    built = {**GOOD.rebuilt, "targets.json": written(THIRD.targets)}
    facts = GOOD.but(rebuilt=built).facts()
    assert isinstance(facts.grafts["targets.json"], Graft)
    targets = facts.manifests["targets.json"]
    assert isinstance(targets, ManifestFact)
    assert targets.refused is None
    assert [one.certificate for one in targets.signers] == [TARGETS.pin]


def test_files_of_other_releases_are_claims_where_the_recipe_says_so() -> None:
    alone = DeclaredManifest(format=ManifestName.TUF_TARGETS, others=("app-1.bin", "app-2.bin"))
    shipped = {name: GOOD.shipped[name] for name in ("targets.json", "app-3.bin")}
    scene = GOOD.but(shipped=shipped, manifests={"targets.json": alone})
    found = scene.found()["targets.json"]
    assert isinstance(found, ManifestFact)
    assert (found.refused, found.kept) == (None, 0)
    said = {one.path for one in found.claims if one.path.startswith(("app-1", "app-2"))}
    fields = ("size", "sha256", "sha512")
    assert said == {f"app-{n}.bin: {name}" for n in (1, 2) for name in fields}


def test_metadata_with_versions_in_its_names_is_found() -> None:
    snapshot = THIRD.published()["snapshot.json"]
    shipped = {n: d for n, d in GOOD.shipped.items() if n in {"app-3.bin", "timestamp.json"}}
    scene = GOOD.but(
        shipped={**shipped, "3.snapshot.json": snapshot},
        manifests={
            "timestamp.json": GOOD.manifests["timestamp.json"],
            "3.snapshot.json": DeclaredManifest(
                format=ManifestName.TUF_SNAPSHOT, others=("targets.json",)
            ),
        },
        pins={**GOOD.pins, "3.snapshot.json": GOOD.pins["snapshot.json"]},
    )
    found = scene.found()["timestamp.json"]
    assert isinstance(found, ManifestFact)
    assert found.refused is None, found.refused


def test_other_roles_in_a_snapshot_are_claims_by_their_versions() -> None:
    meta = MetaFile.from_data(3, GOOD_TARGETS, ["sha256"])
    scene = _others(
        _snapshot({"targets.json": meta, "role.json": MetaFile(version=7)}),
        "snapshot.json",
        others=("role.json",),
    )
    found = scene.found()["snapshot.json"]
    assert isinstance(found, ManifestFact)
    assert found.refused is None, found.refused
    claims = {one.path: one.says for one in found.claims}
    assert {name: says for name, says in claims.items() if "role.json" in name} == {
        "role.json: version": "7"
    }


def test_targets_may_stay_as_they_are_when_their_snapshot_is_renewed() -> None:
    old = THIRD.published()["snapshot.json"]
    renewed = written(replace(THIRD, version=4).snapshot(GOOD_TARGETS, 3), SNAPSHOT)
    scene = GOOD.served(snapshot_json=renewed).but(bases=(*GOOD.bases, old))
    found = _others(scene, "snapshot.json", previous=_digest(old)).found()["snapshot.json"]
    assert isinstance(found, ManifestFact)
    assert found.refused is None, found.refused


def _digest(data: bytes) -> Any:
    from builders.core.digest import Digest

    return Digest.of(data)


def _targets(change: Callable[[Any], None], **more: Any) -> ManifestScene:
    """Return a release whose targets are changed, with snapshot and timestamp that fit."""
    changed = THIRD.targets
    change(changed)
    targets = written(changed, TARGETS)
    snapshot = written(THIRD.snapshot(targets), SNAPSHOT)
    timestamp = written(THIRD.timestamp(snapshot), TIMESTAMP)
    names = ("targets.json", "snapshot.json", "timestamp.json")
    shipped = dict(zip(names, (targets, snapshot, timestamp), strict=True))
    return GOOD.but(shipped={**GOOD.shipped, **shipped}, **more)


def _of_app(**fields: Any) -> Callable[[Any], None]:
    def change(targets: Any) -> None:
        for name, value in fields.items():
            setattr(targets.targets["app-3.bin"], name, value)

    return change


def _with_digest(**digests: str) -> Callable[[Any], None]:
    return lambda targets: targets.targets["app-3.bin"].hashes.update(digests)


def _listed(path: str, of: str) -> Callable[[Any], None]:
    def change(targets: Any) -> None:
        targets.targets[path] = targets.targets[of]

    return change


def _snapshot(meta: Mapping[str, MetaFile], version: int = 3) -> ManifestScene:
    made = written(Snapshot(version=version, expires=EXPIRES, meta=dict(meta)), SNAPSHOT)
    timestamp = written(THIRD.timestamp(made), TIMESTAMP)
    return GOOD.served(snapshot_json=made, timestamp_json=timestamp)


def _others(scene: ManifestScene, name: str, **fields: Any) -> ManifestScene:
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
        lambda: _snapshot({"targets.json": MetaFile(version=4)}),
    ),
    "a snapshot that names an older version": (
        "downgrade", "snapshot.json", lambda: _snapshot({"targets.json": MetaFile(version=1)}),
    ),
    "a snapshot that forgets targets": (
        "unlisted-file", "snapshot.json", lambda: _snapshot({"role.json": MetaFile(version=1)}),
    ),
    "a snapshot with a role that nobody declared": (
        "undeclared-file", "snapshot.json",
        lambda: _snapshot({
            "targets.json": MetaFile.from_data(3, GOOD_TARGETS, ["sha256"]),
            "role.json": MetaFile(version=1),
        }),
    ),
    "a wrong length": ("wrong-length", "targets.json", lambda: _targets(_of_app(length=1))),
    "a wrong length of targets": (
        "mixed-snapshots", "snapshot.json",
        lambda: _snapshot({"targets.json": MetaFile(version=3, length=1)}),
    ),
    "a wrong digest": (
        "field-mismatch", "targets.json", lambda: _targets(_with_digest(sha256="0" * 64)),
    ),
    "a second digest that is wrong": (
        "field-mismatch", "targets.json", lambda: _targets(_with_digest(sha512="0" * 128)),
    ),
    "a digest that proves nothing": (
        "unsupported-feature", "targets.json", lambda: _targets(_with_digest(sha1x="0" * 64)),
    ),
    "a digest that is none": (
        "manifest-unreadable", "targets.json", lambda: _targets(_with_digest(sha256="secret")),
    ),
    "another file than ours": (
        "field-mismatch", "targets.json",
        lambda: GOOD.but(rebuilt={"app-3.bin": APP["app-3.bin"].swapcase()}),
    ),
    "a file that was not rebuilt": (
        "target-not-rebuilt", "targets.json", lambda: GOOD.but(rebuilt={}),
    ),
    "a file of the release that is not listed": (
        "unlisted-file", "targets.json", lambda: _targets(lambda t: t.targets.pop("app-3.bin")),
    ),
    "a file that the recipe says is listed": (
        "unlisted-file", "targets.json",
        lambda: _others(
            _targets(lambda t: t.targets.pop("app-3.bin")), "targets.json",
            files={"a/b.bin": "app-3.bin"},
        ),
    ),
    "an output that the recipe says is listed": (
        "unlisted-file", "targets.json",
        lambda: _others(
            GOOD.but(rebuilt={**GOOD.rebuilt, "extra.bin": b"x"}), "targets.json",
            files={"a/extra.bin": "extra.bin"},
        ),
    ),
    "a file that nobody declared": (
        "undeclared-file", "targets.json", lambda: _targets(_listed("evil.bin", "app-1.bin")),
    ),
    "another digest for an old file": (
        "undeclared-file", "targets.json", lambda: _targets(_listed("app-1.bin", "app-2.bin")),
    ),
    "a file under two paths": (
        "field-mismatch", "targets.json", lambda: _targets(_listed("a/app-3.bin", "app-3.bin")),
    ),
    "nothing of this release": (
        "nothing-recomputed", "targets.json",
        lambda: _targets(
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
        lambda: _others(
            GOOD.but(bases=(*GOOD.bases, b"{}")), "targets.json", previous=_digest(b"{}")
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
        lambda: _targets(lambda t: setattr(t, "version", 1)).but(judged=None),
    ),
    "the snapshot before for the targets before": (
        "wrong-base", "targets.json",
        lambda: _others(GOOD, "targets.json", previous=_digest(BEFORE["snapshot.json"])),
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


@pytest.mark.parametrize("name", DRILLS)
def test_a_manifest_that_must_not_pass_is_refused_by_name(name: str) -> None:
    fault, artefact, scene = DRILLS[name]
    found = scene().found()[artefact]
    assert isinstance(found, ManifestFact), found
    assert found.refused is not None
    assert found.refused.fault == fault, found.refused
    assert found.refused.detail.isprintable()
    assert not found.recomputed


def test_expiry_is_judged_when_a_manifest_was_first_fetched() -> None:
    later = replace(THIRD, expires=SEEN + timedelta(days=1))
    found = published(later).found()["timestamp.json"]
    assert isinstance(found, ManifestFact)
    assert found.refused is None
    assert found.expires is not None
    assert found.expires < datetime(2027, 1, 1, tzinfo=UTC)


def test_without_a_jail_nothing_is_said_of_a_manifest() -> None:
    unavailable = JailUnavailableError("no jail", got="nothing")
    assert all(isinstance(one, Unread) for one in GOOD.but(failing=unavailable).found().values())


def test_a_manifest_that_breaks_its_reader_is_refused() -> None:
    broken = JailFailedError(JailEnd.OUT_OF_MEMORY, "too much", got="512 MiB")
    for found in GOOD.but(failing=broken).found().values():
        assert isinstance(found, ManifestFact)
        assert found.refused is not None
