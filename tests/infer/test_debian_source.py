"""What the signed lists say of a source, and what becomes of it in a draft."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.errors import InputMismatchError, InputUnavailableError, UsageError
from pipelines.infer.debian.builddepends import as_text
from pipelines.infer.debian.hypothesis import DebianHypothesis, debian_draft, draft_notes
from pipelines.infer.debian.source import (
    AptIndex,
    BinaryPackage,
    Provider,
    SourceEntry,
    SourcePackage,
    find_source_package,
    is_debian,
    read_binaries,
    read_providers,
    read_source,
    source_locator,
)
from pipelines.infer.trial import explanations, load_draft
from tests.infer.workbench import review

HEX = "1" * 64
SOURCES = f"""\
Package: tool
Binary: tool, libtool-x, tool-udeb, tool-ports
Version: 1:2.0-1
Build-Depends: debhelper-compat (= 13), libfoo-dev <!nocheck>,
 bar | baz
Build-Depends-Indep: doxygen
Package-List:
 libtool-x deb libs optional arch=any
 tool deb utils optional arch=all
 tool-ports deb utils optional arch=hurd-any
 tool-udeb udeb debian-installer optional arch=any
Checksums-Sha256:
 {"2" * 64} 7 tool_2.0.orig.tar.gz
 {HEX} 900 tool_2.0-1.dsc

Package: tool
Binary: tool
Version: 1:1.0-1
Checksums-Sha256:
 {"3" * 64} 900 tool_1.0-1.dsc
"""
PACKAGES = f"""\
Package: libtool-x
Source: tool
Version: 1:2.0-1
Architecture: amd64
Size: 70
SHA256: {"a" * 64}

Package: tool
Source: tool (1:2.0-1)
Version: 1:2.0-1+b2
Architecture: amd64
Size: 71
SHA256: {"b" * 64}

Package: tool
Version: 1:1.0-1
Architecture: all
Size: 72
SHA256: {"c" * 64}

Package: tool-ports
Source: other (1:2.0-1)
Version: 1:2.0-1
Architecture: amd64
Size: 73
SHA256: {"d" * 64}
"""
PROVIDERS = """\
Package: pkg-config
Versions:
1.8.1-4 (/lists/x)
Dependencies:
1.8.1-4 - pkgconf (2 1.8.1-4)
Provides:
1.8.1-4 -
Reverse Provides: \n\
pkgconf 1.8.1-4 (= 1.8.1-4)
pkgconf-old 1.0
pkgconf 1.8.1-4 (= 1.8.1-4)
"""
PURL = "pkg:deb/debian/tool@1%3A2.0-1?arch=source"
PLAIN = DebianHypothesis(image="debian-trixie-build", options=("nocheck",))


@dataclass
class Lists:
    """An `Index` over text as apt-cache prints it."""

    sources: str = SOURCES
    packages: str = PACKAGES

    def source(self, name: str, version: str) -> SourceEntry | None:
        return read_source(self.sources, name, version)

    def binaries(self, names: Sequence[str]) -> tuple[BinaryPackage, ...]:
        return tuple(b for b in read_binaries(self.packages) if b.name in names)

    def providers(self, name: str) -> tuple[Provider, ...]:
        del name
        return ()


def package(lists: Lists | None = None, purl: str = PURL) -> SourcePackage:
    return find_source_package(source_locator(purl), lists or Lists())


def test_a_source_is_known_by_its_signed_entry() -> None:
    entry = read_source(SOURCES, "tool", "1:2.0-1")
    assert entry is not None
    assert (entry.dsc, entry.sha256) == ("tool_2.0-1.dsc", Digest(HEX))
    assert entry.debs == ("libtool-x", "tool", "tool-ports")
    assert entry.udebs == ("tool-udeb",)
    assert entry.fields["Build-Depends-Indep"] == "doxygen"
    assert "bar | baz" in entry.fields["Build-Depends"]


def test_an_old_entry_without_a_package_list_names_its_binaries() -> None:
    entry = read_source(SOURCES, "tool", "1:1.0-1")
    assert entry is not None
    assert (entry.debs, entry.udebs) == (("tool",), ())


@pytest.mark.parametrize(("name", "version"), [("tool", "2.0-1"), ("other", "1:2.0-1")])
def test_what_is_not_listed_is_one_finding(name: str, version: str) -> None:
    assert read_source(SOURCES, name, version) is None
    with pytest.raises(InputUnavailableError, match="no such source in suite trixie"):
        package(purl=f"pkg:deb/debian/{name}@{version}?arch=source")


def test_an_entry_without_a_dsc_is_one_finding() -> None:
    with pytest.raises(InputMismatchError, match=r"names no \.dsc"):
        package(Lists(sources=SOURCES.replace("tool_2.0-1.dsc", "tool_2.0-1.txt")))


def explained(
    source: SourcePackage, hypothesis: DebianHypothesis, verdict: Verdict = Verdict.IDENTICAL
) -> str:
    """Return the draft of a hypothesis that was tried, with what a reviewer is told."""
    notes, scalars = draft_notes(source, hypothesis), hypothesis.scalars()
    told = review(source.target, scalars=scalars, notes=notes, verdict=verdict)
    return debian_draft(source, hypothesis, told)


def test_artefacts_are_what_the_suite_ships_of_this_source_and_no_other() -> None:
    found = package()
    assert [pin.name for pin in found.target.artefacts] == [
        "libtool-x_2.0-1_amd64.deb",
        "tool_2.0-1+b2_amd64.deb",
    ]
    assert str(found.target.artefacts[1].locator) == "pkg:deb/debian/tool@1:2.0-1%2Bb2?arch=amd64"
    assert {pin.name: pin.size for pin in found.target.artefacts} == {
        "libtool-x_2.0-1_amd64.deb": 70,
        "tool_2.0-1+b2_amd64.deb": 71,
    }
    assert [b.name for b in found.binnmus] == ["tool"]
    assert found.target.source.sha256 == Digest(HEX)
    assert [as_text(need) for need in found.depends.wanted] == [
        "debhelper-compat (= 13)",
        "libfoo-dev",
        "bar | baz",
        "doxygen",
    ]


def test_what_is_left_out_by_rule_is_said() -> None:
    notes = package().target.notes
    assert notes == (
        "not shipped for amd64: tool-ports",
        "udebs are built and not judged: tool-udeb",
    )
    draft = explained(package(), PLAIN)
    assert all(f"# note: {note}" in draft for note in notes)
    assert '"*.udeb"' in draft


def test_another_suite_stays_in_every_locator() -> None:
    found = package(purl=f"{PURL}&distro=bookworm")
    assert found.suite == "bookworm"
    assert all("distro=bookworm" in str(pin.locator) for pin in found.target.artefacts)


def test_a_draft_is_the_recipe_that_is_tried() -> None:
    attempt = DebianHypothesis(
        image="debian-trixie-build-0a1b2c3d",
        options=("nocheck", "notrimdch"),
        added=("doxygen", "libfoo-dev"),
        evidence="usr/share/doc/tool/changelog.Debian is longer as shipped",
    )
    text = explained(package(), attempt)
    recipe = load_draft(text, Path("/nowhere")).recipe
    assert recipe.build.image == attempt.image
    assert recipe.build.environment == {"DEB_BUILD_OPTIONS": "nocheck notrimdch"}
    assert [a.name for a in recipe.artefacts] == [pin.name for pin in package().target.artefacts]
    assert recipe.published_by_products == ("*-dbgsym_*.deb", "*.udeb")
    assert "holds doxygen libfoo-dev for the build dependencies" in text
    (told,) = explanations(text)
    assert told.startswith("DEB_BUILD_OPTIONS nocheck notrimdch (1 bit): usr/share/doc/tool")
    for verdict in (Verdict.DIFFERENT, Verdict.UNEXPECTED):
        assert f"expect: {{verdict: {verdict}}}" in explained(package(), attempt, verdict)


def test_without_options_nothing_is_declared() -> None:
    draft = explained(package(), replace(PLAIN, options=()))
    assert "environment" not in draft
    assert explanations(draft) == []


@pytest.mark.parametrize(
    "purl",
    ["pkg:deb/debian/tool@1?arch=amd64", "pkg:deb/debian/tool", "pkg:deb/debian/tool@1", "pkg:"],
)
def test_only_whole_sources_are_rebuilt(purl: str) -> None:
    with pytest.raises(UsageError):
        source_locator(purl)
    assert is_debian(PURL)
    assert not is_debian("pkg:pypi/six@1.17.0")


def test_a_binary_of_another_version_than_its_source_is_no_rebuild() -> None:
    made = read_binaries(PACKAGES)[0]
    assert not made.is_binnmu
    assert replace(made, version="1:2.0-1+b10").is_binnmu
    for version in ("1:2.0-1+deb13u1", "4:2.0-1", "1:2.0-1+b", "1:2.0-1+b1.1"):
        assert not replace(made, version=version).is_binnmu


def test_providers_are_read_with_their_versions() -> None:
    assert read_providers(PROVIDERS) == (
        Provider(package="pkgconf", version="1.8.1-4"),
        Provider(package="pkgconf-old", version=None),
    )
    assert read_providers("") == ()


@dataclass
class FakeState:
    """An apt state that answers nothing but the names of all packages."""

    asked: list[list[str]] = field(default_factory=list)

    def locked(self) -> nullcontext[None]:
        return nullcontext()

    def refresh(self, older_than: float) -> None:
        del older_than

    def cache(self, words: Sequence[str]) -> str:
        self.asked.append([*words])
        return "libstdc++6\ntool\n" if words[0] == "pkgnames" else ""


def test_a_name_is_never_taken_for_a_pattern() -> None:
    state: Any = FakeState()
    index = AptIndex(state)
    assert index.binaries(["a.+", "libstdc++6", "tool", "none", "--help", "x=1"]) == ()
    assert index.binaries(["b.+"]) == ()
    assert index.providers("a.+") == ()
    assert index.source("gtk+3.0", "1") is None  # sources are never looked up by a pattern
    names, *rest = state.asked
    assert names == ["pkgnames", "--all-names"]
    assert rest == [["show", "libstdc++6", "tool", "none"], ["showsrc", "gtk+3.0"]]
