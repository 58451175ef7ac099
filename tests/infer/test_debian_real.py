"""Debian sources from the real suite in real containers, and sources that cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.core.enums import Verdict
from builders.core.errors import InputMismatchError, InputUnavailableError
from builders.images.provide import ProvidedImage
from builders.locators.fetcher import CompanionLocator, Fetcher, FetchRequest
from builders.recipe.recipe import load_recipe
from pipelines.center.center import Center
from pipelines.infer.debian import search as debiansearch
from pipelines.infer.debian.buildinfo import load_build_record
from pipelines.infer.debian.hypothesis import image_with
from pipelines.infer.debian.search import infer_debian
from pipelines.infer.journal import SearchJournal
from pipelines.verify.session import Session
from tests.command import RELEASES, samebits
from tests.infer.test_debian_buildinfo import REAL

pytestmark = [pytest.mark.network, pytest.mark.engine]

SEEKER = "pkg:deb/debian/plasmidseeker@1.3%2Bdfsg-3?arch=source"
BINNMU = REAL.with_name("plasmidseeker_1.3+dfsg-3+b2_amd64.buildinfo")
NETBASE = "pkg:deb/debian/netbase@6.5?arch=source"


@dataclass
class BadMirror:
    """A `Fetcher` whose companions of a .dsc are gone, or other files than the .dsc pins."""

    real: Fetcher
    served: bytes | None = None

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        if not any(isinstance(want.locator, CompanionLocator) for want in wants):
            return self.real.fetch(wants, into)
        if self.served is None:
            raise InputUnavailableError(f"{wants[0].locator} is not served", got="404")
        paths = [into / str(number) for number, _ in enumerate(wants)]
        for path in paths:
            path.write_bytes(self.served)
        return paths


def with_mirror(session: Session, folder: Path, mirror: BadMirror) -> Session:
    """Return a workshop with an empty vault, and the signed lists of `session`."""
    bad = Session(Center(id="local", home=folder / "home", store=folder / "store"))
    bad.__dict__.update(states=session.states, fetcher=mirror, engine=session.engine)
    return bad


def test_a_source_becomes_a_recipe_that_builds_all_it_ships(
    session: Session,
    build_image: ProvidedImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del build_image
    journal = infer_debian(NETBASE, session)
    assert (journal.status, journal.bits, journal.causes) == ("identical", 0, ())
    assert [t.verdict for t in journal.tries] == [Verdict.IDENTICAL]
    path = tmp_path / "debian/netbase/6.5.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(journal.recipe or "")
    drafted, written = (load_recipe(p).recipe for p in (path, RELEASES / "debian/netbase/6.5.yaml"))
    assert drafted.inputs == written.inputs
    assert [(a.name, a.published.sha256) for a in drafted.artefacts] == [
        (a.name, a.published.sha256) for a in written.artefacts
    ]
    searched: list[str] = []

    def found(*_: object) -> SearchJournal:
        searched.append("again")
        return journal

    monkeypatch.setattr(debiansearch, "_search", found)
    assert infer_debian(NETBASE, session) == journal
    assert searched == []
    (tried,) = journal.tries
    gone = tried.model_copy(update={"values": {"image": "debian-trixie-build-00000000"}})
    every = (session.center.home / "infer").glob("*/trail.json")
    kept = next(file for file in every if "debian/netbase@6.5" in file.read_text())
    kept.write_text(journal.model_copy(update={"tries": (gone,)}).model_dump_json())
    assert infer_debian(NETBASE, session).tries == journal.tries
    assert searched == ["again"]  # a recipe must name an image that is there


def test_a_recorded_build_is_tried_as_it_was_recorded(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    del build_image
    moved, lying = tmp_path / "moved.buildinfo", tmp_path / "lying.buildinfo"
    text = REAL.read_text().replace("/build/reproducible-path/", "/build/elsewhere/")
    moved.write_text(text.replace("zlib1g (= 1:1.3", "zlib1g (= 1:1.2"))
    journal = infer_debian(NETBASE, session, record=load_build_record(moved))
    assert (journal.status, len(journal.tries)) == ("identical", 1)
    assert journal.tries[0].values["path"] == "/build/elsewhere"
    assert 'path: "/build/elsewhere"' in (journal.recipe or "")
    gone = "recorded versions that the suite does not serve (1): zlib1g 1:1.2"
    assert journal.notes[-1].startswith(gone)
    lying.write_text(text.replace(" 76bafa", " 86bafa"))
    with pytest.raises(InputMismatchError, match="lists other files"):
        infer_debian(NETBASE, session, record=load_build_record(lying))

    # the command tells the same, from the journal that was kept
    out = tmp_path / "debian/netbase/6.5.yaml"
    words = ("recipe", "new", NETBASE, "--buildinfo", moved, "--out", out)
    done = samebits(*words, home=session.center.home)
    assert (done.code, out.read_text()) == (0, journal.recipe)
    assert f"note: {gone}" in done.err
    assert "note: from a .buildinfo, which is not signed, sha256 " in done.err
    assert "- path /build/elsewhere (128 bits): recorded in the .buildinfo" in done.err
    told = samebits("recipe", "lint", "--json", out, home=session.center.home).document()
    (linted,) = told["recipes"]
    assert (linted["error"], linted["warnings"]) == (None, [])
    assert [line for line in linted["draft"] if line.startswith(f"note: {gone}")]
    assert [line for line in linted["inferred"] if line.startswith("path /build/elsewhere")]
    wrong = ("recipe", "new", NETBASE, "--buildinfo", lying, "--json", "--out", tmp_path / "no")
    done = samebits(*wrong, home=session.center.home)
    assert (done.code, (tmp_path / "no").exists()) == (2, False)
    done.assert_clear()
    assert "lists other files" in done.document()["error"]["what"]


def test_a_rebuild_without_new_source_is_rebuilt_with_its_recorded_entry(
    session: Session, build_image: ProvidedImage
) -> None:
    del build_image
    journal = infer_debian(SEEKER, session, record=load_build_record(BINNMU))
    assert (journal.status, len(journal.tries)) == ("identical", 1)
    assert journal.artefact == "plasmidseeker_1.3+dfsg-3+b2_amd64.deb"
    assert "method: debian-binnmu" in (journal.recipe or "")


@pytest.mark.parametrize(
    ("purl", "said"),
    [
        ("pkg:deb/debian/nosuch@1?arch=source", "no such source in suite trixie"),
        (f"{NETBASE}&distro=nosuch", "no signed source of suite nosuch"),
    ],
)
def test_a_source_that_nobody_lists_is_one_clear_line(
    purl: str, said: str, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.yaml"
    done = samebits("recipe", "new", purl, "--out", out, home=home)
    assert (done.code, out.exists(), done.out) == (2, False, "")
    done.assert_clear()
    assert done.err.count("\n") == 1
    assert said in done.err


@pytest.mark.parametrize(
    ("served", "cause", "said"),
    [
        (None, "source-answers-404", "netbase_6.5.tar.xz of pkg:deb/debian/netbase@6.5"),
        (b"something else", "source-files-do-not-match", "netbase_6.5.tar.xz"),
    ],
)
def test_a_source_that_cannot_be_had_is_one_finding_and_nothing_runs(
    session: Session, tmp_path: Path, served: bytes | None, cause: str, said: str
) -> None:
    bad = with_mirror(session, tmp_path, BadMirror(session.fetcher, served))
    journal = infer_debian(NETBASE, bad)
    assert (journal.status, journal.tries, journal.recipe) == ("not available", (), None)
    assert [c.name for c in journal.causes] == [cause]
    assert said in journal.causes[0].detail
    assert not (bad.center.home / "infer").exists()  # tomorrow it may be there
    assert list(bad.workdir.iterdir()) == []


def test_a_version_that_the_suite_lacks_is_one_clear_line(session: Session) -> None:
    with pytest.raises(InputUnavailableError, match="no such source in suite trixie"):
        infer_debian("pkg:deb/debian/netbase@0.1?arch=source", session)


@dataclass
class Images:
    """Derived images that a test knows of."""

    known: set[str] = field(default_factory=set)

    def derived_name(self, base: str, packages: Sequence[str]) -> str:
        return "-".join([base, *packages])

    def has_lock(self, name: str) -> bool:
        return name in self.known

    def derive(self, base: str, packages: Sequence[str], into: Path, *_: object) -> Any:
        assert into.is_dir()
        self.known.add(self.derived_name(base, packages))
        digests = SimpleNamespace(config="c", manifest="m", diff_id="d")
        image = SimpleNamespace(tar=into / "tar", digests=digests)
        return SimpleNamespace(lock=SimpleNamespace(image=digests), image=image)


def test_a_second_source_with_the_same_needs_starts_warm(tmp_path: Path) -> None:
    loaded: list[str] = []
    session: Any = Session(Center(id="local", home=tmp_path, store=tmp_path / "store"))
    session.__dict__.update(
        images=Images(), engine=SimpleNamespace(load=lambda tar, **_: loaded.append(tar.name))
    )
    assert image_with("base", (), session, "debian/a@1") == "base"
    assert image_with("base", ("doxygen",), session, "debian/a@1") == "base-doxygen"
    assert image_with("base", ("doxygen",), session, "debian/b@1") == "base-doxygen"
    assert loaded == ["tar"]
    assert list(session.workdir.iterdir()) == []
