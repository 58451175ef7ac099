"""What a replay answers: of the same bytes, of others, of a build that fails here or there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.core.errors import RecipeError
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.center.center import Center
from pipelines.evidence.privatekey import PrivateKey, create_key
from pipelines.evidence.salt import Salt, keep_salt
from pipelines.signer import Evidence
from pipelines.verify.replay import NotRepeatableError, Replay, compare_with, find_replay_recipe
from pipelines.verify.session import Session
from tests.bundle.bundles import made
from tests.lab import write_recipe
from tests.signer.scene import OURS, RELEASE, Scene

SALT = Salt(secret=bytes(range(32)))
BUILT = {"rules.bin": OURS, "rules.idx": b"index", "rules.debug": b"symbols"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    return create_key(tmp_path_factory.mktemp("key"), "statements")


def records(folder: Path, key: PrivateKey, scene: str = "identical") -> OpenedBundle:
    altered = made(folder / "there", key, scene=scene)
    return OpenedBundle(data=altered.to_bytes(), trust=altered.trust())


def built(folder: Path, files: Mapping[str, bytes]) -> RebuildResult:
    """Return a rebuild that has left these files in the new `folder`."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return RebuildResult(
        outcome=Outcome.BUILT,
        outputs=tuple(
            Output(
                name=name,
                size=len(data),
                sha256=Digest.of(data),
                part=OutputKind.BY_PRODUCT if name.endswith("debug") else OutputKind.ARTEFACT,
            )
            for name, data in files.items()
        ),
    )


def compared(folder: Path, key: PrivateKey, files: Mapping[str, bytes]) -> Replay:
    here = folder / "here"
    return compare_with(records(folder, key), built(here, files), here, None, "a recipe")


def test_the_same_files_have_the_seal_of_the_center(tmp_path: Path, key: PrivateKey) -> None:
    found = compared(tmp_path, key, BUILT)
    assert (found.answer, found.seal) == ("repeated", True)
    assert [file.name for file in found.artefacts] == ["rules.bin", "rules.idx"]
    assert [file.name for file in found.by_products] == ["rules.debug"]
    assert all(file.same for file in (*found.artefacts, *found.by_products))


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        ({"rules.bin": b"others"}, "other"),
        ({"rules.idx": None}, "other"),
        ({"rules.debug": b"another path in it"}, "repeated"),
        ({"more": b"!"}, "repeated"),
    ],
    ids=["other bytes", "not built", "another by-product", "one more output"],
)
def test_what_is_not_the_same_has_another_seal(
    tmp_path: Path, key: PrivateKey, files: Mapping[str, bytes | None], answer: str
) -> None:
    here = {name: data for name, data in {**BUILT, **files}.items() if data is not None}
    found = compared(tmp_path, key, here)
    assert (found.answer, found.seal) == (answer, False)


@pytest.mark.parametrize(
    ("scene", "here", "answer"),
    [
        ("identical", Outcome.BUILD_FAILED, "not-compared"),
        ("failed", Outcome.BUILT, "other"),
        ("failed", Outcome.BUILD_FAILED, "repeated"),
        ("failed", Outcome.TIMED_OUT, "not-compared"),
        ("broken", Outcome.INFRASTRUCTURE_ERROR, "not-compared"),
        ("unavailable", Outcome.BUILT, "not-compared"),
    ],
)
def test_a_build_that_fails_is_repeated_by_one_that_fails_so(
    tmp_path: Path, key: PrivateKey, scene: str, here: Outcome, answer: str
) -> None:
    rebuilt = RebuildResult(outcome=here, reason="exit code 2")
    found = compare_with(records(tmp_path, key, scene), rebuilt, tmp_path, None, "a recipe")
    assert (found.answer, found.artefacts, found.seal) == (answer, (), None)


def test_a_recipe_with_another_claim_repeats_nothing(tmp_path: Path, key: PrivateKey) -> None:
    run = records(tmp_path, key)
    with Session(Center(id="local", home=tmp_path / "home", store=tmp_path / "store")) as session:
        with pytest.raises(NotRepeatableError, match="with a script file"):
            find_replay_recipe(session, run, None, tmp_path)
        given = write_recipe(tmp_path / "rules", [["true"]])
        with pytest.raises(NotRepeatableError, match="it is the recipe of lab/rules@1"):
            find_replay_recipe(session, run, given, tmp_path)
        same = (
            given.read_text()
            .replace('"lab"', '"acme"')
            .replace('"version": "1"', '"version": "1.10"')
        )
        given.write_text(same)
        with pytest.raises(NotRepeatableError, match="its claim here is"):
            find_replay_recipe(session, run, given, tmp_path)
        own = tmp_path / "there/recipe/recipe.yaml"
        assert find_replay_recipe(session, run, own, tmp_path).path == own
        with pytest.raises((NotRepeatableError, RecipeError)):
            find_replay_recipe(session, run, tmp_path / "nowhere.yaml", tmp_path)


class Closed(Scene):
    """A run whose source is closed."""

    def make(self) -> Evidence:
        keep_salt(self.store, RELEASE, SALT)
        return super().make()


def test_a_closed_source_is_repeated_by_who_has_its_salt_and_its_recipe(
    tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.bundle.bundles.Scene", Closed)
    altered = made(tmp_path / "there", key, visibility="private")
    run = OpenedBundle(data=altered.to_bytes(), trust=altered.trust())
    own, here = tmp_path / "there/recipe/recipe.yaml", tmp_path / "here"
    with Session(Center(id="local", home=tmp_path / "home", store=tmp_path / "store")) as session:
        with pytest.raises(NotRepeatableError, match="is closed, so that its digests are keyed"):
            find_replay_recipe(session, run, own, tmp_path)
        keep_salt(session.store, RELEASE, SALT)
        assert find_replay_recipe(session, run, own, tmp_path).path == own
        with pytest.raises(NotRepeatableError, match="how it is built is not published"):
            find_replay_recipe(session, run, None, tmp_path)
    found = compare_with(run, built(here, BUILT), here, SALT, "a recipe")
    assert (found.answer, found.seal, found.by_products) == ("repeated", True, ())
    (here / "rules.bin").write_bytes(b"others")
    changed = RebuildResult(
        outcome=Outcome.BUILT,
        outputs=(
            Output(name="rules.bin", size=6, sha256=Digest.of(b"others"), part=OutputKind.ARTEFACT),
        ),
    )
    assert compare_with(run, changed, here, SALT, "a recipe").answer == "other"
