"""What stands for a file that a manifest lists, and what the jail says of a manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.jail.errors import JailUnavailableError
from builders.recipe.update import DeltaJudged, DeltaName
from pipelines.judge.compare import Facts, Unreachable, Unread
from pipelines.judge.signatures.signature_format import Graft, Refused, VerifiedSignatures
from pipelines.judge.updates.checked_delta import CheckedBase, CheckedDelta, MadeFile
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.update_fault import UpdateFault, UpdateRefused
from tests.judge.signatures.test_packed_plans import LyingJail
from tests.judge.updates.manifest_scene import ManifestScene, base_run
from tests.judge.updates.tuf_repository import APP, EVE, RELEASES, TARGETS, written

GOOD, THIRD = ManifestScene(), RELEASES[2]
UNSIGNED = written(THIRD.targets)
DELTA = "app-3.delta"


def fault(scene: ManifestScene, name: str) -> str | None:
    """Return what is wrong with a manifest of a release; None if nothing is."""
    found = scene.found()[name]
    assert isinstance(found, ManifestFact), found
    return found.refused.fault if found.refused else None


def faults(scene: ManifestScene) -> dict[str, str | None]:
    return {name: fault(scene, name) for name in scene.found()}


ALL_RIGHT = dict.fromkeys(("targets.json", "snapshot.json", "timestamp.json"))


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.BUILD_FAILED},
        {"input_fault": "an input holds it"},
    ],
)
def test_without_a_build_or_with_a_false_input_no_manifest_is_looked_at(
    changes: dict[str, Any],
) -> None:
    assert GOOD.but(changed=lambda facts: replace(facts, **changes)).found() == {}


def unserved(name: str) -> Callable[[Facts], Facts]:
    def change(facts: Facts) -> Facts:
        return replace(facts, served={**facts.served, name: Unreachable(reason="no answer")})

    return change


def test_our_file_stands_for_one_that_was_not_served() -> None:
    scene = GOOD.but(changed=unserved("app-3.bin"))
    assert faults(scene) == ALL_RIGHT
    assert fault(scene.but(rebuilt={}), "targets.json") == "target-not-rebuilt"


def test_nothing_stands_for_a_manifest_that_was_not_served() -> None:
    assert faults(GOOD.but(changed=unserved("targets.json"))) == {
        "snapshot.json": "target-not-rebuilt",
        "timestamp.json": None,
    }


def test_a_manifest_that_the_build_leaves_is_read_by_the_others() -> None:
    built = {**GOOD.rebuilt, "targets.json": GOOD.shipped["targets.json"]}
    assert faults(GOOD.but(rebuilt=built)) == ALL_RIGHT


def test_a_manifest_is_no_file_that_it_lists() -> None:
    targets = THIRD.targets
    targets.targets["targets.json"] = targets.targets["app-3.bin"]
    scene = GOOD.served(targets_json=written(targets, TARGETS))
    assert fault(scene, "targets.json") == "undeclared-file"


def test_a_signature_that_does_not_count_makes_the_shipped_manifest_not_ours() -> None:
    """The verdict on it is that of its signature, and others do not rest on it."""
    by_eve = written(THIRD.targets, EVE)
    scene = GOOD.served(targets_json=by_eve).but(rebuilt={**GOOD.rebuilt, "targets.json": UNSIGNED})
    facts = scene.facts()
    assert isinstance(facts.grafts["targets.json"], Refused)
    targets, snapshot = facts.manifests["targets.json"], facts.manifests["snapshot.json"]
    assert isinstance(targets, ManifestFact)
    assert (targets.refused, targets.signers) == (None, ())
    assert isinstance(snapshot, ManifestFact)
    assert snapshot.refused is not None
    assert snapshot.refused.fault == "mixed-snapshots"


def test_a_graft_of_another_file_is_not_the_shipped_one() -> None:
    def masked(facts: Facts) -> Facts:
        graft = facts.grafts["targets.json"]
        assert isinstance(graft, Graft)
        other = graft.model_copy(update={"sha256": Digest.of(b"masked")})
        return replace(facts, grafts={"targets.json": other})

    scene = GOOD.but(rebuilt={**GOOD.rebuilt, "targets.json": UNSIGNED})
    assert faults(scene) == ALL_RIGHT
    assert fault(scene.but(changed=masked), "snapshot.json") == "mixed-snapshots"


MADE = MadeFile(sha256=Digest.of(APP["app-3.bin"]), size=len(APP["app-3.bin"]))
APPLIED = CheckedDelta(
    format=DeltaName.BSDIFF,
    judged=DeltaJudged.APPLIED,
    target="app-3.bin",
    published=MADE.sha256,
    base=CheckedBase(release="lab/app@2", sha256=Digest.of(APP["app-2.bin"]), judged=base_run()),
    applied=MADE,
    expected=MADE,
)
MISMATCH = UpdateRefused(fault=UpdateFault.APPLICATION_MISMATCH, detail="another file")


@pytest.mark.parametrize(
    ("delta", "built", "expected"),
    [
        (APPLIED, {}, None),
        (APPLIED.model_copy(update={"refused": MISMATCH}), {}, "target-not-rebuilt"),
        (Unread(reason="no jail"), {}, "target-not-rebuilt"),
        (None, {}, "target-not-rebuilt"),
        (APPLIED, {DELTA: b"another one"}, "wrong-length"),
    ],
)
def test_a_delta_that_gives_our_file_stands_for_itself_where_none_was_built(
    delta: CheckedDelta | Unread | None, built: dict[str, bytes], expected: str | None
) -> None:
    data = b"a delta"
    release = replace(THIRD, files={**THIRD.files, DELTA: data})
    scene = GOOD.but(
        shipped={**GOOD.shipped, **release.published(), DELTA: data},
        rebuilt={**GOOD.rebuilt, **built},
        changed=lambda facts: replace(facts, deltas={DELTA: delta} if delta else {}),
    )
    assert fault(scene, "targets.json") == expected


def test_the_signers_that_the_jail_names_are_the_pinned_ones() -> None:
    nobody = VerifiedSignatures(signers=(), uncovered=())
    scene = GOOD.but(jail=LyingJail(VERIFY=nobody))
    assert faults(scene) == dict.fromkeys(ALL_RIGHT, "signature-refused")


def unavailable(*_: object) -> None:
    raise JailUnavailableError("no jail", got="nothing")


def test_a_manifest_that_no_jail_has_read_is_not_read() -> None:
    found = GOOD.but(jail=LyingJail(MANIFEST=unavailable)).found()
    assert found.keys() == ALL_RIGHT.keys()
    assert all(isinstance(one, Unread) for one in found.values())


def test_a_manifest_that_could_not_be_verified_leaves_the_others() -> None:
    given = iter([unavailable])

    class Jail(LyingJail):
        """A jail that is there from the second signature on."""

        def run(self, reader: Any, *words: Any, **more: Any) -> Any:
            if reader.name.endswith(":VERIFY"):
                next(given, lambda: None)()
            return super().run(reader, *words, **more)

    found = GOOD.but(jail=Jail()).found()
    assert [isinstance(one, Unread) for one in found.values()] == [True, False, False]


def test_what_a_refused_manifest_says_is_told() -> None:
    found = GOOD.but(rebuilt={"app-3.bin": b"another"}).found()["targets.json"]
    assert isinstance(found, ManifestFact)
    assert found.refused is not None
    assert (found.version, found.recomputed) == ("3", ())
    assert "app-3.bin: custom" in {one.path for one in found.claims}
