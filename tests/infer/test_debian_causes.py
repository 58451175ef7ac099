"""Why packages differ: each cause with a package that shows it, and one that does not."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from builders.archives import ArchiveError
from builders.core.enums import Outcome
from pipelines.explain.quickdiff import quick_diff
from pipelines.infer.debian.causes import (
    DebianCause,
    build_failure,
    debian_causes,
    first_trimmed,
)
from pipelines.infer.debian.comparison import DatedTool, PackagePair
from pipelines.infer.debian.deb_content import Released, read_deb

RELEASED = datetime(2024, 10, 11, 6, 12, 34, tzinfo=UTC)
ELF = b"\x7fELF\x02\x01\x01" + bytes(20)
CHANGELOG = "tool (2.0-1) unstable; urgency=medium\n\n  * New.\n\n -- A B <a@b.example>  {}\n\n"
OLDER = CHANGELOG.format("Tue, 27 Dec 2016 11:00:26 +0200")
CONTROL = {
    "control": b"Package: tool\nInstalled-Size: 20\n",
    "md5sums": b"00  usr/bin/tool\n",
    "triggers": b"# Triggers added by dh_makeshlibs/13.23\nactivate-noawait ldconfig\n",
}
DOC = "usr/share/doc/tool"
FILES = {
    "usr/bin/tool": ELF + b"shipped",
    f"{DOC}/changelog.Debian.gz": gzip.compress(
        (CHANGELOG.format("Fri, 11 Oct 2024 08:12:34 +0200") + OLDER).encode(), mtime=0
    ),
    f"{DOC}/NEWS.Debian.gz": gzip.compress(OLDER.encode(), mtime=0),
}
COMPILER = DatedTool(
    name="gcc-14-base", version="14.2.0-19", released=RELEASED + timedelta(days=180)
)
LINKER = DatedTool(name="binutils-common", version="2.44-3", released=RELEASED + timedelta(days=90))
HELPER = DatedTool(name="debhelper", version="13.24.2", released=RELEASED + timedelta(days=200))
TOOLS = (COMPILER, LINKER, HELPER)


def deb(files: Mapping[str, bytes], control: Mapping[str, bytes] = CONTROL) -> bytes:
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": gzip.compress(_tar(control), mtime=0),
        "data.tar.gz": gzip.compress(_tar(files), mtime=0),
    }
    return ar(parts)


def ar(parts: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mtime = len(data), int(RELEASED.timestamp())
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def contrast(
    files: Mapping[str, bytes | None], control: Mapping[str, bytes] | None = None
) -> PackagePair:
    """Compare the package with one in which some files are others, or gone (None)."""
    changed = {**FILES, **files}
    ours = deb({k: v for k, v in changed.items() if v is not None}, {**CONTROL, **(control or {})})
    return compared(deb(FILES), ours)


def compared(one: bytes, other: bytes) -> PackagePair:
    shipped, rebuilt = io.BytesIO(one), io.BytesIO(other)
    look = quick_diff(shipped, rebuilt).diff.members
    shipped.seek(0)
    rebuilt.seek(0)
    return PackagePair(
        name="tool_2.0-1_amd64.deb",
        look=look,
        shipped=read_deb(shipped),
        rebuilt=read_deb(rebuilt),
    )


def named(tools: tuple[DatedTool, ...], *contrasts: PackagePair) -> dict[str, str]:
    return {c.name: c.detail for c in debian_causes(contrasts, tools)}


def test_compiled_code_of_an_older_toolchain_is_drift_with_its_tools() -> None:
    other = contrast({"usr/bin/tool": ELF + b"rebuilt"}, {"md5sums": b"11  usr/bin/tool\n"})
    found = named(TOOLS, other)
    assert list(found) == ["toolchain-drift"]
    detail = found["toolchain-drift"]
    assert detail.startswith("tool_2.0-1_amd64.deb: usr/bin/tool; ")
    assert "newer than the release (2024-10-11): gcc-14-base 14.2.0-19 (2025-04-09)" in detail
    assert "md5sums" not in detail


def test_compiled_code_of_the_same_tools_is_not_explained() -> None:
    other = contrast({"usr/bin/tool": ELF + b"rebuilt"})
    before = replace(COMPILER, released=RELEASED - timedelta(days=1))
    assert named((before, HELPER), other) == {"unexplained": "tool_2.0-1_amd64.deb: usr/bin/tool"}


def test_debhelpers_own_mark_is_evidence_enough() -> None:
    mark = CONTROL["triggers"].replace(b"13.23", b"13.24.2")
    other = contrast({"usr/bin/tool": ELF + b"rebuilt"}, {"triggers": mark})
    found = named((), other)
    assert list(found) == ["toolchain-drift"]
    assert "dh_makeshlibs of debhelper 13.23 as shipped, 13.24.2 here" in found["toolchain-drift"]


def test_a_control_file_that_says_something_else_is_not_drift() -> None:
    other = contrast({}, {"triggers": b"# Triggers added by dh_makeshlibs/13.24.2\ninterest x\n"})
    assert "DEBIAN/triggers" in named(TOOLS, other)["unexplained"]


def test_a_mark_that_is_gone_is_no_mark_of_another_version() -> None:
    other = contrast({"usr/bin/tool": ELF + b"rebuilt"}, {"triggers": b"interest x\n"})
    assert list(named((), other)) == ["unexplained"]


def test_the_newest_package_dates_the_release() -> None:
    code = contrast({"usr/bin/tool": ELF + b"rebuilt"})
    old = int((RELEASED - timedelta(days=30)).timestamp())
    older = replace(code, name="older.deb", shipped=replace(code.shipped, newest=old))
    between = replace(COMPILER, released=RELEASED - timedelta(days=1))
    assert list(named((between,), code, older)) == ["unexplained"]


def test_what_is_not_explained_takes_its_sums_along() -> None:
    other = contrast({"usr/bin/tool": b"#!/bin/sh\n"}, {"md5sums": b"11  usr/bin/tool\n"})
    name = "tool_2.0-1_amd64.deb"
    assert named(TOOLS, other) == {"unexplained": f"{name}: DEBIAN/md5sums, {name}: usr/bin/tool"}


def test_compiled_on_one_side_is_not_drift() -> None:
    planted = contrast({"usr/bin/tool": b"#!/bin/sh\n"})
    turned = replace(planted, shipped=planted.rebuilt, rebuilt=planted.shipped)
    for other in (planted, turned):
        assert list(named(TOOLS, other)) == ["unexplained"]


def test_members_are_named_by_the_file_that_holds_them_once() -> None:
    name = "tool_2.0-1_amd64.deb"
    objects = {"a.o/": ELF + b"1", "b.o/": ELF + b"1"}
    shipped = deb({**FILES, "usr/lib/libtool.a": ar(objects)})
    objects = {"a.o/": ELF + b"2", "b.o/": ELF + b"2"}
    rebuilt = deb({**FILES, "usr/lib/libtool.a": ar(objects)})
    library = compared(shipped, rebuilt)
    assert len(library.paths()) == 2
    detail = named(TOOLS, library)["toolchain-drift"]
    assert detail.startswith(f"{name}: usr/lib/libtool.a; newer than")
    came = contrast({f"{DOC}/extra.gz": gzip.compress(b"new\n", mtime=0)})
    assert named(TOOLS, came) == {"unexplained": f"{name}: {DOC}/extra.gz"}
    gone = contrast({f"{DOC}/NEWS.Debian.gz": None})
    assert named((), gone) == {"unexplained": f"{name}: {DOC}/NEWS.Debian.gz"}


def test_three_files_are_named_and_others_are_counted() -> None:
    names = [f"usr/bin/more{n}" for n in range(5)]
    files: dict[str, bytes | None] = dict.fromkeys(names, b"#!/bin/sh\n")
    shown = [f"tool_2.0-1_amd64.deb: {name}" for name in names]
    assert named(TOOLS, contrast(files))["unexplained"] == f"{', '.join(shown[:3])} and 2 more"
    few = contrast(dict(list(files.items())[:3]))
    assert named(TOOLS, few)["unexplained"] == ", ".join(shown[:3])


def test_other_fields_than_the_size_are_not_a_consequence() -> None:
    files = {"usr/bin/tool": ELF + b"rebuilt"}
    grown = contrast(files, {"control": b"Package: tool\nInstalled-Size: 24\n"})
    assert list(named(TOOLS, grown)) == ["toolchain-drift"]
    moved = contrast(files, {"control": b"Package: tool\nInstalled-Size: 20\nDepends: libx\n"})
    assert "DEBIAN/control" in named(TOOLS, moved)["unexplained"]


def test_a_changelog_cut_by_a_newer_debhelper_is_told_apart() -> None:
    short = gzip.compress(CHANGELOG.format("Fri, 11 Oct 2024 08:12:34 +0200").encode(), mtime=0)
    cut = {f"{DOC}/changelog.Debian.gz": short, f"{DOC}/NEWS.Debian.gz": None}
    other = contrast(cut, {"control": b"Package: tool\nInstalled-Size: 16\n"})
    found = named(TOOLS, other)
    assert list(found) == ["files-dropped-by-newer-debhelper"]
    assert "NEWS.Debian.gz" in found["files-dropped-by-newer-debhelper"]
    assert "debhelper 13.24.2" in found["files-dropped-by-newer-debhelper"]
    assert "gcc" not in found["files-dropped-by-newer-debhelper"]
    assert first_trimmed([other]).startswith(DOC)
    assert list(named((COMPILER, LINKER), other)) == ["unexplained"]


def test_a_changelog_that_grew_was_not_cut() -> None:
    longer = CHANGELOG.format("Fri, 11 Oct 2024 08:12:34 +0200") + 2 * OLDER
    other = contrast({f"{DOC}/changelog.Debian.gz": gzip.compress(longer.encode(), mtime=0)})
    assert list(named(TOOLS, other)) == ["unexplained"]
    assert first_trimmed([other]) == ""


def test_two_causes_in_two_packages_are_two() -> None:
    code = contrast({"usr/bin/tool": ELF + b"rebuilt"})
    planted = replace(contrast({"usr/bin/tool": b"#!/bin/sh\n"}), name="other.deb")
    added = replace(contrast({"usr/bin/added": b"#!/bin/sh\n"}), name="third.deb")
    found = named(TOOLS, code, planted, added)
    assert list(found) == ["toolchain-drift", "unexplained"]
    assert "other.deb" not in found["toolchain-drift"]
    for path in ("other.deb: usr/bin/tool", "third.deb: usr/bin/added"):
        assert path in found["unexplained"]


def test_what_is_packed_otherwise_is_said_so() -> None:
    same = contrast({})
    assert "packed differently" in named(TOOLS, same)["unexplained"]
    blind = replace(same, look=None)
    assert "cannot be read" in named(TOOLS, blind)["unexplained"]
    assert first_trimmed([same, blind]) == ""


@pytest.mark.parametrize(
    ("outcome", "log", "name", "said"),
    [
        (
            Outcome.BUILD_FAILED,
            "dpkg-checkbuilddeps: error: unmet build dependencies: doxygen (>= 1.8.4-1~) x\n",
            DebianCause.UNMET,
            "doxygen (>= 1.8.4-1~) x",
        ),
        (Outcome.TIMED_OUT, "", DebianCause.NO_END, "TIMED_OUT: it took too long"),
        (
            Outcome.OUT_OF_RESOURCES,
            "",
            DebianCause.NO_END,
            "OUT_OF_RESOURCES: it took too long",
        ),
        (
            Outcome.BUILD_FAILED,
            "x.c:1: error: no y\nmake[1]: *** [Makefile:3: x.o] Error 1\n",
            DebianCause.UNEXPLAINED,
            "the build failed: error: no y",
        ),
        (
            Outcome.BUILD_FAILED,
            "nothing\n",
            DebianCause.UNEXPLAINED,
            "the build failed: it took too long",
        ),
    ],
)
def test_a_failed_build_has_one_named_reason(
    outcome: Outcome, log: str, name: DebianCause, said: str
) -> None:
    cause = build_failure(outcome, log, "it took too long")
    assert (cause.name, cause.detail) == (name, said)


def test_the_newest_entry_of_a_changelog_dates_a_tool() -> None:
    first = datetime(2024, 10, 11, 6, 12, 34, tzinfo=UTC)
    (tool,) = read_deb(io.BytesIO(deb(FILES))).released.items()
    assert (tool[0], tool[1].version) == ("tool", first)
    fixed = CHANGELOG.replace("2.0-1", "2.0-1+deb13u5").format("Mon, 02 Feb 2026 00:00:00 +0000")
    entries = fixed + CHANGELOG.format("Fri, 11 Oct 2024 08:12:34 +0200")
    entries += OLDER.replace("2.0-1", "1.9-1")
    fixed_files = {f"{DOC}/changelog.gz": gzip.compress(entries.encode())}
    assert read_deb(io.BytesIO(deb(fixed_files))).released == {
        "tool": Released(version=datetime(2026, 2, 2, tzinfo=UTC), upstream=first)
    }
    undated = gzip.compress(CHANGELOG.format("soon").encode())
    for log in (b"no gzip", undated):
        found = read_deb(io.BytesIO(deb({f"{DOC}/changelog.gz": log}))).released
        assert found == {"tool": Released(version=None, upstream=None)}


@pytest.mark.parametrize("data", [b"no package", deb(FILES)[:700]])
def test_a_broken_package_is_one_error(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        read_deb(io.BytesIO(data))
