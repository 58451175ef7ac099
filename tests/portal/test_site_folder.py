"""A site in a folder that is made from nothing while it has older generations, and is killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.portal.site_file import SiteFile
from pipelines.portal.site_folder import SiteFolder
from pipelines.portal.site_state import SiteState
from pipelines.storage.files import replace

PAGES = {f"pages/{number}.html": f"a {number}" for number in range(4)}
OTHERS = dict.fromkeys(PAGES, "b")


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    """Return a site of two generations."""
    site = SiteFolder(tmp_path / "site")
    make(site, PAGES)
    make(site, PAGES)
    return site


def make(site: SiteFolder, pages: dict[str, str], *, anew: bool = False) -> None:
    with site.locked():
        before = None if anew else site.state()
        writer = site.begin(before)
        files = (SiteFile(path, text.encode()) for path, text in pages.items())
        part = writer.make(files, before.files if before else "")
        made = datetime(2026, 1, 5, tzinfo=UTC)
        site.finish(writer, SiteState(number=site.next_number(), made=made, files=part))


def shown(site: SiteFolder) -> dict[str, str]:
    root = site.current.resolve()
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text() for path in found}


@contextmanager
def killed_in_removal(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kill who removes the older generation, in the midst of that."""
    older, remove = site._generation(site.next_number() - 1), shutil.rmtree

    def removes(folder: Path, **more: Any) -> None:
        if folder == older:
            (folder / "pages/1.html").unlink()
            raise KeyboardInterrupt
        remove(folder, **more)

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", removes)
        yield


@contextmanager
def killed_before_its_list(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kill who has put what was prepared in its place, and has not listed its files."""
    listed = site._files_list(str(site.next_number() - 1))

    def writes(path: Path, data: bytes, **more: Any) -> None:
        if path == listed:
            raise KeyboardInterrupt
        replace(path, data, **more)

    with monkeypatch.context() as broken:
        broken.setattr("pipelines.portal.site_folder.replace", writes)
        yield


@pytest.mark.parametrize("pages", [PAGES, OTHERS], ids=["same", "others"])
@pytest.mark.parametrize("killed", [killed_in_removal, killed_before_its_list])
def test_what_a_killed_build_leaves_is_not_taken_for_a_generation(
    site: SiteFolder, monkeypatch: pytest.MonkeyPatch, killed: Any, pages: dict[str, str]
) -> None:
    with killed(site, monkeypatch), pytest.raises(KeyboardInterrupt):
        make(site, pages, anew=True)
    assert shown(site) == pages
    make(site, PAGES)
    assert shown(site) == PAGES
