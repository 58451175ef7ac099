"""`samebits evidence show`: the log, the folder of a run, and what a browser is given."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builders.core.digest import Digest
from pipelines.cli.evidence import command
from pipelines.explain.frame import BACK, FRONT
from tests.bundle.test_export import RELEASE, Filled
from tests.command import Ended, in_terminal, samebits
from tests.signer.scene import LOG

HTML = (
    b'<!DOCTYPE html><html><head><script>steal()</script></head><img src="https://evil.example/">'
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A store with a run that was DIFFERENT and explained."""
    return Filled(tmp_path_factory.mktemp("different"), "different")


def shown(filled: Filled, *words: str | Path) -> Ended:
    os.environ.pop("SAMEBITS_STORE", None)
    return samebits(
        "evidence", "show", str(RELEASE), "--center", filled.file, *words, home=filled.home
    )


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def test_the_log_is_printed_byte_for_byte_and_alone(filled: Filled) -> None:
    ended = shown(filled, "--log", "--raw")
    assert (ended.code, ended.out.encode()) == (0, LOG)
    for more in (("--json",), ("--open",), ("--report", filled.home / "no")):
        assert shown(filled, "--log", *more).code == 64
    assert shown(filled, "--raw").code == 64
    assert not (filled.home / "no").exists()


def test_a_run_without_a_log_says_so(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    report = tmp_path / "store" / filled.prefix / "report.json"
    report.chmod(0o644)
    report.write_text(re.sub(r'"log": "[0-9a-f]{64}"', '"log": null', report.read_text()))
    ended = shown(filled, "--log")
    assert ended.code == 64
    ended.assert_clear()
    assert "has no build log" in ended.err


def test_the_log_is_escaped_and_is_raw_on_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.signer.scene.LOG", b"\x1b]0;owned\x07\tna\xc3\xafve \xff\n" * 3000)
    filled = Filled(tmp_path, "identical")
    words = ("evidence", "show", str(RELEASE), "--center", filled.file, "--log")
    seen = in_terminal(*words, home=filled.home).out
    escapes = r"\x1b]0;owned\x07" + " " * 6 + "naïve \\xff"
    assert set(seen.split("\n")) == {escapes, ""}
    assert shown(filled, "--log").out == seen
    assert in_terminal(*words, "--raw", home=filled.home).code == 64


def test_a_folder_holds_the_run_and_names_each_file(filled: Filled, tmp_path: Path) -> None:
    ended = shown(filled, "--report", tmp_path / "run")
    assert ended.code == 0, ended.err
    page = Page(tmp_path / "run/index.html")
    assert "--accent:" in page.text, "it looks like the pages of the portal"
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"index.html", "report.json", "build.log.txt"} <= names
    for name in names - {"index.html"}:
        assert name in page.text
        assert name in ended.out
    assert (tmp_path / "run/build.log.txt").read_bytes() == LOG
    assert str(Digest.of(LOG)) in page.text
    assert "rules.bin" in page.text
    assert not any("\x1b" in text for text in (page.text, ended.out))
    document = shown(filled, "--report", tmp_path / "again", "--json").document()
    assert {file["name"].rstrip("/") for file in document["folder"]["files"]} == names
    assert document["folder"]["path"] == str(tmp_path / "again")
    assert document["verdict"] == "DIFFERENT"


def test_a_folder_is_no_more_open_than_the_umask(filled: Filled, tmp_path: Path) -> None:
    before = os.umask(0o077)
    words = ["show", str(RELEASE), "--center", str(filled.file), "--report", f"{tmp_path}/run"]
    try:
        assert CliRunner().invoke(command, words).exit_code == 0
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o077 for path in [tmp_path / "run", *tmp_path.rglob("run/*")]}
    assert modes == {0}


def explained(tmp_path: Path, html: bytes) -> Filled:
    """Return a store in which `html` explains a difference."""
    return Filled(tmp_path, "different", html=html)


def test_foreign_html_gets_no_rights(tmp_path: Path) -> None:
    filled = explained(tmp_path, HTML)
    assert shown(filled, "--report", tmp_path / "run").code == 0
    page = Page(tmp_path / "run/explained-1.html")
    assert [tag for tag, _ in page.elements] == ["html", "meta", "meta", "title", "style", "iframe"]
    (frame,) = page.all("iframe")
    assert (frame["srcdoc"], frame["sandbox"]) == (HTML.decode(), "")
    (policy,) = (m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert str(policy).startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:; ")
    page = Page(tmp_path / "run/index.html")
    (frame,) = page.all("iframe")
    assert (frame["src"], frame["sandbox"]) == ("explained-1.html", "")
    (policy,) = (m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert str(policy).startswith("default-src 'none'; style-src 'unsafe-inline'; frame-src ")
    assert not list(page.all("script"))


def test_foreign_names_are_escaped_and_are_no_paths(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "different")
    report = tmp_path / "store" / filled.prefix / "report.json"
    report.chmod(0o644)
    evil = "../../<script>x\\u202e"
    before = {path.name for path in tmp_path.iterdir()}
    report.write_text(report.read_text().replace('"name": "rules.bin"', f'"name": "{evil}"'))
    assert shown(filled, "--report", tmp_path / "run").code == 0
    page = Page(tmp_path / "run/index.html")
    assert not list(page.all("script"))
    assert r"../../<script>x\u202e" in page.text
    assert {path.name for path in tmp_path.iterdir()} - before == {"run"}


def test_what_a_store_does_not_hold_is_named(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "different")
    shutil.rmtree(tmp_path / "store/private")
    ended = shown(filled, "--report", tmp_path / "run", "--json")
    assert ended.code == 0, ended.err
    left_out = {one["what"]: one["why"] for one in ended.document()["folder"]["left_out"]}
    assert left_out["the build log"] == "this store does not hold it"
    assert any(what.startswith("the source that was built") for what in left_out)
    assert "the build log: this store does not hold it" in Page(tmp_path / "run/index.html").text


def test_damaged_evidence_leaves_no_folder(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "different")
    (log,) = (tmp_path / "store/private/cas").rglob(str(Digest.of(LOG)))
    log.chmod(0o644)
    log.write_bytes(LOG + b"!")
    ended = shown(filled, "--report", tmp_path / "run")
    assert ended.code == 2
    ended.assert_clear()
    assert "the build log has other bytes" in ended.err
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".report-*"))


def test_a_folder_that_is_there_is_left_alone(filled: Filled, tmp_path: Path) -> None:
    assert shown(filled, "--report", tmp_path).code == 64
    assert list(tmp_path.iterdir()) == []


def test_the_index_is_opened_in_the_users_browser(filled: Filled, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    for words in (("--report", tmp_path / "run"), (), ()):
        ended = opened(filled, *words, BROWSER=str(browser))
        assert ended.code == 0, ended.err
        url = (tmp_path / "opened").read_text().strip()
        assert url.startswith("file:///")
        assert url.endswith("/index.html")
        assert Path(url.removeprefix("file://")).is_file()
    assert url.startswith(f"file://{filled.home}/reports/")


def test_without_a_browser_the_address_is_told(filled: Filled, tmp_path: Path) -> None:
    ended = opened(
        filled, "--report", tmp_path / "run", BROWSER="/no/such/browser", PATH=str(tmp_path)
    )
    assert ended.code == 0
    assert (
        f"no browser can be started here; the page is file://{tmp_path}/run/index.html" in ended.err
    )
    assert (tmp_path / "run/index.html").is_file()


def opened(filled: Filled, *words: Any, **env: str) -> Ended:
    line = ("evidence", "show", str(RELEASE), "--center", filled.file, "--open", *words)
    return samebits(*line, home=filled.home, env={"DISPLAY": "", **env})


@pytest.mark.parametrize("html", [b'"></iframe><script>x()</script>', b"&quot;\0\xff<!--", b""])
def test_no_html_leaves_its_frame(tmp_path: Path, html: bytes) -> None:
    assert shown(explained(tmp_path, html), "--report", tmp_path / "run").code == 0
    kept = (tmp_path / "run/explained-1.html").read_bytes()
    assert kept.startswith(FRONT)
    assert kept.endswith(BACK)
    inner = kept[len(FRONT) : -len(BACK)]
    assert b'"' not in inner
    assert inner.replace(b"&quot;", b'"').replace(b"&amp;", b"&") == html
