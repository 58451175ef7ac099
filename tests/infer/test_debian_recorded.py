"""What a draft takes from a recorded build, what it leaves, and records of something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputMismatchError, InputUnavailableError, UsageError
from builders.methods.debian_binnmu import DebianBinnmuBuild
from pipelines.infer.debian import hypothesis as debianhypothesis
from pipelines.infer.debian.buildinfo import BuildRecord, read_build_record
from pipelines.infer.debian.hypothesis import (
    DebianHypothesis,
    VersionMismatch,
    first_image,
    pinned_packages,
    show_mismatches,
    version_mismatches,
)
from pipelines.infer.debian.recorded import (
    RecordedEnvironment,
    check_outputs,
    check_record,
    recorded_environment,
    with_record,
)
from pipelines.infer.debian.source import SourcePackage, tree_name
from pipelines.infer.inference import infer_release, read_record
from pipelines.infer.journal import TIME_BITS
from pipelines.infer.trial import explanations, load_draft
from pipelines.judge.finding import FileFact
from tests.infer.test_debian_builddepends import FakeIndex
from tests.infer.test_debian_buildinfo import REAL, RECORD
from tests.infer.test_debian_source import PURL, explained, package

BINNMU = read_build_record(RECORD.encode(), what="it")
OWN = replace(BINNMU, entry=())
_LAST = "tool_2.0-1+b2_amd64.deb"
FIRST = DebianHypothesis(image="debian-trixie-build", options=("nocheck",))
HAVE = {"debhelper": "13.24.2", "gcc-14": "14.2.0-19", "make": "4.4.1-2"}


def first_try(record: BuildRecord) -> DebianHypothesis:
    """Return the first hypothesis with what a record says."""
    return FIRST.with_record(record, HAVE, ())


def recorded_package(record: BuildRecord) -> SourcePackage:
    return with_record(package(), record)


def with_variables(**variables: str) -> BuildRecord:
    return replace(OWN, variables=variables)


def declared(record: BuildRecord) -> tuple[RecordedEnvironment, str]:
    around = recorded_environment(record)
    return around, "; ".join(around.notes[1:])  # the first says where the record is from


def test_what_was_recorded_is_declared_and_the_rest_is_named() -> None:
    around, notes = declared(OWN)
    assert around == RecordedEnvironment(
        options=("parallel=4", "terse"), epoch=1565158510, path="/build/elsewhere"
    )
    assert notes == "recorded and not declared: CFLAGS"


def test_what_is_the_default_anyway_is_not_declared() -> None:
    around, notes = declared(replace(OWN, path="/build/reproducible-path/tool-2.0", variables={}))
    assert (around, notes) == (RecordedEnvironment(), "")
    assert declared(replace(OWN, path=None, variables={})) == (RecordedEnvironment(), "")


@pytest.mark.parametrize(
    ("variables", "locale", "note"),
    [
        ({"LC_ALL": "C"}, "C", ""),
        ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, "POSIX", ""),
        ({"LANG": "C", "LC_CTYPE": "C"}, "C", ""),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "C", "recorded and not declared: LC_CTYPE"),
        ({"LC_ALL": "C.UTF-8"}, None, ""),
        ({"LC_ALL": "", "LANG": ""}, None, ""),
        ({"LC_ALL": "de_DE.UTF-8"}, None, "built in locale de_DE.UTF-8, which the images do not"),
    ],
)
def test_a_locale_is_one_that_the_images_have(
    variables: dict[str, str], locale: str | None, note: str
) -> None:
    around, notes = declared(with_variables(**variables))
    assert around.locale == locale
    assert notes.startswith(note)
    assert bool(notes) is bool(note)


@pytest.mark.parametrize(
    ("path", "declares", "note"),
    [
        ("/build/x/tool-2.0", "/build/x", ""),
        ("/home/me/tool", "/home/me", "built in a folder named tool, which is tool-2.0 here"),
        ("/root/tool-2.0", None, "built in /root/tool-2.0, which no recipe can declare"),
        ("/tool-2.0", None, "built in /tool-2.0, which no recipe can declare"),
        ("/etc/tool-2.0", None, "built in /etc/tool-2.0, which no recipe can declare"),
        (
            "/build" + "/a" * 200,
            None,
            "built in a path of 406 characters, which no recipe can declare",
        ),
    ],
)
def test_a_build_path_is_declared_where_a_recipe_can(
    path: str, declares: str | None, note: str
) -> None:
    around, notes = declared(replace(OWN, path=path, variables={}))
    assert (around.path, notes) == (declares, note)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEB_BUILD_OPTIONS", 'nocheck "}'),
        ("DEB_BUILD_OPTIONS", "nocheck $(reboot)"),
        ("DEB_BUILD_PROFILES", "stage1 A"),
        ("SOURCE_DATE_EPOCH", "yesterday"),
        ("SOURCE_DATE_EPOCH", "-1"),
        ("SOURCE_DATE_EPOCH", "\u0661\u0662"),
        ("DEB_BUILD_OPTIONS", " ".join(f"o{n}" for n in range(33))),
        ("DEB_BUILD_PROFILES", " ".join(f"p{n}" for n in range(33))),
    ],
)
def test_a_variable_of_another_type_is_one_clear_line(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} in the \.buildinfo cannot be used"):
        declared(with_variables(**{name: value}))


def test_a_draft_shows_where_each_value_is_from() -> None:
    variables = {**OWN.variables, "LANG": "C", "DEB_BUILD_PROFILES": "nocheck", "LC_CTYPE": "C"}
    text = explained(package(), first_try(replace(OWN, variables=variables)))
    build = load_draft(text, Path("/nowhere")).recipe.build
    assert build.environment == {
        "DEB_BUILD_OPTIONS": "nocheck terse",
        "SOURCE_DATE_EPOCH": "1565158510",
    }
    assert (build.path, build.locale) == ("/build/elsewhere", "C")
    assert build.model_dump()["profiles"] == ("nocheck",)
    told = explanations(text)
    assert len(told) == 5
    assert all(line.endswith("recorded in the .buildinfo") for line in told)
    assert "note: recorded versions that the suite does not serve (3): debhelper 13.22" in text
    assert "gcc-14 14.2.0-16 (14.2.0-19 here)" in text.replace("\n#   ", " ")
    assert "libc6:i386 2.40-6 (none here)" in text.replace("\n#   ", " ")


@pytest.mark.parametrize(
    ("name", "variable", "value", "bits"),
    [
        ("DEB_BUILD_OPTIONS", "DEB_BUILD_OPTIONS", "terse nodoc parallel=4", 2),
        ("DEB_BUILD_OPTIONS", "DEB_BUILD_OPTIONS", "terse payload=0123", 1 + 8 * 12),
        ("profiles", "DEB_BUILD_PROFILES", "nocheck pkg.payload", 1 + 8 * 11),
        ("locale", "LANG", "C", 2),
        ("SOURCE_DATE_EPOCH", "SOURCE_DATE_EPOCH", "1565158510", TIME_BITS),
    ],
)
def test_a_recorded_word_counts_with_all_that_it_can_carry(
    name: str, variable: str, value: str, bits: float
) -> None:
    (scalar,) = first_try(replace(OWN, path=None, variables={variable: value})).scalars()
    assert (scalar.name, scalar.bits) == (name, bits)


def test_a_recorded_path_counts_with_each_of_its_characters() -> None:
    (scalar,) = first_try(replace(OWN, variables={})).scalars()
    assert (scalar.name, scalar.value, scalar.bits) == ("path", "/build/elsewhere", 8 * 16)


def test_versions_that_were_asked_for_in_the_image_count_too() -> None:
    pinned = replace(FIRST, added=("gcc-14=14.2.0-16", "libfoo-dev"))
    (scalar,) = pinned.scalars()
    assert (scalar.name, scalar.value, scalar.bits) == ("image", "gcc-14=14.2.0-16", 8 * 9)
    text = explained(package(), pinned)
    assert explanations(text) == ["image gcc-14=14.2.0-16 (72 bits): recorded in the .buildinfo"]


def test_what_nobody_can_declare_is_named_within_bounds() -> None:
    around, notes = declared(with_variables(**{f"V{n:03}{'x' * 99}": "" for n in range(300)}))
    assert around == RecordedEnvironment(path="/build/elsewhere")
    assert notes.endswith(" and 100 more")
    assert len(notes) < 200 * 70
    many = replace(OWN, installed={f"lib{n}": "1" for n in range(300)})
    assert show_mismatches(version_mismatches(many, {})).endswith(
        ", lib278 1 (none here) and 100 more"
    )


def test_only_a_record_of_this_source_for_these_machines_counts() -> None:
    check_record(OWN, "tool", "1:2.0-1")
    read = recorded_environment(OWN)
    assert read.notes[0].startswith("from a .buildinfo, which is not signed, sha256 ")
    signed = recorded_environment(replace(OWN, signed=True))
    assert "whose signature nobody has checked" in signed.notes[0]
    for product, version in (("other", "1:2.0-1"), ("tool", "2.0-1"), ("tool", "1:2.0-1+b2")):
        with pytest.raises(UsageError, match=r"is of another source; got tool 1:2\.0-1"):
            check_record(OWN, product, version)
    for changed in ("2.0-1", "1:2.0-1+b", "1:2.0-1+deb13u1", "1:2.0-12"):
        with pytest.raises(UsageError, match="in another version than their source"):
            check_record(replace(OWN, version=changed), "tool", "1:2.0-1")
    for built in (replace(OWN, builder="arm64"), replace(OWN, architectures=("arm64", "all"))):
        with pytest.raises(UsageError, match="for other machines"):
            check_record(built, "tool", "1:2.0-1")


def test_the_files_of_a_record_are_those_that_are_shipped() -> None:
    assert check_outputs(OWN, package().target) == ()
    part = {name: file for name, file in OWN.files.items() if not name.startswith("lib")}
    source = FileFact(size=900, sha256=Digest("1" * 64))
    noted = check_outputs(replace(OWN, files={**part, "tool_2.0-1.dsc": source}), package().target)
    assert noted == ("not of the build in the .buildinfo: libtool-x_2.0-1_amd64.deb",)


def test_a_rebuild_without_new_source_is_declared_with_its_entry() -> None:
    text = explained(package(), first_try(BINNMU))
    build = load_draft(text, Path("/nowhere")).recipe.build
    assert build.method == "debian-binnmu"
    assert isinstance(build, DebianBinnmuBuild)
    assert build.entry.text("tool").split("\n") == list(BINNMU.entry)
    (told,) = (line for line in explanations(text) if line.startswith("entry"))
    size = len("\n".join(BINNMU.entry).removeprefix("tool"))
    moment = "Wed, 07 Aug 2019 06:15:10 +0000"
    assert told.startswith(f"entry of 1:2.0-1+b2, {moment} ({8 * size} bits): recorded in")
    umlaut = replace(BINNMU, entry=tuple(e.replace("Build", "B\u00fcild") for e in BINNMU.entry))
    (scalar, *_) = first_try(umlaut).scalars()[1:]
    assert (scalar.name, scalar.bits) == ("entry", 8 * (size + 1))


def test_such_a_rebuild_makes_no_other_packages_than_its_record_names() -> None:
    alone = replace(BINNMU, files={_LAST: BINNMU.files[_LAST]})
    made = recorded_package(alone)
    assert [pin.name for pin in made.target.artefacts] == [_LAST]
    assert made.target.notes[-1] == (
        "not of the build in the .buildinfo, and not judged here: libtool-x_2.0-1_amd64.deb"
    )
    plain = replace(alone, entry=())
    kept = recorded_package(plain)
    assert kept.target.artefacts == package().target.artefacts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(1:2.0-1+b2)", "(1:2.0-1+b3)"),
        ("tool (1:", "other (1:"),
        ("sid;", "Sid /etc;"),
        ("low, binary-only=yes", "low, binary-only=no"),
        ("  Wed, 07", "  Wednesday, 07"),
        ("<buildd@example.org>", "<a> <b@c>"),
        ("Build Daemon", "Build" * 50),
        ("2019 06:15", "2019 \u0660\u0666:15"),
    ],
)
def test_an_entry_that_its_fields_do_not_give_again_is_one_clear_line(old: str, new: str) -> None:
    lines = tuple(line.replace(old, new) for line in BINNMU.entry)
    assert lines != BINNMU.entry
    with pytest.raises(UsageError, match=r"Binary-Only-Changes in the \.buildinfo cannot be"):
        declared(replace(BINNMU, entry=lines))


@pytest.mark.parametrize(
    ("name", "size", "digest"),
    [
        ("tool_2.0-1+b2_amd64.deb", 71, "f"),
        ("tool_2.0-1+b2_amd64.deb", 72, "b"),
        ("tool-extra_2.0-1_amd64.deb", 71, "b"),
        ("tool_2.0-1.dsc", 900, "2"),
    ],
)
def test_a_record_of_other_files_is_one_finding(name: str, size: int, digest: str) -> None:
    files = {**OWN.files, name: FileFact(size=size, sha256=Digest(digest * 64))}
    with pytest.raises(InputMismatchError, match="lists other files") as caught:
        check_outputs(replace(OWN, files=files), package().target)
    assert f"got {name} with sha256 {digest * 64}" in str(caught.value)


def test_a_record_of_none_of_the_files_is_one_finding() -> None:
    alone = {name: file for name, file in OWN.files.items() if "dbgsym" in name}
    with pytest.raises(InputMismatchError, match="lists none of the shipped files"):
        check_outputs(replace(OWN, files=alone), package().target)


def test_where_nothing_is_shipped_that_is_left_for_the_search_to_say() -> None:
    assert check_outputs(OWN, replace(package().target, artefacts=())) == ()


def test_recorded_versions_are_taken_where_the_suite_serves_them() -> None:
    assert [str(each) for each in version_mismatches(OWN, HAVE)] == [
        "debhelper 13.22 (13.24.2 here)",
        "gcc-14 14.2.0-16 (14.2.0-19 here)",
        "libc6:i386 2.40-6 (none here)",
    ]
    newest = served(OWN, {"debhelper": "13.24.2", "gcc-14": "14.2.0-19"})
    assert pinned_packages((), newest) == ()
    older = served(OWN, {"debhelper": "13.22", "gcc-14": "14.2.0-19"})
    assert pinned_packages(("libfoo-dev",), older) == ("debhelper=13.22", "libfoo-dev")
    asked = replace(OWN, installed={"libfoo-dev": "1.0", "unasked": "1.0"})
    both = served(asked, {"libfoo-dev": "1.0", "unasked": "1.0"})
    assert pinned_packages(("libfoo-dev",), both) == ("libfoo-dev=1.0",)
    assert show_mismatches(older) == (
        "recorded versions that the suite does not serve (2): gcc-14 14.2.0-16 (14.2.0-19 here), "
        "libc6:i386 2.40-6 (none here); recorded versions that are served, but not in the image "
        "(1): debhelper 13.22 (13.24.2 here)"
    )
    assert show_mismatches(older, named=1).startswith(
        "recorded versions that the suite does not serve (2): gcc-14 14.2.0-16 (14.2.0-19 here) "
        "and 1 more; "
    )
    assert show_mismatches(()) == ""


def served(record: BuildRecord, packages: dict[str, str]) -> tuple[VersionMismatch, ...]:
    listed = FakeIndex(packages=packages).binaries(sorted(record.installed))
    return version_mismatches(record, HAVE, listed)


def test_where_recorded_versions_do_not_install_today_s_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, ...]] = []

    def made(base: str, packages: tuple[str, ...], *_: object) -> str:
        asked.append(packages)
        if packages == ("gcc-14=14.2.0-16",):
            raise InputUnavailableError("no installable set")
        return f"{base}-made"

    monkeypatch.setattr(debianhypothesis, "image_with", made)
    session: Any = None
    wishes = [("gcc-14=14.2.0-16",), ()]
    found = first_image("base", wishes, session, "debian/tool@1")
    assert found == ("base-made", ())
    with pytest.raises(InputUnavailableError):
        first_image("base", wishes[:1], session, "debian/tool@1")
    assert asked == [*wishes, wishes[0]]


@pytest.mark.parametrize(
    ("product", "version", "tree"),
    [
        ("tool", "1:2.0-1", "tool-2.0"),
        ("netbase", "6.5", "netbase-6.5"),
        ("cowsay", "3.03+dfsg2-8", "cowsay-3.03+dfsg2"),
        ("a", "1.0-rc-2-1", "a-1.0-rc-2"),
    ],
)
def test_a_source_is_unpacked_into_name_and_upstream_version(
    product: str, version: str, tree: str
) -> None:
    assert tree_name(product, version) == tree


@pytest.mark.parametrize("purl", [None, "pkg:pypi/six@1.17.0"])
def test_a_wheel_has_no_record(purl: str | None) -> None:
    with pytest.raises(UsageError, match=r"only Debian packages have a \.buildinfo"):
        read_record(purl, REAL)
    if purl is not None:
        nothing: Any = None  # it is refused before anything is asked
        with pytest.raises(UsageError, match=r"only Debian packages have a \.buildinfo"):
            infer_release(purl, nothing, nothing, record=OWN)
    with pytest.raises(UsageError, match=r"is of another source; got netbase 6\.5"):
        read_record(PURL, REAL)
