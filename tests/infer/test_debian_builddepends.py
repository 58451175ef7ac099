"""Build dependencies as Debian writes them, and what an image lacks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.core.digest import Digest
from builders.core.errors import InputMismatchError
from pipelines.infer.debian.builddepends import (
    BuildDepends,
    Relation,
    as_text,
    matches_amd64,
    read_build_depends,
)
from pipelines.infer.debian.hypothesis import MissingPackages, base_image, missing_packages
from pipelines.infer.debian.source import BinaryPackage, Provider, SourceEntry

HAVE = {"debhelper": "13.24.2", "pkgconf": "1.8.1-4", "libncurses-dev": "6.5", "make": "4.4.1-2"}


def binary(name: str, version: str = "1.0-1") -> BinaryPackage:
    return BinaryPackage(
        name=name,
        version=version,
        architecture="amd64",
        source=name,
        source_version=version,
        size=7,
        sha256=Digest.of(name.encode()),
    )


@dataclass
class FakeIndex:
    """An `Index` of what a test puts in."""

    packages: dict[str, str] = field(default_factory=dict)
    provided: dict[str, list[Provider]] = field(default_factory=dict)

    def source(self, name: str, version: str) -> SourceEntry | None:
        del name, version
        return None

    def binaries(self, names: Sequence[str]) -> tuple[BinaryPackage, ...]:
        return tuple(binary(n, self.packages[n]) for n in names if n in self.packages)

    def providers(self, name: str) -> tuple[Provider, ...]:
        return tuple(self.provided.get(name, ()))


def wanted(text: str, *profiles: str) -> list[str]:
    needs = read_build_depends({"Build-Depends": text}, profiles=profiles)
    return [as_text(need) for need in needs.wanted]


def lacks(text: str, index: FakeIndex | None = None) -> MissingPackages:
    return missing_packages(read_build_depends({"Build-Depends": text}), HAVE, index or FakeIndex())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debhelper-compat (= 13), pkgconf", ["debhelper-compat (= 13)", "pkgconf"]),
        ("aa|bb (>= 2) | cc", ["aa | bb (>= 2) | cc"]),
        ("python3:any, gcc:native", ["python3", "gcc"]),
        ("libx-dev [amd64 arm64], liby-dev [i386]", ["libx-dev"]),
        ("libx-dev [!amd64], liby-dev [!i386 !hurd-any]", ["liby-dev"]),
        ("aa [linux-any], bb [kfreebsd-any], cc [any-amd64], dd [any]", ["aa", "cc", "dd"]),
        ("aa [i386] | bb", ["bb"]),
        ("aa <!nocheck>, bb <nocheck>, cc <!nodoc !nocheck>", ["aa", "cc"]),
        ("aa <stage1> <!cross>, bb <stage1 !cross>", ["aa"]),
        ("aa (>= 1:2.0~rc1-3+b1) [amd64] <!nocheck>,\n bb,", ["aa (>= 1:2.0~rc1-3+b1)", "bb"]),
        ("aa, aa, bb", ["aa", "bb"]),
        ("", []),
    ],
)
def test_what_holds_for_amd64_is_wanted(text: str, expected: list[str]) -> None:
    assert wanted(text) == expected


def test_a_profile_in_force_changes_what_is_wanted() -> None:
    text = "aa <!nocheck>, bb <nocheck>, cc <nocheck nodoc>, dd <nocheck> <stage1>"
    assert wanted(text, "nocheck") == ["bb", "dd"]


def test_both_halves_of_a_build_count_and_conflicts_too() -> None:
    needs = read_build_depends(
        {
            "Build-Depends": "aa",
            "Build-Depends-Arch": "bb",
            "Build-Depends-Indep": "doxygen (>= 1.8.4-1~)",
            "Build-Conflicts": "cc (<< 2), dd [i386]",
            "Build-Conflicts-Indep": "ee",
        }
    )
    assert [as_text(need) for need in needs.wanted] == [
        "aa",
        "bb",
        "doxygen (>= 1.8.4-1~)",
    ]
    assert [str(conflict) for conflict in needs.conflicts] == ["cc (<< 2)", "ee"]


@pytest.mark.parametrize(
    "text",
    [
        "aa bb",
        "aa (2)",
        "aa (>= )",
        "${shlibs:Depends}",
        "A",
        "aa [amd64",
        "aa || bb",
        "aa (>= :)",
        "-o",
        "a/b",
    ],
)
def test_what_is_no_relation_is_one_finding(text: str) -> None:
    with pytest.raises(InputMismatchError, match="cannot be read"):
        read_build_depends({"Build-Depends": text})


@given(st.text(alphabet="ab1.:~-+,|()[]<>!= ", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        needs = read_build_depends({"Build-Depends": text})
    except InputMismatchError:
        return
    assert all(r.admits("1") in {True, False} for n in needs.wanted for r in n)
    again = read_build_depends({"Build-Depends": ", ".join(as_text(need) for need in needs.wanted)})
    assert again.wanted == needs.wanted or any(":" in as_text(need) for need in needs.wanted)


@pytest.mark.parametrize(
    ("operator", "yes", "no"),
    [
        ("<<", ["1.9", "2.0~rc1"], ["2.0", "2.1"]),
        ("<=", ["2.0", "1"], ["2.0-1"]),
        ("=", ["2.0"], ["2.0-1", "2.0+b1"]),
        (">=", ["2.0", "2.0+b1", "1:0.1"], ["2.0~rc1"]),
        (">>", ["2.0-1"], ["2.0"]),
        ("<", ["2.0"], ["2.1"]),
        (">", ["2.0"], ["1.9"]),
    ],
)
def test_versions_are_compared_as_debian_does(operator: str, yes: list[str], no: list[str]) -> None:
    relation = Relation(name="a", operator=operator, version="2.0")
    assert [v for v in yes + no if relation.admits(v)] == yes


@pytest.mark.parametrize(
    ("wildcard", "holds"),
    [
        ("amd64", True), ("any", True), ("linux-any", True), ("any-amd64", True),
        ("linux-amd64", True), ("gnu-linux-any", True), ("gnu-any-any", True),
        ("musl-linux-any", False), ("kfreebsd-any", False), ("any-i386", False), ("all", False),
        ("x32", False), ("a-b-c-d-e", False), ("any-any-any-any-any", False),
    ],
)  # fmt: skip
def test_wildcards_of_architectures(wildcard: str, holds: bool) -> None:
    assert matches_amd64(wildcard) is holds


def test_what_the_image_has_is_not_added() -> None:
    index = FakeIndex(
        packages={"libncurses5-dev": "6.5"},
        provided={
            "debhelper-compat": [Provider(package="debhelper", version="13")],
            "pkg-config": [Provider(package="pkgconf", version="1.8.1-4")],
            "libncurses5-dev": [Provider(package="libncurses-dev", version="6.5")],
        },
    )
    text = "debhelper-compat (= 13), pkg-config, libncurses5-dev, debhelper (>= 9)"
    assert lacks(text, index) == MissingPackages()


def test_the_first_alternative_that_the_suite_can_meet_is_added() -> None:
    index = FakeIndex(packages={"libnew-dev": "2.0-1", "libold-dev": "1.0-1"})
    assert lacks("libgone-dev | libnew-dev | libold-dev", index).packages == ("libnew-dev",)
    assert lacks("libnew-dev (>= 3) | libold-dev", index).packages == ("libold-dev",)
    assert lacks("libnew-dev | make", index).packages == ("libnew-dev",)
    assert lacks("libgone-dev | make", index) == MissingPackages()


def test_a_virtual_package_is_met_by_its_first_provider() -> None:
    both = [Provider(package="exim4", version=None), Provider(package="postfix", version=None)]
    index = FakeIndex(provided={"mta": both})
    assert lacks("mta", index).packages == ("exim4",)
    assert lacks("mta (>= 2)", index).unmet == ("mta (>= 2)",)  # nobody provides it in a version


def test_what_nobody_has_is_named_as_debian_writes_it() -> None:
    index = FakeIndex(packages={"liba-dev": "1.0-1"})
    found = lacks("liba-dev (>= 2) | libgone-dev, make (>= 5), gcc:i386", index)
    assert found.unmet == ("liba-dev (>= 2) | libgone-dev", "make (>= 5)", "gcc:i386")
    assert found.packages == ()


def test_a_package_that_is_installed_too_old_is_taken_from_the_suite_of_today() -> None:
    assert lacks("make (>= 5)", FakeIndex(packages={"make": "5.0-1"})).packages == ("make",)
    assert lacks("make (>= 6)", FakeIndex(packages={"make": "5.0-1"})).unmet == ("make (>= 6)",)


def test_an_installed_package_that_the_source_refuses_is_named() -> None:
    needs = read_build_depends({"Build-Conflicts": "make (<< 5), pkgconf (>> 9), other"})
    assert missing_packages(needs, HAVE, FakeIndex()).conflicts == ("make 4.4.1-2",)
    assert missing_packages(BuildDepends(), HAVE, FakeIndex()) == MissingPackages()


def test_a_suite_has_its_own_image() -> None:
    assert base_image("trixie") == "debian-trixie-build"
