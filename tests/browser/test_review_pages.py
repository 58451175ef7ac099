"""A whole review with the keyboard alone, and what the review pages are for everybody."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

from pipelines.storage.directory import DirectoryStore
from tests.browser.accessible import overflow, violations
from tests.browser.watched import Visitor
from tests.command import started
from tests.desk import ONE, TWO, Desk, packed
from tests.review.last_run import store_run

HOSTILE = {"<script>alert(1)</script>.py": "# \u202e</td><script>alert(2)</script>\n".encode()}


@dataclass
class ReviewServer:
    """A server of review pages, for ada at her desk."""

    desk: Desk
    address: str

    def sign(self, page: Page) -> None:
        """Type in the terminal what a page shows, with the key of the desk."""
        program, *words = shlex.split(page.locator("pre.command").inner_text())
        assert program == "samebits"
        words[words.index("--key") + 1] = str(self.desk.folder / "ada.key")
        at = words.index("--center")
        ended = self.desk.run(*words[:at], *words[at + 2 :], "--yes")
        assert ended.code == 0, ended.err


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewServer]:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.require("ada", "bob")
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO | HOSTILE, runs="run.sh"))
    desk.approve(desk.recipes / "1.yaml", "ada")
    store_run(DirectoryStore(desk.home / "store"), desk.folder / "scene")
    words = ("review", "serve", "--reviewer", "ada", "--json", "--center", desk.center)
    with started(*words, home=desk.home) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        yield ReviewServer(desk, json.loads(text)["address"])


def follow(page: Page, *keys: str) -> None:
    """Press keys each of which leads to another page."""
    for key in keys:
        with page.expect_navigation():
            page.keyboard.press(key)


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def test_a_whole_review_is_done_with_the_keyboard_alone(
    served: ReviewServer, visitor: Visitor
) -> None:
    page = visitor.open(served.address)
    keys = page.keyboard
    keys.press("/")
    keys.type("tool@2")
    follow(page, "Enter")
    for _ in range(12):
        keys.press("Tab")
        if focused(page) == "lab/tool@2":
            break
    follow(page, "Enter", "n")

    files = [heading(page)]
    while page.locator('[data-key="n"]').count():
        follow(page, "n")
        files.append(heading(page))
    assert files == sorted({*ONE, *TWO, *HOSTILE})
    follow(page, "p")
    keys.press("j")
    assert focused(page).startswith("@@ -1,4 +1,4 @@")
    for key, shown in (("s", "table.split"), ("w", "td.add"), ("u", "tr.hunk")):
        follow(page, key)
        assert page.locator(shown).count() >= 1
    follow(page, "i")
    assert heading(page) == "The recipe of lab/tool@2"
    follow(page, "r")
    keys.press("/")
    keys.type("return")
    follow(page, "Enter")
    assert page.locator("ul.rows li").count() == 1

    follow(page, "r")
    keys.press("c")
    keys.type("Why 1?")
    keys.press("Tab")
    follow(page, "Enter")
    assert heading(page) == "Sign it in the terminal"
    served.sign(page)
    follow(page, "r")
    assert page.locator(".state").inner_text() == "open"
    keys.press("a")
    follow(page, "Enter")
    served.sign(page)
    follow(page, "r")
    assert "1 of 1 reviewers needed" in page.locator("main").inner_text()


def test_keys_are_listed_and_can_be_turned_off(served: ReviewServer, visitor: Visitor) -> None:
    page = visitor.open(served.address)
    page.keyboard.press("?")
    assert page.get_by_text("next and previous file").is_visible()
    for key in ("Tab", "Space", "Tab", "/"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.name") != "q"
    page.reload()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") != "q", "and stay so"


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1600, "light")])
def test_everybody_can_use_each_page(
    served: ReviewServer, visitor: Visitor, width: int, scheme: str
) -> None:
    page = visitor.open(served.address, width=width, color_scheme=scheme)
    index = page.url
    about = f"{index}release/lab/tool/2"
    file = f"{about}/file?path=src/main.c&view="
    hostile = f"{about}/file?path=%3Cscript%3Ealert(1)%3C%2Fscript%3E.py"
    for url in (
        about, f"{file}split", index, f"{file}unified", f"{file}whole", hostile,
        f"{about}/recipe", f"{about}/search?q=int&in=all",
        f"{index}release/lab/tool/1/log", f"{index}release/lab/tool/1/depth",
    )[: 10 if width == 320 else 2]:  # fmt: skip
        page.goto(url)
        assert violations(page) == [], url
        assert overflow(page) == 0, url
    page.goto(about)
    page.get_by_role("button", name="Prepare the approval").click()
    assert heading(page) == "Sign it in the terminal"
    assert violations(page) == []
    assert overflow(page) == 0


def test_nothing_is_shown_to_a_browser_without_the_token(
    served: ReviewServer, visitor: Visitor
) -> None:
    visitor.allowed.append("403")
    page = visitor.open(served.address.partition("?")[0])
    assert "lab/tool" not in page.content()
