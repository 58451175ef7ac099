"""Every page of the portal in a real browser: it opens, fits, prints, and everybody can read it."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page

from tests.browser.accessible import overflow, violations
from tests.browser.served import Portal
from tests.browser.watched import Visitor

FIRST_PAGE_BYTES, FIRST_PAGE_REQUESTS = 100_000, 8
WIDTHS = (320, 390, 1600)
_GLUED = re.compile(r".{0,40}[a-z.:,]<(a|code|strong|time)[ >]")
"""A template drops the line break after a tag of its own."""
LANGUAGES = {"en": "", "de": "index.de.html"}


def test_every_page_opens_and_fits_a_phone_and_a_wide_screen(
    portal: Portal, visitor: Visitor
) -> None:
    page = visitor.open(portal.url("/"))
    wrong = []
    for path in portal.pages():
        for language, file in LANGUAGES.items():
            page.goto(portal.url(f"{path}{file}"))
            wrong += [f"{path}{file}: {fault}" for fault in _faults(page, language)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if over := overflow(page):
                wrong.append(f"{path}: {over} pixels too wide at {width}: {_widest(page)}")
    assert wrong == []


def _faults(page: Page, language: str) -> list[str]:
    found = []
    if page.get_attribute("html", "lang") != language:
        found.append(f"its language is not {language}")
    if page.locator("h1").count() != 1:
        found.append("it has not one heading")
    if not page.title():
        found.append("it has no title")
    if glued := _GLUED.search(page.content()):
        found.append(f"no blank before what follows {glued[0]!r}")
    return found


def _widest(page: Page) -> str:
    """Return the first element that goes beyond the window."""
    found: str = page.evaluate(
        """() => {
            const edge = document.documentElement.clientWidth;
            for (const one of document.querySelectorAll("body *")) {
                if (one.getBoundingClientRect().right > edge + 0.5) {
                    return one.outerHTML.slice(0, 200);
                }
            }
            return "";
        }"""
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_wcag_2_2_aa(
    scheme: str, portal: Portal, visitor: Visitor
) -> None:
    page = visitor.open(portal.url("/"), color_scheme=scheme)
    wrong = []
    for path in shown(portal):
        page.goto(portal.url(path))
        wrong += [f"{path}: {one}" for one in violations(page, colours=scheme == "dark")]
        visitor.keep(page, f"{scheme} {path or 'overview'}")
    assert wrong == []


def shown(portal: Portal) -> list[str]:
    """Return a page of each kind, those of an update, and differences of each kind.

    Those of the hostile vendor have the longest texts.
    """
    wanted = ("mallory", "console/1.1/", "/differences/")
    more = [path for path in portal.pages() if any(part in path for part in wanted)]
    return sorted({*portal.of_each_kind(), *more})


@pytest.mark.browser  # with the others, for which the portal is built anyway
def test_what_pages_show_is_in_the_portal(portal: Portal) -> None:
    """Or the tests of every page would say nothing of it."""
    differences = {
        path: json.loads((portal.current / path / "index.json").read_bytes())["centers"]
        for path in shown(portal)
        if "/differences/" in path
    }
    told = [one["explained"] for centers in differences.values() for one in centers]
    assert any(one and one["rules"] for one in told)
    assert any(one and one["fields"] for one in told)
    assert any(one["page"] for centers in differences.values() for one in centers)
    update = json.loads((portal.current / "releases/globex/console/1.1/index.json").read_bytes())
    results = {one["name"]: (one["result"], bool(one["base"])) for one in update["artefacts"]}
    assert results["console-1.1.tar"] == ("CONFIRMED", False)
    assert results["console-1.0-1.1.bsdiff"][1]
    assert update["standing"] == "suspect", "centers agree that a delta leads elsewhere"


def test_pages_are_read_without_scripts(portal: Portal, visitor: Visitor) -> None:
    page = visitor.open(portal.url("/"), java_script_enabled=False)
    for path in shown(portal):
        page.goto(portal.url(path))
        text = page.inner_text("main")
        assert len(text) > 60, path
        assert "{{" not in text
    page.goto(portal.url("/"))
    assert page.locator("time").first.inner_text().endswith("UTC")


def test_the_keyboard_is_at_the_content_with_two_keys(portal: Portal, visitor: Visitor) -> None:
    page = visitor.open(portal.url("/"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_first_page_is_light(portal: Portal, visitor: Visitor) -> None:
    visitor.open(portal.url("/"))
    assert visitor.weight() <= FIRST_PAGE_BYTES
    assert len(visitor.requests) <= FIRST_PAGE_REQUESTS, visitor.requests


def test_pages_print_dark_on_white_without_what_cannot_be_clicked(
    portal: Portal, visitor: Visitor
) -> None:
    page = visitor.open(portal.url("/"), color_scheme="dark", width=720)
    page.emulate_media(media="print")
    for path in shown(portal):
        page.goto(portal.url(path))
        assert overflow(page) == 0, path
        assert not page.locator("header.site ul").is_visible()
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground in {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}, ground
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("file", "zone", "shown"),
    [
        ("", "Asia/Tokyo", r"\w+ \d+, 20\d\d, \d+:\d\d\s[AP]M GMT\+9 \(.* UTC\)"),
        ("index.de.html", "Asia/Tokyo", r"\d\d\.\d\d\.20\d\d, \d\d:\d\d GMT\+9 \(.* UTC\)"),
        ("", "UTC", r"20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC"),
    ],
    ids=["english", "german", "utc"],
)
def test_times_are_of_the_zone_of_the_reader_with_utc_beside(
    file: str, zone: str, shown: str, portal: Portal, visitor: Visitor
) -> None:
    page = visitor.open(portal.url(file), timezone_id=zone)
    text = page.locator("time").first.inner_text()
    assert re.fullmatch(shown, text), text
