"""Text of others is only ever text: in every file of a portal, and on every page in a browser."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from builders.core.escaping import escaped
from tests.browser.served import Portal
from tests.browser.shown import HOSTILE
from tests.browser.watched import Visitor

pytestmark = pytest.mark.browser

MAX_PAGE = 500_000
"""Bytes of a page, however long the lines are of what it shows."""
LINKED = {"href", "src", "action", "formaction", "data", "srcdoc"}
SHOWN = escaped(HOSTILE)[:60]
"""How a person sees it."""


class _Markup(HTMLParser):
    """Finds what a page has that is not ours."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and not given.get("src"):
            self.faults.append("a script in the page")
        if tag in {"object", "embed", "base"} or (tag == "img" and given.get("src") == "x"):
            self.faults.append(f"an element {tag}: {given}")
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.faults.append(f"an attribute {name} of {tag}: {value}")
            if name in LINKED and ":" in (value or "").partition("/")[0]:
                self.faults.append(f"an address in {tag}: {value}")

    handle_startendtag = handle_starttag


def pages(portal: Portal) -> Iterator[Path]:
    """Yield the files of all pages; what diffoscope wrote is shown in a sandbox alone."""
    for path in portal.current.rglob("*.html"):
        if path.name.startswith("index"):
            yield path


def test_no_page_has_markup_of_others(portal: Portal) -> None:
    wrong = []
    for path in pages(portal):
        found = _Markup()
        found.feed(path.read_text())
        wrong += [f"{path}: {fault}" for fault in found.faults]
    assert wrong == []


def test_no_page_has_a_character_that_nobody_sees(portal: Portal) -> None:
    for path in pages(portal):
        text = unescape(path.read_text())
        assert escaped(text, keep="\n") == text, path


def test_no_page_grows_with_a_line_of_a_file(portal: Portal) -> None:
    sizes = {path: path.stat().st_size for path in pages(portal)}
    assert max(sizes.values()) <= MAX_PAGE, max(sizes, key=lambda path: sizes[path])


def test_twins_are_plain_and_pictures_and_feeds_hold_no_script(portal: Portal) -> None:
    for path in portal.current.rglob("*"):
        if path.name == "index.json":
            assert isinstance(json.loads(path.read_bytes()), dict)
            assert path.read_bytes().isascii(), path
        elif path.suffix in {".svg", ".atom"}:
            root = ET.fromstring(path.read_text())  # noqa: S314  # entities are not expanded twice
            names = {str(element.tag).rpartition("}")[2] for element in root.iter()}
            assert not names & {"script", "foreignObject", "iframe"}, path
            kept = [n for e in root.iter() for n in e.attrib if n.lower().startswith("on")]
            assert not kept, path


def test_what_would_run_is_read_on_the_pages_of_the_hostile_vendor(
    portal: Portal, visitor: Visitor
) -> None:
    page = visitor.open(portal.url("/"))
    read = []
    for path in (path for path in portal.pages() if "mallory" in path):
        page.goto(portal.url(path))
        assert page.locator("[onerror], img[src=x]").count() == 0
        assert page.locator("script:not([src])").count() == 0
        if SHOWN in page.inner_text("body"):
            read.append(path)
    assert "releases/mallory/markup/1.0/" in read
    page.goto(portal.url("/alarms/"))
    said = page.locator("main").get_by_text(SHOWN)
    assert said.count() >= 2, "the name of a file, and why an operator acknowledged the alarm"
