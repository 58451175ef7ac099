"""Inference in real containers, with the real index: one release, and attacks on the same one."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from builders.core.digest import digest_file
from builders.core.enums import Outcome, Verdict
from builders.images.provide import ProvidedImage, ensure_image
from builders.locators.package_index import IndexReader
from pipelines.infer.journal import JournalFile, SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.infer.target import Pin, Target
from pipelines.infer.wheel.distributions import find_release
from pipelines.infer.wheel.search import infer_wheel
from pipelines.verify.session import Session
from tests.command import samebits
from tests.infer.workbench import Entry, sdist

pytestmark = [pytest.mark.network, pytest.mark.engine]

SIX = "pkg:pypi/six@1.17.0"
ONE_TRY = SearchLimits(tries=1, one=60)


@pytest.fixture(scope="module")
def index() -> IndexReader:
    return IndexReader()


@pytest.fixture(scope="module")
def image(session: Session) -> ProvidedImage:
    return ensure_image("python-wheel", session.images, session.engine, session.workdir)


@pytest.fixture(scope="module")
def six(session: Session, index: IndexReader, image: ProvidedImage) -> tuple[Target, SearchJournal]:
    target = find_release(SIX, index)
    return target, infer_wheel(target, session, index)


def local(session: Session, path: Path, known: Pin) -> Pin:
    """Put a file into the vault in place of `known`."""
    digest = digest_file(path)
    session.vault.add(path, digest, what=path.name)
    return replace(known, sha256=digest)


def planted(session: Session, target: Target, folder: Path) -> Path:
    """Return the shipped wheel with one file more."""
    path = folder / target.shipped.name
    session.vault.stage(target.shipped.sha256, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("six_update.py", "import socket\n")
    return path


def test_a_release_becomes_a_recipe_that_builds_to_its_bytes(
    six: tuple[Target, SearchJournal], home: Path, tmp_path: Path
) -> None:
    _, journal = six
    assert (journal.status, journal.tries[-1].verdict) == ("identical", Verdict.IDENTICAL)
    assert {s.name for s in journal.scalars} == {"image", "setuptools", "clock"}
    assert journal.bits < 64
    recipe = tmp_path / "pypi/six/1.17.0.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(journal.recipe or "")
    linted = samebits("recipe", "lint", recipe, home=home)
    assert linted.code == 0, linted.err
    assert "inferred: clock 2024-12-04T17:35:24Z (31 bits)" in linted.out
    built = samebits("rebuild", recipe, "--out", tmp_path / "out", home=home)
    assert built.code == 0, built.err
    assert digest_file(tmp_path / "out" / journal.artefact) == journal.shipped


def test_a_second_run_returns_what_the_first_one_found(
    six: tuple[Target, SearchJournal], session: Session, index: IndexReader
) -> None:
    target, journal = six
    assert infer_wheel(target, session, index) == journal
    assert JournalFile(session.center.home, target).load() == journal


def test_a_planted_file_finds_no_recipe(
    six: tuple[Target, SearchJournal], session: Session, index: IndexReader, tmp_path: Path
) -> None:
    target, _ = six
    pin = local(session, planted(session, target, tmp_path), target.shipped)
    attacked = replace(target, artefacts=(pin,), digest=pin.sha256)
    journal = infer_wheel(attacked, session, index, SearchLimits(tries=4))
    assert journal.status == "different"
    assert "files-added-by-the-vendor" in {c.name for c in journal.causes}
    assert any("six_update.py" in c.detail for c in journal.causes)
    assert any("six_update.py is not in RECORD" in note for note in journal.notes)
    assert "socket" not in (journal.recipe or "")


def test_a_source_that_holds_the_shipped_file_proves_nothing(
    six: tuple[Target, SearchJournal], session: Session, index: IndexReader, tmp_path: Path
) -> None:
    target, _ = six
    shipped = tmp_path / "shipped"
    session.vault.stage(target.shipped.sha256, shipped)
    script = "import shutil,sys,glob\nfrom setuptools import setup\nsetup(name='six')\n"
    source = sdist(
        tmp_path / target.source.name,
        {
            "setup.py": Entry(data=script.encode()),
            target.shipped.name: Entry(data=shipped.read_bytes()),
        },
        top="six-1.17.0",
    )
    copied = replace(target, source=local(session, source, target.source))
    journal = infer_wheel(copied, session, index, ONE_TRY)
    assert journal.status != "identical"
    assert "copied-input" in journal.reason


def test_a_build_that_never_ends_is_one_finding(
    six: tuple[Target, SearchJournal], session: Session, index: IndexReader, tmp_path: Path
) -> None:
    target, _ = six
    source = sdist(
        tmp_path / target.source.name,
        {"setup.py": Entry(data=b"while True: pass\n")},
        top="six-1.17.0",
    )
    endless = replace(target, source=local(session, source, target.source))
    journal = infer_wheel(endless, session, index, SearchLimits(tries=1, one=6))
    assert (journal.status, journal.tries[0].outcome) == ("build failed", Outcome.TIMED_OUT)
    assert [c.name for c in journal.causes] == ["build-does-not-end"]


def test_a_release_that_does_not_exist_is_one_clear_line(home: Path) -> None:
    done = samebits("recipe", "new", "pkg:pypi/six@99.0", home=home)
    assert done.code == 2
    done.assert_clear()
    assert "no version 99.0" in done.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        (SIX, "--from-file", "a.whl", "--source", "b.tar.gz"),
        ("--from-file", "a.whl"),
        (SIX, "--time", "soon"),
        ("pkg:npm/six@1.0",),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    home: Path, words: tuple[str, ...]
) -> None:
    done = samebits("recipe", "new", *words, home=home)
    assert done.code == 64
    done.assert_clear()


def test_an_existing_recipe_is_not_overwritten(home: Path, tmp_path: Path) -> None:
    (tmp_path / "six.yaml").write_text("mine")
    done = samebits("recipe", "new", SIX, "--out", tmp_path / "six.yaml", home=home)
    assert done.code == 64
    assert (tmp_path / "six.yaml").read_text() == "mine"
