"""Somebody new, with the first page alone, finds the answers by following links."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.served import Portal
from tests.browser.watched import Visitor


@pytest.fixture
def first(portal: Portal, visitor: Visitor) -> Page:
    return visitor.open(portal.url("/"))


def follow(page: Page, name: str) -> None:
    """Click on the first link of that name in what the page is about."""
    page.locator("main").get_by_role("link", name=name, exact=True).first.click()


def test_what_a_portal_is_for_is_said_first(first: Page) -> None:
    expect(first.get_by_role("heading", level=1)).to_have_text(re.compile("bytes"))


def test_who_vouches_for_a_release_is_two_links_away(first: Page) -> None:
    follow(first, "acme")
    follow(first, "agent")
    follow(first, "6.4")
    main = first.locator("main")
    expect(main).to_contain_text("confirmed")
    for operator in ("europe-trust", "asia-trust", "americas-trust"):
        expect(main).to_contain_text(operator)


def test_what_failed_last_night_is_on_the_first_page(first: Page) -> None:
    row = first.get_by_role("row").filter(has_text="asia").filter(has_text="acme/sensor@2.0")
    expect(row).to_have_count(1)
    row.get_by_role("link", name="acme/sensor@2.0").click()
    expect(first.get_by_role("heading", level=1)).to_contain_text("sensor")
    expect(first.locator("main")).to_contain_text("suspect")


def test_why_a_release_differs_is_said_in_words(first: Page) -> None:
    follow(first, "acme/agent@6.5")
    follow(first, "What differs, and why")
    main = first.locator("main")
    expect(main).to_contain_text("agent.conf")
    expect(main).to_contain_text("The centers did not all build the same bytes.")


def test_how_to_check_it_is_said_with_the_names_filled_in(first: Page) -> None:
    follow(first, "acme/agent@6.5")
    follow(first, "How to check this yourself")
    commands = "\n".join(first.locator("main pre").all_inner_texts())
    for words in ("samebits check", "samebits evidence check", "cosign verify", "acme/agent"):
        assert words in commands


def test_what_is_not_checked_looks_like_neither_a_failure_nor_a_pass(
    portal: Portal, first: Page
) -> None:
    first.goto(portal.url("/releases/globex/scanner/0.9/"))
    standing = first.locator("main .standing").first
    expect(standing).to_have_text(re.compile("not checked"))
    colours = {}
    for path in ("globex/scanner/0.9", "acme/agent/6.4", "acme/agent/6.5", "acme/sensor/2.0"):
        first.goto(portal.url(f"/releases/{path}/"))
        shown = first.locator("main .standing").first
        colours[path] = shown.evaluate("one => getComputedStyle(one).color")
        assert shown.inner_text().strip()  # a word stands beside the colour
    assert len(set(colours.values())) == 4, colours


def test_a_closed_release_shows_its_verdict_and_nothing_of_its_source(
    portal: Portal, first: Page
) -> None:
    first.goto(portal.url("/releases/globex/vault/3.1/"))
    expect(first.locator("main")).to_contain_text("confirmed")
    for path in portal.current.rglob("*"):
        if path.is_file():
            assert b"secret file" not in path.read_bytes()
