"""The command on a .buildinfo that cannot be used: one clear line, before anything is made."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.infer.debian.buildinfo import MAX_BYTES
from tests.infer.test_debian_buildinfo import RECORD, SIGNED

PURL = "pkg:deb/debian/tool@1:2.0-1?arch=source"


Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Refused]:
    """Run the command, which must end as a usage error and leave nothing; return what it says."""
    home, out = tmp_path / "home", tmp_path / "out.yaml"
    monkeypatch.setenv("SAMEBITS_HOME", str(home))
    before = signal.getsignal(signal.SIGTERM)  # the command has its own way to be ended

    def run(*words: str | Path) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["recipe", "new", *map(str, words), "--json", "--out", str(out)])
        printed = capsys.readouterr()
        assert (ended.value.code, out.exists(), home.exists()) == (64, False, False)
        assert printed.err.startswith("samebits: ")
        assert printed.err.count("\n") == 1
        assert list(json.loads(printed.out)) == ["error"]
        return str(printed.err)

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Format: 1.0", "Format: 9", "got Format: 9; expected Format: 1.0"),
        (RECORD, "", "got '' in line 1 of its text"),
        (RECORD, "x" * (MAX_BYTES + 1), "file too large"),
        (RECORD, SIGNED[:-40], "a broken signature frame"),
        ("Source: tool", "Source: other", "is of another source; got other 1:2.0-1"),
        ("Build-Architecture: amd64", "Build-Architecture: arm64", "built on arm64"),
        ("Architecture: amd64", "Architecture: riscv64", "got riscv64, built on amd64"),
        ("Path: /build/", "Path: /build/../", "expected an absolute path of plain names"),
        ("terse", "terse $(reboot)", "DEB_BUILD_OPTIONS in the .buildinfo cannot be used"),
        ("<buildd", "<a> <buildd", "Binary-Only-Changes in the .buildinfo cannot be used"),
        ("+b2) sid", "+b3) sid", "Binary-Only-Changes in the .buildinfo cannot be used"),
        (" 70 lib", " 70 ../lib", "a SHA-256, a size and a plain file name"),
    ],
)
def test_a_record_that_cannot_be_used_ends_before_anything_is_made(
    old: str,
    new: str,
    said: str,
    tmp_path: Path,
    refused: Refused,
) -> None:
    assert old in RECORD
    file = tmp_path / "tool.buildinfo"
    file.write_text(RECORD.replace(old, new, 1))
    assert said in refused(PURL, "--buildinfo", file)


def test_what_is_no_file_is_never_waited_for(tmp_path: Path, refused: Refused) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, said in (
        (pipe, "a pipe or device"),
        (Path("/dev/zero"), "a pipe or device"),
        (tmp_path, "a folder"),
        (tmp_path / "none", "No such file"),
    ):
        assert said in refused(PURL, "--buildinfo", path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((PURL, "--from-file", "a.whl"), f"got {PURL} and --from-file a.whl"),
        ((PURL, "--from-file", "a.whl", "--source", "b"), "--from-file a.whl and --source b"),
        (("--from-file", "a.whl"), "--source is missing"),
        (("--source", "b"), "--from-file is missing"),
        ((), "For a build of your own give --script"),
    ],
)
def test_the_release_is_named_in_one_way(
    words: tuple[str, ...], said: str, refused: Refused
) -> None:
    assert said in refused(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pkg:pypi/six@1.17.0",), "only Debian packages have a .buildinfo"),
        (("--from-file", "a", "--source", "b"), "only Debian packages have a .buildinfo"),
        ((PURL.replace("source", "amd64"),), "only whole source packages are rebuilt"),
        ((PURL.partition("?")[0],), "not a release"),
        ((PURL.replace("debian/", "debian/../"),), "not a release"),
        (("pkg:deb/debian/tool?arch=source",), "names no version"),
    ],
)
def test_a_record_needs_the_source_package_that_it_is_of(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    refused: Refused,
) -> None:
    file = tmp_path / "tool.buildinfo"
    file.write_text(RECORD)
    assert said in refused(*words, "--buildinfo", file)
