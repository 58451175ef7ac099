"""What the Debian methods hand to their scripts, and what a binNMU's script does with its entry."""

from __future__ import annotations

import os
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from builders.core.enums import Role
from builders.methods import METHODS, StagedInput
from builders.methods.debian import DebianBuild
from builders.methods.debian_binnmu import ChangelogEntry, DebianBinnmuBuild
from builders.methods.debian_parts import DebianPartsBuild

DSC = StagedInput(role=Role.SOURCE, name="tool_2.0-1.dsc")
ENTRY: dict[str, Any] = {
    "version": "1:2.0-1+b2",
    "distribution": "sid",
    "changes": [
        "* Rebuild for amd64.",
        "* Rebuild for libfoo 3,",
        "  $(touch /tmp/x) and more",
        "",
    ],
    "by": "Build Daemon (one) <buildd@example.org>",
    "date": "Wed, 07 Aug 2019 06:15:10 +0000",
}
TEXT = """\
tool (1:2.0-1+b2) sid; urgency=low, binary-only=yes

  * Rebuild for amd64.
  * Rebuild for libfoo 3,
    $(touch /tmp/x) and more


 -- Build Daemon (one) <buildd@example.org>  Wed, 07 Aug 2019 06:15:10 +0000"""


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        (None, "2"),
        ("nocheck", "2"),
        ("parallel=7 nocheck", "7"),
        ("parallel=7 parallel=16", "16"),
        ("parallel=0", "2"),
        ("parallel=9999", "2"),
        ("parallel=x", "2"),
    ],
)
def test_a_declared_number_of_jobs_is_kept_on_every_machine(options: str | None, jobs: str) -> None:
    environment = {} if options is None else {"DEB_BUILD_OPTIONS": options}
    build = DebianBuild(method="debian", image="image", environment=environment)
    assert METHODS["debian"].command(build, [DSC], 2).arguments[1] == jobs


def test_an_entry_is_what_a_changelog_has_and_profiles_are_a_variable() -> None:
    build = DebianBinnmuBuild(
        method="debian-binnmu",
        image="image",
        entry=ChangelogEntry.model_validate(ENTRY),
        profiles=("nodoc", "nocheck"),
    )
    command = METHODS["debian-binnmu"].command(build, [DSC], 3)
    assert command.arguments == ("/inputs/source/tool_2.0-1.dsc", "3", TEXT)
    assert command.variables == {"DEB_BUILD_PROFILES": "nodoc nocheck"}


def staged(*names: str) -> list[StagedInput]:
    return [StagedInput(role=Role.SOURCE, name=name) for name in names]


def test_a_source_without_a_dsc_is_built_from_its_parts() -> None:
    build = DebianPartsBuild(method="debian-parts", image="image", profiles=("nodoc",))
    names = (
        "t_2.orig.tar.gz",
        "t_2-1.debian.tar.xz",
        "t_2.orig-docs.tar.bz2",
    )
    command = METHODS["debian-parts"].command(build, staged(*names, "t_2.orig.tar.gz.asc"), 3)
    assert command.arguments == (
        "3",
        "/inputs/source/t_2-1.debian.tar.xz",
        "/inputs/source/t_2.orig-docs.tar.bz2",
        "/inputs/source/t_2.orig.tar.gz",
    )
    assert command.variables == {"DEB_BUILD_PROFILES": "nodoc"}
    for lacking in (names[:1], names[1:2]):
        with pytest.raises(ValueError, match="source input ending in"):
            METHODS["debian-parts"].command(build, staged(*lacking), 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "2.0-1"),
        ("version", "2.0-1+b0"),
        ("version", "2.0-1+b1\n"),
        ("version", "2.0-1+b1\u0661"),
        ("distribution", "sid; urgency=high"),
        ("urgency", "low, binary-only=no"),
        ("changes", []),
        ("changes", ["* one\n -- Somebody else <a@b>  now"]),
        ("by", "Nobody"),
        ("by", "A <a@b>\n"),
        ("by", f"{'A' * 200} <a@b>"),
        ("date", "2019-08-07"),
        ("date", "Wed, 07 Aug 2019 \u0660\u0666:15:10 +0000"),
        ("date", "Wed, 07 Aug 2019 06:15:10 +0000\n"),
    ],
)
def test_an_entry_has_no_other_shape(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        ChangelogEntry.model_validate({**ENTRY, field: value})


def test_the_entry_stands_on_top_of_the_changelog_and_is_never_read_as_shell(
    tmp_path: Path,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, lines in {
        "dpkg-source": 'mkdir -p tool-2.0/debian; echo "old entry" > tool-2.0/debian/changelog',
        "dpkg-buildpackage": f'echo "$@" > {tmp_path}/asked; cp debian/changelog {tmp_path}/seen',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{lines}\n")
        (tools / name).chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    script = resources.files("builders.methods") / "debianbinnmu.sh"
    subprocess.run(
        ["sh", str(script), "/inputs/source/tool_2.0-1.dsc", "3", TEXT],
        cwd=work,
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
        check=True,
    )
    assert (tmp_path / "seen").read_text() == f"{TEXT}\n\nold entry\n"
    assert (tmp_path / "asked").read_text() == "-B -us -uc -J3\n"
    assert [path.name for path in work.iterdir()] == ["tool-2.0"]
