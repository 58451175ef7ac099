"""What keeps a Debian source from being tried: each is one named cause, and no container starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import ImageUnavailableError
from builders.images import ImageCatalogue
from builders.locators import FetchRequest
from pipelines.center.center import Center
from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.causes import DebianCause
from pipelines.infer.debian.search import infer_debian
from pipelines.infer.debian.source import (
    BinaryPackage,
    Provider,
    SourceEntry,
    find_source_package,
    source_locator,
)
from pipelines.infer.journal import SearchJournal
from pipelines.judge.finding import FileFact, Finding
from pipelines.verify.session import Session
from tests.infer.test_debian_search import FIRST, Search, built, searched
from tests.madeimages import made_image

PURL = "pkg:deb/debian/tool@1.0?arch=source"
TAR = b"the source"
DSC = f"""Format: 3.0 (native)
Source: tool
Version: 1.0
Checksums-Sha256:
 {Digest.of(TAR)} {len(TAR)} tool_1.0.tar.xz
Files:
 00000000000000000000000000000000 {len(TAR)} tool_1.0.tar.xz
""".encode()
DEB = BinaryPackage(
    name="tool",
    version="1.0",
    architecture="amd64",
    source="tool",
    source_version="1.0",
    size=7,
    sha256=Digest("a" * 64),
)
ENTRY = SourceEntry(
    name="tool",
    version="1.0",
    dsc="tool_1.0.dsc",
    sha256=Digest.of(DSC),
    debs=("tool",),
    udebs=(),
    fields={},
)
RECORD = BuildRecord(
    sha256=Digest("c" * 64),
    signed=False,
    source="tool",
    source_version="1.0",
    version="1.0",
    architectures=("amd64",),
    builder="amd64",
    files={DEB.file_name: FileFact(size=DEB.size, sha256=DEB.sha256)},
    installed={"gcc": "0.9"},
    variables={},
)
OTHER = replace(DEB, name="libwanted-dev", source="wanted")


@dataclass(frozen=True)
class Lists:
    """An `Index` of a few packages."""

    entry: SourceEntry = ENTRY
    listed: tuple[BinaryPackage, ...] = (DEB, OTHER)

    def source(self, name: str, version: str) -> SourceEntry | None:
        return self.entry if (name, version) == (self.entry.name, self.entry.version) else None

    def binaries(self, names: Sequence[str]) -> tuple[BinaryPackage, ...]:
        return tuple(b for b in self.listed if b.name in names)

    def providers(self, name: str) -> tuple[Provider, ...]:
        del name
        return ()


@dataclass
class Mirror:
    """A `Fetcher` that has the source, and counts what is asked for."""

    asked: list[str] = field(default_factory=list)

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        paths = []
        for want in wants:
            self.asked.append(want.name)
            path = into / want.name
            path.write_bytes({"tool_1.0.dsc": DSC, "tool_1.0.tar.xz": TAR}[want.name])
            paths.append(path)
        return paths


@pytest.fixture
def session(tmp_path: Path) -> Any:
    home = tmp_path / "home"
    center = Center(id="local", home=home, store=home / "store", recipes=tmp_path)
    session: Any = Session(center)
    made_image(tmp_path / "images", "debian-trixie-build", ["gcc"], session.vault)
    session.fetcher = Mirror()
    session.engine = SimpleNamespace(sweep=lambda _: 0)
    return session


def lists(**fields: str) -> Lists:
    return Lists(entry=replace(ENTRY, fields=fields))


@pytest.mark.parametrize(
    ("index", "status", "cause", "said"),
    [
        (
            Lists(entry=replace(ENTRY, debs=(), udebs=("tool-udeb",))),
            "not available",
            DebianCause.ONLY_UDEBS,
            "tool-udeb",
        ),
        (
            Lists(listed=()),
            "not available",
            DebianCause.NOT_SHIPPED,
            "no package of this version in the suite",
        ),
        (
            lists(**{"Build-Depends": "gone (>= 2)"}),
            "build failed",
            DebianCause.UNMET,
            "gone (>= 2)",
        ),
        (
            lists(**{"Build-Conflicts": "gcc"}),
            "build failed",
            DebianCause.CONFLICT,
            "gcc 1",
        ),
    ],
)
def test_what_the_lists_already_say_is_the_cause(
    session: Any, index: Lists, status: str, cause: DebianCause, said: str
) -> None:
    journal = infer_debian(PURL, session, index=index)
    assert told(journal) == (status, cause, said)
    fetched = [] if status == "not available" else ["tool_1.0.dsc", "tool_1.0.tar.xz"]
    assert session.fetcher.asked == fetched
    assert (journal.tries, journal.recipe) == ((), None)


def test_an_image_that_cannot_be_derived_is_the_cause(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def derive(*words: object) -> None:
        asked.append(words[2])
        raise ImageUnavailableError("two packages exclude each other")

    monkeypatch.setattr(ImageCatalogue, "derive", derive)
    for record in (None, RECORD):
        journal = infer_debian(
            PURL, session, index=lists(**{"Build-Depends": "libwanted-dev"}), record=record
        )
        said = "libwanted-dev: two packages exclude each other"
        assert told(journal) == ("build failed", DebianCause.NO_IMAGE, said)
    assert list(session.workdir.iterdir()) == []
    assert asked == [("libwanted-dev",)] * 2  # what is recorded asks for no other image
    assert journal.notes[0].startswith("from a .buildinfo, which is not signed, sha256 ")


def test_a_record_of_what_is_not_shipped_hides_no_cause(session: Any) -> None:
    journal = infer_debian(PURL, session, index=Lists(listed=()), record=RECORD)
    assert told(journal)[:2] == ("not available", DebianCause.NOT_SHIPPED)
    assert journal.notes[0].startswith("from a .buildinfo")


def test_an_output_that_nobody_ships_is_the_cause() -> None:
    extra = Finding(
        name="extra_1.0_amd64.deb",
        verdict=Verdict.UNEXPECTED,
        reason="no declaration covers it",
        rebuilt=FileFact(sha256=Digest("5" * 64), size=7),
    )
    source = find_source_package(source_locator(PURL), Lists())
    result = replace(built(source), findings=(extra,))
    journal = searched(Search(source, FIRST, lambda _: result))
    assert told(journal) == ("different", DebianCause.UNEXPECTED, "extra_1.0_amd64.deb")


def test_every_cause_is_told_by_some_test() -> None:
    here = Path(__file__).parent
    text = "".join(path.read_text() for path in here.glob("test_debian_*.py"))
    assert [c for c in DebianCause if f"DebianCause.{c.name}" not in text and c not in text] == []


def told(journal: SearchJournal) -> tuple[str, str, str]:
    (cause,) = journal.causes
    return journal.status, cause.name, cause.detail
