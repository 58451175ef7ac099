"""Manifests of an update: what is computed anew, what is claimed, and each fault by its name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from tuf.api.metadata import MetaFile

from builders.core.digest import Digest
from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.compare import Unread
from pipelines.judge.signatures.signature_format import Graft
from pipelines.judge.updates.manifest_format import ManifestFact
from tests.judge.updates.manifest_tricks import (
    DRILLS,
    GOOD,
    GOOD_TARGETS,
    THIRD,
    published,
    redeclared,
    with_snapshot,
)
from tests.judge.updates.tuf_repository import (
    APP,
    EXPIRES,
    RELEASES,
    SEEN,
    SNAPSHOT,
    TARGETS,
    written,
)


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
                one: declared.model_copy(update={"previous": Digest.of(old[one])})
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
    scene = redeclared(
        with_snapshot({"targets.json": meta, "role.json": MetaFile(version=7)}),
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
    found = redeclared(scene, "snapshot.json", previous=Digest.of(old)).found()["snapshot.json"]
    assert isinstance(found, ManifestFact)
    assert found.refused is None, found.refused


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
