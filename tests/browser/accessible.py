"""What axe-core finds wrong with a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
"""The rules of WCAG 2.2, levels A and AA."""


def violations(page: Page, *, colours: bool = False) -> list[str]:
    """Return a line for each rule that the page breaks, with the elements that break it.

    `colours`: only what depends on the colours of the page is looked at. What others wrote stands
    in frames, in which nothing can run: axe would wait a minute for its answer.
    """
    only = {"type": "tag", "values": [*LEVELS]}
    if colours:
        only = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    found = Axe().run(page, options={"runOnly": only, "iframes": False})
    return [
        f"{rule['id']}: {rule['help']}: {node['target']} {node['html'][:120]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    width: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
