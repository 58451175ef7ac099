"""A draft before its reviewer: explained by the linter, approved like any recipe, then built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest, digest_file
from builders.core.enums import Outcome
from builders.core.errors import ImageUnavailableError
from builders.images.provide import ProvidedImage
from builders.locators import FileLocator
from builders.locators.locator import relative_path
from pipelines.center.center import Center, load_center
from pipelines.evidence.privatekey import create_key
from pipelines.evidence.report import Report
from pipelines.infer.journal import SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.infer.target import Pin, Target
from pipelines.verify.session import Job, Session
from tests.command import Ended, samebits
from tests.infer.workbench import (
    RELEASED,
    Entries,
    Entry,
    FakeRebuild,
    backends,
    sdist,
    searched,
    source_files,
    wheel,
    wheel_files,
)
from tests.lab import verified
from tests.policy.world import signed_file

WHEEL, SDIST = "tool-1.0-py3-none-any.whl", "tool-1.0.tar.gz"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A center that wants one review, and a draft of a release that it has the files of."""

    folder: Path
    center: Center
    draft: Path
    journal: SearchJournal

    def run(self, *words: str | Path) -> Ended:
        return samebits(*words, "--center", self.folder / "center.yaml", home=self.folder / "home")

    def approve(self) -> Ended:
        key = self.folder / "ada.key"
        return self.run("review", "approve", self.draft, "--key", key, "--reviewer", "ada", "--yes")

    def verified(self, change: str = "", to: str = "") -> tuple[Report, int]:
        """Return the report of a run without images, and how often it asked for one.

        It is that of the draft, or of one beside it in which `change` became `to`.
        """
        asked = []
        recipe = self.draft
        if change:
            recipe = self.draft.with_name(f"{len(to)}.yaml")
            assert change in self.draft.read_text()
            recipe.write_text(self.draft.read_text().replace(change, to))

        def image(job: Job) -> ProvidedImage:
            asked.append(job)
            raise ImageUnavailableError("this test has no image")

        with Session(self.center) as session:
            return verified(session, recipe, provide_image=image), len(asked)


def desk(folder: Path, *, shipped: Entries, built: Entries) -> Desk:
    """Draft the recipe of a wheel `shipped`, where every try builds `built`."""
    create_key(folder, "ada")
    create_key(folder, "statements")
    signed_file(folder, "reviewers:\n  - {name: ada, key: ada.pub}\nreviews: {minimum: 1}\n")
    file = folder / "center.yaml"
    file.write_text("schema: samebits/center/v1\nid: local\nhome: home\npolicy: policy.dsse.json\n")
    center = load_center(file)
    place = folder / "local" / "tool"
    place.mkdir(parents=True)
    wheel(place / WHEEL, shipped)
    sdist(place / SDIST, source_files())
    pin = _pin(place / WHEEL)
    target = Target(
        vendor="local",
        product="tool",
        version="1.0",
        artefacts=(pin,),
        digest=pin.sha256,
        source=_pin(place / SDIST),
        uploaded=RELEASED,
    )
    journal = _search(target, Session(center), folder, place, built)
    draft = place / "1.0.yaml"
    draft.write_text(journal.recipe or "")
    return Desk(folder=folder, center=center, draft=draft, journal=journal)


def _pin(path: Path) -> Pin:
    locator = FileLocator(path=relative_path(path.name))
    return Pin(name=path.name, locator=locator, sha256=digest_file(path))


def _search(
    target: Target, session: Session, folder: Path, place: Path, built: Entries
) -> SearchJournal:
    for pin in (target.shipped, target.source):
        session.vault.add(place / pin.name, pin.sha256, what=pin.name)
    index = backends()
    for files in index.projects.values():
        for file in files:  # whose content, to the vault, is their name
            path = folder / file.name
            path.write_text(file.name)
            session.vault.add(path, Digest.of(file.name.encode()), what=file.name)
    rebuilt = wheel(folder / "built.whl", built)
    rebuild = FakeRebuild(build=lambda _: rebuilt, published=target.shipped.sha256)
    return searched(target, session, index, folder / "work", rebuild, limits=SearchLimits(tries=1))


@pytest.fixture
def same(tmp_path: Path) -> Desk:
    return desk(tmp_path, shipped=wheel_files(), built=wheel_files())


def test_a_draft_is_built_once_it_is_approved_and_as_it_was_approved(same: Desk) -> None:
    report, asked = same.verified()
    assert (report.outcome, asked) == (Outcome.SOURCE_NOT_REVIEWED, 0)
    assert "0 of 1 reviewers: nobody" in (report.reason or "")
    approved = same.approve()
    assert approved.code == 0, approved.err
    report, asked = same.verified()
    assert (report.outcome, asked) == (Outcome.IMAGE_UNAVAILABLE, 1)
    assert [review.name for review in report.environment.reviews] == ["ada"]
    report, asked = same.verified("mode: frozen", to="mode: advancing")
    assert (report.outcome, asked) == (Outcome.SOURCE_NOT_REVIEWED, 0)
    report, asked = same.verified("bits)", to="bits, I am told)")
    assert asked == 1, "words beside a value are in no claim"


def test_lint_explains_every_inferred_value(same: Desk) -> None:
    shown = same.run("recipe", "lint", same.draft)
    assert shown.code == 0
    for scalar in same.journal.scalars:
        assert f"inferred: {scalar.name} {scalar.value} ({scalar.bits:g} bits): " in shown.out
    assert "draft: inferred from what was shipped in 1 try" in shown.out
    assert "NOT IDENTICAL" not in shown.out


def test_lint_says_what_a_draft_leaves_unexplained(tmp_path: Path) -> None:
    planted = {**wheel_files(), "tool/update.py": Entry(data=b"import socket\n")}
    other = desk(tmp_path, shipped=planted, built=wheel_files())
    assert other.journal.status == "different"
    row: Any = other.run("recipe", "lint", other.draft, "--json").document()["recipes"][0]
    assert row["error"] is None
    assert "NOT IDENTICAL: this is the nearest of what was tried." in row["draft"]
    assert "remaining cause files-the-sdist-lacks: tool/update.py" in row["draft"]
