"""A vendor's gate: candidates are judged before they ship, and leave no evidence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from builders.core.errors import RecipeError, UsageError
from builders.images.provide import ProvidedImage
from builders.recipe.recipe import load_recipe
from pipelines.center.center import Center
from pipelines.evidence.report import Report
from pipelines.verify.session import Session
from pipelines.verify.unpublished import require_candidates
from tests.command import RELEASES, samebits
from tests.lab import SOURCE, verified, write_recipe
from tests.verify.test_updates import Shipped, bsdiff, full, release

BUILD = [["sh", "-c", "tr a-z A-Z < /inputs/source/source.c > /out/out.bin"]]
BUILT = SOURCE.upper()
NO_POLICY = "nothing can be believed of any file without a policy"
UNSHIPPED = [{"name": "out.bin"}]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of a release that has not shipped: nothing says where its file is."""
    made = write_recipe(tmp_path / "tool", BUILD, artefacts=UNSHIPPED)
    (made.parent / "out.bin").unlink()
    return made


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "out.bin").write_bytes(BUILT)
    return folder


def evidence_of(home: Path) -> list[str]:
    """Return all that a store has beside the vault, what was fetched into it, and its format."""
    store = home / "store"
    files = [str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()]
    vault = ("private/vault/", "private/fetched/")
    return [name for name in files if name != "format" and not name.startswith(vault)]


@pytest.mark.parametrize(
    ("bytes_of", "code", "verdict"), [(BUILT, 0, "IDENTICAL"), (b"other\n", 1, "DIFFERENT")]
)
def test_a_candidate_is_judged_and_nothing_is_kept(
    recipe: Path, dist: Path, tmp_path: Path, build_image: ProvidedImage,
    bytes_of: bytes, code: int, verdict: str,
) -> None:  # fmt: skip
    (dist / "out.bin").write_bytes(bytes_of)
    home = tmp_path / "home"
    ended = samebits("verify", recipe, "--candidate", dist, "--json", home=home)
    assert ended.code == code
    (document,) = ended.document()["reports"]
    assert (document["unpublished"], document["verdict"]) == ("candidate", verdict)
    assert document["seal"] is None
    causes = [cause["name"] for cause in ended.document()["causes"]]
    assert causes == ([] if code == 0 else ["content"]), "they are read before the files are gone"
    assert evidence_of(home) == []
    with pytest.raises(ValidationError, match="unpublished"):
        Report.model_validate(document)  # so that no store, signer or bundle takes it
    assert samebits("evidence", "list", "--json", home=home).document()["runs"] == []
    known = samebits("check", dist / "out.bin", "--json", home=home)
    assert (known.code, known.document()["error"]["what"]) == (2, NO_POLICY)
    assert not {"keys", "policy"} & {path.name for path in home.iterdir()}


def test_every_format_says_that_it_was_a_candidate(
    recipe: Path, dist: Path, home: Path, build_image: ProvidedImage
) -> None:
    (dist / "SHA256SUMS").touch()
    for form in ("text", "json", "junit", "sarif", "github"):
        ended = samebits("verify", recipe, "--candidate", dist, "--format", form, home=home)
        assert ended.code == 0, ended.err
        assert "candidate" in ended.out
        assert "not judged, since no artefact has the name: SHA256SUMS" in ended.err
    assert "samebits evidence show" not in ended.out


def test_a_candidate_needs_no_key(
    recipe: Path, dist: Path, tmp_path: Path, build_image: ProvidedImage
) -> None:
    """As on a machine of the release pipeline, which has the policy alone."""
    center = tmp_path / "center.yaml"
    center.write_text(
        "schema: samebits/center/v1\nid: acme\noperator: acme\nregion: europe\nhome: center\n"
        f"recipes: {RELEASES.parent}\n"
    )
    assert samebits("center", "init", "--center", center, home=tmp_path).code == 0
    shutil.rmtree(tmp_path / "center" / "keys")
    words = ("verify", recipe, "--candidate", dist, "--center", center)
    assert samebits(*words, home=tmp_path).code == 0
    assert not (tmp_path / "center" / "keys").exists()


def test_a_pinned_digest_counts_for_a_candidate_too(
    dist: Path, tmp_path: Path, home: Path, build_image: ProvidedImage
) -> None:
    pinned = write_recipe(tmp_path / "pinned", BUILD, shipped=b"what the notes promise")
    ended = samebits("verify", pinned, "--candidate", dist, "--json", home=home)
    (document,) = ended.document()["reports"]
    assert (ended.code, document["verdict"]) == (1, "SHIPPED_MISMATCH")


def test_a_dry_run_judges_what_was_shipped_and_logs_nothing(
    tmp_path: Path, build_image: ProvidedImage
) -> None:
    shipped = write_recipe(tmp_path / "dry", BUILD, shipped=BUILT)
    home = tmp_path / "home"
    ended = samebits("verify", shipped, "--dry-run", "--json", home=home)
    (document,) = ended.document()["reports"]
    assert (ended.code, document["unpublished"], document["verdict"]) == (0, "dry-run", "IDENTICAL")
    assert evidence_of(home) == []


def test_a_private_candidate_leaves_no_salt(
    dist: Path, tmp_path: Path, build_image: ProvidedImage
) -> None:
    closed = write_recipe(
        tmp_path / "closed",
        BUILD,
        artefacts=UNSHIPPED,
        visibility="private",
        reviews={"minimum": 1},
    )
    home = tmp_path / "home"
    ended = samebits("verify", closed, "--candidate", dist, "--json", home=home)
    (document,) = ended.document()["reports"]
    assert (ended.code, document["outcome"]) == (2, "SOURCE_NOT_REVIEWED")
    assert evidence_of(home) == []


def test_an_unshipped_recipe_says_what_is_missing_wherever_it_is_used(
    recipe: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        RecipeError, match=r"artefacts.0.shipped: artefact out.bin has no `shipped`"
    ):
        load_recipe(recipe)
    (artefact,) = load_recipe(recipe, unshipped=True).recipe.artefacts
    with pytest.raises(UsageError, match="--candidate DIR"):
        _ = artefact.published
    home = tmp_path / "home"
    for words in (("verify",), ("verify", "--dry-run"), ("vault", "export", tmp_path / "v.tar")):
        ended = samebits(*words, recipe, "--json", home=home)
        assert ended.code == 64
        assert "`samebits verify --candidate DIR`" in ended.document()["error"]["todo"]
        ended.assert_clear()


def test_the_linter_takes_an_unshipped_recipe_and_says_so(recipe: Path, home: Path) -> None:
    ended = samebits("recipe", "lint", recipe, home=home)
    assert ended.code == 0
    assert "no `shipped` for out.bin" in ended.out


def test_a_missing_candidate_is_reported_before_anything_runs(
    recipe: Path, dist: Path, home: Path
) -> None:
    (dist / "out.bin").rename(dist / "out.exe")
    ended = samebits("verify", recipe, "--candidate", dist, "--format=json", home=home)
    assert ended.code == 64
    error = ended.document()["error"]
    assert "has no candidate of out.bin" in error["what"]
    assert error["got"] == "out.exe"
    ended = samebits("verify", recipe, "--candidate", dist / "none", home=home)
    assert ended.code == 64
    ended.assert_clear()
    empty = dist / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="empty folder"):
        require_candidates([load_recipe(recipe, unshipped=True)], empty)


@pytest.mark.parametrize(
    "words",
    [("--flow", "--dry-run"), ("--json", "--format", "junit"), ("--fresh", "--offline")],
)
def test_options_that_contradict_each_other_are_refused(
    recipe: Path, home: Path, words: tuple[str, ...]
) -> None:
    ended = samebits("verify", recipe, *words, home=home)
    assert ended.code == 64
    ended.assert_clear()


def test_json_is_the_format_json(tmp_path: Path, home: Path, build_image: ProvidedImage) -> None:
    shipped = write_recipe(tmp_path / "same", BUILD, shipped=BUILT)
    documents = [
        json.loads(samebits("verify", shipped, *words, home=home).out)
        for words in (("--json",), ("--format", "json"), ("--json", "--format", "json"))
    ]
    assert [next(iter(document)) for document in documents] == ["reports"] * 3
    assert len({tuple(document["reports"][0]) for document in documents}) == 1


def test_a_candidate_of_an_update_is_judged_on_what_the_center_has_verified(
    center: Center, session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    old, new = full("7.0"), full("7.1")
    base = ("lab/agent@7.0", old)
    recipe = release(
        tmp_path / "agent" / "7.1",
        "7.1",
        rebuilt=Shipped(delta=bsdiff(new), base=base, judged="rebuilt"),
        applied=Shipped(delta=bsdiff(new, 0), base=base),
        swapped=Shipped(delta=bsdiff(full("6.6")), base=base),
    )
    dist = tmp_path / "dist"
    dist.mkdir()
    document = yaml.safe_load(recipe.read_text())
    for artefact in document["artefacts"]:
        (recipe.parent / artefact["name"]).rename(dist / artefact["name"])
        del artefact["shipped"]
    recipe.write_text(yaml.safe_dump(document))
    command = ("verify", recipe, "--candidate", dist, "--json")

    def judged() -> dict[str, tuple[str, str]]:
        ended = samebits(*command, home=center.home)
        (report,) = ended.document()["reports"]
        reasons = {f["name"]: f["reason"].partition(":")[0] for f in report["artefacts"]}
        return {f["name"]: (f["verdict"], reasons[f["name"]]) for f in report["artefacts"]}

    assert judged()["rebuilt.bsdiff"] == ("NOT_CHECKED", "base-not-judged")
    verified(session, release(tmp_path / "agent" / "7.0", "7.0"))
    found = judged()
    assert found["swapped.bsdiff"] == ("DIFFERENT", "application-mismatch")
    assert {name: verdict for name, (verdict, _) in found.items()} == {
        "agent-7.1.bin": "IDENTICAL",
        "rebuilt.bsdiff": "IDENTICAL",
        "applied.bsdiff": "EQUIVALENT",
        "swapped.bsdiff": "DIFFERENT",
    }
    assert not list(session.store.list("public/releases/lab/agent/7.1/"))
