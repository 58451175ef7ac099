"""Pruning: what nobody names goes, what the log stands on stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders.container.scratch import IMAGE, scratch
from builders.core.digest import Digest
from builders.core.errors import EngineError
from builders.core.runid import new_run_id
from builders.engine.engine import NamedImage
from builders.images.lock import load_lock
from builders.inputs.vault import Vault
from builders.rebuild.workspace import workspace
from pipelines.center.center import load_center
from pipelines.nightly.prune import find_prunable, prune
from pipelines.nightly.record import night_key, result_key
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import private_twin
from pipelines.storage.outbox import CachingStore
from pipelines.verify.session import Session
from tests.bundle.test_export import RELEASE, Filled
from tests.command import samebits
from tests.fakes.disk import make_deep
from tests.fakes.store import MemoryStore
from tests.signer.scene import IMAGES

MONTH = timedelta(days=31)


class EngineOfNames:
    """All that pruning asks of an engine."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.used = ""

    def named_images(self) -> list[NamedImage]:
        return [NamedImage(name=name, size=1) for name in sorted(self.names)]

    def remove_image(self, name: str) -> None:
        if name == self.used:
            raise EngineError("the engine does not remove the image", got="in use")
        self.names = self.names - {name}

    def close(self) -> None:
        """There is no connection."""


class Old(Filled):
    """A center with one logged run, all of whose files are a month old."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "identical")
        (folder / "recipes/releases").mkdir(parents=True)
        self.recipe = folder / "recipes/releases/other.yaml"
        with self.file.open("a") as file:
            file.write(f"recipes: {folder}/recipes\nengine: unix:///nowhere\n")

    @property
    def session(self) -> Session:
        session = Session(load_center(self.file))
        session.__dict__["engine"] = EngineOfNames()
        return session

    def add(self, content: bytes) -> str:
        """Add an input to the vault, and return its name."""
        path = self.stage.folder / "input"
        path.write_bytes(content)
        digest = Digest.of(content)
        Vault(self.store).add(path, digest, what="an input")
        return Vault.key(digest)

    def age(self) -> None:
        then = time.time() - MONTH.total_seconds()
        for path in self.stage.folder.rglob("*"):
            os.utime(path, (then, then), follow_symlinks=False)

    def found(self, kind: str, recipes: tuple[Path, ...] = ()) -> list[str]:
        with self.session as session:
            pruning = find_prunable(session, now=datetime.now(UTC), recipes=recipes)
        return [one.name for one in pruning.found if one.kind == kind]

    def prune(self, *words: str) -> dict[str, object]:
        words = ("center", "prune", *words, "--json", "--center", str(self.file))
        ended = samebits(*words, home=self.stage.folder / "user")
        assert ended.code == 0, ended.err
        document: dict[str, object] = ended.document()
        return document


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path)


def test_an_input_that_nothing_names_is_removed_on_yes_alone(old: Old) -> None:
    stray = old.add(b"a stray input")
    old.age()
    told = old.prune()
    assert told["found"] == [{"kind": "inputs", "name": stray, "bytes": 13}]
    assert (told["bytes"], told["removed"]) == (13, False)
    assert old.store.has(stray)
    assert old.prune("--yes")["removed"]
    assert not old.store.has(stray)
    assert old.prune()["found"] == []


def test_what_a_logged_statement_names_stays_without_any_recipe(old: Old) -> None:
    """The run's inputs and shipped files; and it can be exported and checked as before."""
    before = sorted(old.store.list("private/"))
    assert [key for key in before if "/vault/" in key]
    old.age()
    assert old.prune("--yes")["found"] == []
    assert sorted(old.store.list("private/")) == before
    out = old.home / "b.tar"
    words = ("evidence", "export", str(RELEASE), "--out", out, "--center", old.file)
    assert samebits(*words, home=old.home).code == 0


def test_what_a_recipe_names_stays_and_what_its_inputs_name(old: Old, tmp_path: Path) -> None:
    tar = old.add(b"upstream.tar")
    dsc = f"Checksums-Sha256:\n {Digest.of(b'upstream.tar')} 12 upstream.tar\n".encode()
    source = old.add(dsc)
    old.age()
    assert old.found("inputs") == sorted([tar, source])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "r.yaml").write_text(f"sha256: {Digest.of(dsc)}\n")
    assert old.found("inputs", (elsewhere,)) == []
    old.recipe.write_text(f"sha256: {Digest.of(dsc)}\n")
    assert old.found("inputs") == []


def test_what_is_new_stays_and_so_does_everything_while_a_run_lives(old: Old) -> None:
    stray = old.add(b"a stray input")
    assert old.found("inputs") == []
    old.age()
    assert old.found("inputs") == [stray]
    with workspace(old.center.runs, new_run_id()), old.session as session:
        pruning = find_prunable(session, now=datetime.now(UTC))
    assert not pruning.found
    assert any("is alive" in why for why in pruning.skipped)


def test_how_long_is_in_the_center_file(old: Old) -> None:
    stray = old.add(b"a stray input")
    old.age()
    with old.file.open("a") as file:
        file.write("keep: {inputs: 60}\n")
    assert old.found("inputs") == []
    old.file.write_text(old.file.read_text().replace("inputs: 60", "inputs: 20"))
    assert old.found("inputs") == [stray]


def test_caches_that_nobody_used_for_a_month(old: Old) -> None:
    for name in ("cache/contents/aa", "infer/bb/trail.json", "reports/c/index.html", "policy/kept"):
        (old.home / name).parent.mkdir(parents=True, exist_ok=True)
        (old.home / name).write_bytes(b"cached")
    old.age()
    (old.home / "cache/contents/new").write_bytes(b"new")
    told = old.prune("--yes")
    wanted = [str(old.home / "cache/contents/aa"), str(old.home / "infer/bb")]
    wanted += [str(old.home / "reports/c")]
    assert told["found"] == [{"kind": "caches", "name": n, "bytes": 6} for n in wanted]
    assert (old.home / "cache/contents/new").exists()
    assert (old.home / "policy/kept").exists()
    assert not (old.home / "infer/bb").exists()


def test_the_newest_nights_stay_and_results_of_the_others_go(old: Old) -> None:
    nights = [f"2026010{day}T010000Z" for day in range(1, 6)]
    for night in nights:
        key = night_key("zurich", night)
        for name in (key, private_twin(key), result_key("zurich", night, "a/b@1")):
            old.store.put_record(name, b"{}")
    with old.file.open("a") as file:
        file.write("keep: {nights: 2}\n")
    assert len(old.found("nights")) == 3 * 2 + 4
    old.prune("--yes")
    left = list(old.store.list("private/nights/"))
    assert left == sorted(
        [result_key("zurich", nights[-1], "a/b@1")]
        + [private_twin(night_key("zurich", night)) for night in nights[-2:]]
    )
    assert old.found("nights") == []


def test_a_killed_run_that_the_log_knows_is_left(old: Old) -> None:
    known = old.prefix.rstrip("/").rpartition("/")[2]
    for name in (known, "20260102T030405Z-ffffffff"):
        (old.center.runs / name).mkdir(parents=True)
        (old.center.runs / name / "lock").touch()
    old.age()
    assert old.found("runs") == [str(old.center.runs / "20260102T030405Z-ffffffff")]
    old.prune("--yes")
    assert [path.name for path in old.center.runs.iterdir()] == [known]


@pytest.mark.root
def test_what_a_killed_run_has_mounted_is_not_read(old: Old) -> None:
    folder = old.center.runs / "20260102T030405Z-ffffffff"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    old.age()
    with scratch(folder, 16 << 20) as mount:
        make_deep(mount / "work", 300)
        os.utime(mount, (0, 0))
        # Nothing may write to the image from here on: that would make the run look used.
        subprocess.run(("mount", "-o", "remount,ro", mount), check=True)
        for path in (folder, folder / IMAGE):
            os.utime(path, (0, 0))
        assert old.found("runs") == [str(folder)]
        old.prune("--yes")
        assert not folder.exists()


def test_of_a_remote_store_only_copies_of_inputs_go(old: Old, tmp_path: Path) -> None:
    remote = MemoryStore()
    copies = Vault(CachingStore(old.home / "vault", remote))
    for content in (b"wanted", b"stray"):
        (tmp_path / "input").write_bytes(content)
        copies.add(tmp_path / "input", Digest.of(content), what="an input")
    old.recipe.write_text(f"sha256: {Digest.of(b'wanted')}\n")
    old.age()
    with old.session as session:
        session.__dict__["store"] = remote
        pruning = find_prunable(session, now=datetime.now(UTC))
        stray = Vault.key(Digest.of(b"stray"))
        assert [one.name for one in pruning.found if one.kind == "inputs"] == [stray]
        assert any(why.startswith("nights") for why in pruning.skipped)
        assert prune(session, pruning) == ()
    assert not DirectoryStore(old.home / "vault").has(stray)
    assert DirectoryStore(old.home / "vault").has(Vault.key(Digest.of(b"wanted")))
    assert copies.has(Digest.of(b"stray")), "the remote store keeps it"


def test_an_image_of_an_earlier_lock_goes_and_others_stay(old: Old) -> None:
    images = old.stage.folder / "recipes/images"
    shutil.copytree(IMAGES, images)
    lock = load_lock(images / "python-wheel.lock.yaml").image.config.hex[:12]
    names = {f"samebits/python-wheel:{tag}" for tag in (lock, "0123456789ab")}
    names.add("samebits/of-somebody-else:0123456789ab")
    with old.session as session:
        engine = session.engine
        assert isinstance(engine, EngineOfNames)
        engine.names = names
        pruning = find_prunable(session, now=datetime.now(UTC))
        found = [one.name for one in pruning.found if one.kind == "images"]
        assert found == ["samebits/python-wheel:0123456789ab"]
        engine.used = found[0]
        (left,) = prune(session, pruning)
        assert "in use" in left
        engine.used = ""
        assert prune(session, pruning) == ()
        assert engine.names == names - {found[0]}
