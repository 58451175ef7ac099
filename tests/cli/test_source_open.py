"""`samebits source get|diff --open`: pages of the source in a folder, without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_evidence_show import Page
from tests.desk import ONE, TWO, Desk, packed

HOSTILE = "<img src=x onerror=alert(1)>\u202e.py"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    return Desk(tmp_path)


def opened(desk: Desk) -> Path:
    """Return the page that the browser was given."""
    address = (desk.folder / "opened").read_text().strip()
    assert address.endswith("/index.html")
    return Path(address.removeprefix("file://"))


def linked(page: Path) -> list[Path]:
    return [page.parent / str(a["href"]) for a in Page(page).all("a")]


def test_the_files_of_a_source_are_shown_and_nothing_in_them_runs(desk: Desk) -> None:
    recipe = desk.release("1", packed({**ONE, HOSTILE: b"import os  # </td><script>\n"}))
    out = desk.folder / "read"
    ended = desk.run("source", "get", recipe, "--out", out, "--open")
    assert ended.code == 0, ended.err
    index = opened(desk)
    assert index.parent.stat().st_mode & 0o077 == 0, "the source may be private"
    files = linked(index)
    assert len(files) == len(ONE) + 1
    for page in (index, *files):
        found = Page(page)
        assert not {"script", "img"} & {tag for tag, _ in found.elements}
        (policy,) = (m["content"] for m in found.all("meta") if "http-equiv" in m)
        assert str(policy).startswith("default-src 'none'; style-src 'self' file:; ")
    assert "onerror=alert(1)>\\u202e.py" in Page(index).text
    assert any("import os  # </td><script>" in Page(page).text for page in files)
    assert any('<span class="k-k' in page.read_text() for page in files), "in colours"


def test_a_diff_is_shown_unified_and_side_by_side(desk: Desk) -> None:
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO))
    ended = desk.run("source", "diff", "lab/tool@1", "lab/tool@2", "--open")
    assert ended.code == 1, ended.err
    assert "@@" not in ended.out, "files alone: the lines are in the browser"
    first = opened(desk)
    assert "lab/tool@1 → lab/tool@2" in Page(first).text
    (page, *_) = linked(first)
    views = linked(page)
    assert [path.name for path in views] == [
        "index.html",
        "file-1-unified.html",
        "file-1-split.html",
    ]
    assert all(path.is_file() for path in views)
    assert desk.run("source", "diff", "lab/tool@1", "lab/tool@1", "--open").code == 0
    assert "No file differs." in Page(opened(desk)).text


def test_without_a_browser_the_address_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "/no/such/browser")
    monkeypatch.setenv("PATH", "/usr/lib/none")
    monkeypatch.setenv("DISPLAY", "")
    recipe = desk.release("1", packed(ONE))
    ended = desk.run("source", "get", recipe, "--out", desk.folder / "read", "--open")
    assert ended.code == 0, ended.err
    assert "no browser can be started here; the page is file://" in ended.err
