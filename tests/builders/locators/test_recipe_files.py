from __future__ import annotations

import os
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.errors import InputUnavailableError
from builders.locators import FetchRequest, parse_locator
from builders.locators.recipe_files import FolderFetcher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recipe = tmp_path / "recipe"
    (recipe / "below").mkdir(parents=True)
    (recipe / "below/file").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"secret")
    return recipe


def fetch(folder: Path, locator: str) -> bytes:
    into = folder.parent / "into"
    into.mkdir(exist_ok=True)
    want = FetchRequest(
        locator=parse_locator(locator), name="wanted", sha256=Digest.of(b""), folder=folder
    )
    (path,) = FolderFetcher().fetch([want], into)
    return path.read_bytes()


def test_a_file_beside_the_recipe_is_copied(folder: Path) -> None:
    assert fetch(folder, "file:below/file") == b"content"


def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    (folder / "link").symlink_to("below/file")
    assert fetch(folder, "file:link") == b"content"


def _link_out(folder: Path) -> None:
    (folder / "x").symlink_to("../secret")


def _folder_link_out(folder: Path) -> None:
    (folder / "up").symlink_to("..")
    (folder / "x").symlink_to("up/secret")


def _loop(folder: Path) -> None:
    (folder / "x").symlink_to("x")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "x")


def _directory(folder: Path) -> None:
    (folder / "x").mkdir()


def _nothing(folder: Path) -> None:
    pass


@pytest.mark.parametrize("plant", [_link_out, _folder_link_out, _loop, _pipe, _directory, _nothing])
def test_what_is_not_a_file_of_the_folder_is_refused(folder: Path, plant: object) -> None:
    plant(folder)  # type: ignore[operator]
    with pytest.raises(InputUnavailableError, match="file:x cannot be read"):
        fetch(folder, "file:x")
