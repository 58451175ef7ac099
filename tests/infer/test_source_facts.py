"""What is read of a source distribution; nothing of a hostile one is unpacked or run."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from builders.archives import ArchiveLimits
from builders.core.errors import InputMismatchError
from pipelines.infer.wheel.facts import read_sdist, sdist_facts
from tests.fakes.jail import OpenJail
from tests.infer.workbench import Entry, sdist, source_files

NAME = "tool-1.0.tar.gz"


def test_files_are_known_by_path_mode_and_time(tmp_path: Path) -> None:
    files = source_files(tool=Entry(data=b"#!/bin/sh\n", mode=0o775, at=1_600_000_001))
    facts = read_sdist(sdist(tmp_path / NAME, files), NAME, OpenJail())
    assert set(facts.files) == set(files)
    assert (facts.files["tool"].mode, facts.files["tool"].mtime) == (0o775, 1_600_000_001)


def test_without_a_pyproject_setuptools_builds_it(tmp_path: Path) -> None:
    facts = read_sdist(sdist(tmp_path / NAME, source_files()), NAME, OpenJail())
    assert facts.requires == ()


def test_the_build_system_is_read(tmp_path: Path) -> None:
    text = (
        b'[build-system]\r\nrequires = ["flit_core >=3.2,<4"]\r\nbuild-backend = "flit_core.x"\r\n'
    )
    files = {**source_files(), "pyproject.toml": Entry(data=text)}
    facts = read_sdist(sdist(tmp_path / NAME, files), NAME, OpenJail())
    assert facts.requires == ("flit_core >=3.2,<4",)


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"[build-system", "broken pyproject"), (b"[build-system]\nrequires = 3\n", "broken build")],
)
def test_a_broken_pyproject_is_one_finding(tmp_path: Path, text: bytes, message: str) -> None:
    files = {**source_files(), "pyproject.toml": Entry(data=text)}
    with pytest.raises(InputMismatchError, match=message):
        read_sdist(sdist(tmp_path / NAME, files), NAME, OpenJail())


def test_a_path_that_leaves_the_source_is_refused(tmp_path: Path) -> None:
    files = {**source_files(), "../../etc/passwd": Entry(data=b"x")}
    with pytest.raises(InputMismatchError, match="leaves its tree"):
        read_sdist(sdist(tmp_path / NAME, files), NAME, OpenJail())


@pytest.mark.parametrize("limits", [ArchiveLimits(unpacked=1 << 20), ArchiveLimits(members=3)])
def test_a_bomb_is_refused(tmp_path: Path, limits: ArchiveLimits) -> None:
    files = {**source_files(), "zeros": Entry(data=bytes(2 << 20))}
    made = sdist(tmp_path / NAME, files)
    with made.open("rb") as stream, pytest.raises(InputMismatchError, match="cannot be read"):
        sdist_facts(stream, NAME, tempfile.TemporaryFile, limits)


@pytest.mark.parametrize("name", [NAME, "tool-1.0.zip", "tool-1.0.tar.xz"])
@pytest.mark.parametrize(
    "data",
    [b"", b"<html>moved</html>", b"PK\x03\x04 and no more", b"\x1f\x8b\x08 and no more"],
)
def test_what_is_no_archive_is_one_finding(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputMismatchError) as caught:
        read_sdist(tmp_path / name, name, OpenJail())
    assert "\n" not in str(caught.value)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    whole = sdist(tmp_path / "whole", source_files()).read_bytes()
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputMismatchError, match="cannot be read"):
        read_sdist(tmp_path / NAME, NAME, OpenJail())
