"""Make the pictures of the documentation: `python -m tests.browser.screenshots`.

They show made-up releases: those of the tests of pages, and a review of a small program.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.browser.evidence import Evidence
from tests.browser.served import ROOT, build, served
from tests.browser.shown import fill
from tests.browser.watched import Visitor, running_chromium
from tests.desk import ONE, TWO, Desk, packed

FOLDER = ROOT / "infra" / "docs" / "images"
PAGES = {
    "overview": ("", 800),
    "release": ("releases/acme/agent/6.5/", 800),
    "difference": ("releases/acme/rules/2026.11/differences/rules.yar/", 1250),
}
"""The path of each page, and how many pixels of its height are shown."""
_WIDTH = 1120


def portal_pictures(visitor: Visitor, folder: Path, out: Path) -> None:
    """Show pages of a portal that is built in `folder`."""
    with Evidence(folder / "centers") as evidence:
        fill(evidence, hostile=False)
        build(evidence.three, folder / "portal")
    with served("portal", "serve", folder / "portal", "--port", "0") as origin:
        for name, (path, height) in PAGES.items():
            page = visitor.open(f"{origin}/{path}", width=_WIDTH, height=height)
            page.screenshot(path=out / f"{name}.png")


def review_picture(visitor: Visitor, folder: Path, out: Path) -> None:
    """Show what a reviewer sees of a source that has changed since the last approval."""
    folder.mkdir()
    desk = Desk(folder)
    desk.require("ada", "bob")
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO))
    desk.approve(desk.recipes / "1.yaml", "ada")
    words = ("review", "serve", "--reviewer", "ada", "--center", desk.center)
    with served(*words, home=desk.home) as address:
        page = visitor.open(address, width=_WIDTH, height=640)
        page.get_by_role("link", name="lab/tool@2").first.click()
        page.get_by_role("link", name="src/main.c").first.click()
        page.screenshot(path=out / "review.png")


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_chromium() as chromium:
        visitor = Visitor(chromium)
        portal_pictures(visitor, Path(folder), FOLDER)
        review_picture(visitor, Path(folder, "desk"), FOLDER)
        visitor.close()


if __name__ == "__main__":
    main()
