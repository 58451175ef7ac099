"""A file inside of an archive: exactly the one that is named, or an error that says why not."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from builders.archives import members
from builders.core.digest import Digest
from builders.core.errors import InputMismatchError, InputUnavailableError
from builders.inputs.archive_member import MemberFetcher, copy_member
from builders.jail.errors import JailEnd, JailFailedError
from builders.locators import FetchRequest
from builders.locators.locator import parse_locator
from tests.conftest import Maker
from tests.fakes.jail import OpenJail


@pytest.fixture
def deb(make_ar: Maker, make_tar: Maker) -> bytes:
    data = make_tar({"./usr/bin/tool": b"tool", "./usr/share/x": b"", "./usr/lib/a#b": b"odd"})
    return make_ar({"debian-binary": b"2.0\n", "data.tar": data})


def test_a_package_as_dpkg_makes_it_has_a_folder_of_its_own(make_ar: Maker) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        for name in ("./", "./usr/"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
        info = tarfile.TarInfo("./usr/tool")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"tool"))
    package = make_ar({"debian-binary": b"2.0\n", "data.tar.xz": out.getvalue()})
    assert taken(package, "usr/tool") == b"tool"


def taken(archive: bytes, path: str) -> bytes:
    out = io.BytesIO()
    assert copy_member(OpenJail(), io.BytesIO(archive), path, out) == len(out.getvalue())
    return out.getvalue()


@pytest.mark.parametrize("prefix", ["", "data.tar/", "data.tar/./"])
def test_a_file_of_a_package_is_taken_out(deb: bytes, prefix: str) -> None:
    assert taken(deb, f"{prefix}usr/bin/tool") == b"tool"
    assert taken(deb, "usr/share/x") == b""


def test_a_file_of_a_wheel_is_taken_out(make_zip: Maker) -> None:
    assert taken(make_zip({"a/rules.yar": b"rule", "rules.yar": b"x"}), "a/rules.yar") == b"rule"


@pytest.mark.parametrize("path", ["usr/bin", "usr/bin/other", "bin/tool", "tool", "control.tar"])
def test_no_other_file_is_taken_for_it(deb: bytes, path: str) -> None:
    with pytest.raises(InputMismatchError, match="no single file"):
        taken(deb, path)


def test_of_two_files_of_one_path_none_is_taken(make_ar: Maker, make_tar: Maker) -> None:
    one = make_tar({"./tool": b"one", "tool": b"two"})
    for archive in (one, make_ar({"data.tar": one}), make_ar({"tool": b"1", "data.tar": one})):
        with pytest.raises(InputMismatchError, match="no single file"):
            taken(archive, "tool")


def test_of_two_contents_of_a_package_none_is_read(make_ar: Maker, make_tar: Maker) -> None:
    """What dpkg installs is the first."""
    installed, other = make_tar({"./x": b"x"}), make_tar({"./tool": b"tool"})
    package = make_ar({"data.tar.gz": gzip.compress(installed), "data.tar": other})
    with pytest.raises(InputMismatchError, match="twice"):
        taken(package, "tool")


class Packages:
    """Serves one package."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        paths = [into / str(number) for number, _ in enumerate(requests)]
        for path in paths:
            path.write_bytes(self.data)
        return paths


def test_a_package_is_fetched_for_the_file_that_its_subpath_names(
    deb: bytes, tmp_path: Path
) -> None:
    def wanted(path: str) -> FetchRequest:
        locator = parse_locator(f"pkg:deb/debian/tool@1?arch=amd64{path}")
        return FetchRequest(locator=locator, name="tool", sha256=Digest.of(b"tool"))

    whole, file = MemberFetcher(Packages(deb), OpenJail()).fetch(
        [wanted(""), wanted("#usr/bin/tool")], tmp_path
    )
    assert (whole.read_bytes(), file.read_bytes()) == (deb, b"tool")
    for name in ("gone", "crash"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputUnavailableError, match="#usr/bin/gone was not found"):
        MemberFetcher(Packages(deb), OpenJail()).fetch([wanted("#usr/bin/gone")], tmp_path / "gone")
    failing = OpenJail(JailFailedError(JailEnd.CRASHED, "it crashed", got="signal 9"))
    with pytest.raises(InputUnavailableError, match="it crashed"):
        MemberFetcher(Packages(deb), failing).fetch([wanted("#x")], tmp_path / "crash")


def test_archives_beside_the_way_are_not_read(make_tar: Maker) -> None:
    inner = gzip.compress(make_tar({"rules.yar": b"rule"}))
    outer = make_tar({"a/rules.tar.gz": inner, "a/bomb.tar.gz": inner[:-9], "b": inner})
    assert taken(gzip.compress(outer), "a/rules.tar/rules.yar") == b"rule"
    read = [m.path for m in members(io.BytesIO(outer), enters=lambda path: path[0] == "b")]
    assert read == [
        "a/rules.tar.gz",
        "a/bomb.tar.gz",
        "b/(unpacked)/rules.yar",
        "b/(unpacked)",
        "b",
    ]
