"""What the review pages show of a release, whatever is in its source."""

from __future__ import annotations

import json
import re
from collections import deque
from enum import StrEnum
from html import unescape
from html.parser import HTMLParser

import pytest

from pipelines.evidence.privatekey import create_key
from pipelines.evidence.statements.comment import CommentKind
from pipelines.evidence.statements.people import Decision
from pipelines.policy.reviews.comments import QuestionState
from pipelines.policy.reviews.count import ReviewExclusion
from pipelines.review.words import WORDS
from tests.desk import ONE, TWO, Desk, packed
from tests.review.conftest import Browser, Terminal
from tests.review.last_run import BELL, BIDI

GERMAN = {"accept-language": "fr, de-AT;q=0.9, en;q=0.8"}

HOSTILE = {
    "<script>alert(1)</script>.c": b"int x;\n",
    f'a{BIDI}b".py': f"# {BIDI}</td><script>alert(2)</script> {BELL}\n".encode(),
    "long.js": b"x" * (10 << 20),
    "deep/&lt;img src=x onerror=alert(3)&gt;.html": b"<img src=x onerror=alert(4)>\r\n",
    "no-colours.c": (b"<script>alert(7)</script>" + b" " * 600 + b"\n") * 1000,
    "not-utf8.txt": b"\xff\xfe\x80 text\n",
    "new\nline": b"\n",
    "link": b"",
}


class Links(HTMLParser):
    """The addresses in a page, and whatever in it would run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.running: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.running += [f"{tag} {name}" for name in given if name.startswith("on")]
        if tag == "script" and not re.search(
            "/assets/(portal|review)[.]js$", given.get("src") or ""
        ):
            self.running.append(tag)
        if tag in {"img", "iframe", "object", "embed", "style", "base"} or "style" in given:
            self.running.append(tag)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))


def shown(text: str) -> str:
    """Return the text of a page without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", text))


@pytest.fixture
def two(desk: Desk) -> None:
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO, runs="run.sh"))


def test_pages_are_in_the_language_that_the_browser_asks_for(two: None, browser: Browser) -> None:
    path = f"/{browser.secrets.folder}/release/lab/tool/2"
    page = browser.client.get(path, headers=GERMAN).text
    assert '<html lang="de">' in page
    assert "Was sich geändert hat" in page
    assert "What changed" in browser.client.get(path, headers={"accept-language": "fr"}).text


@pytest.mark.parametrize("values", [ReviewExclusion, QuestionState, Decision, CommentKind])
def test_the_words_of_values_are_translated(values: type[StrEnum]) -> None:
    assert {str(value) for value in values} <= {*WORDS}


def test_all_releases_are_listed_and_found(two: None, browser: Browser) -> None:
    assert "lab/tool@1" in browser.get("/")
    assert "lab/tool@2" not in browser.get("/", q="TOOL@1")


def test_only_what_is_new_since_my_last_approval_is_listed(
    two: None, desk: Desk, browser: Browser, terminal: Terminal
) -> None:
    desk.release("3", packed(TWO | {"src/third.c": b"int third;\n"}))
    terminal.sign("approve", "1", "ada")
    terminal.sign("approve", "2", "bob")
    page = shown(browser.get("/release/lab/tool/3"))
    assert "Compared with lab/tool@1, approved by ada" in page
    assert "src/gone.c" in page
    others = shown(browser.get("/release/lab/tool/3", base="policy"))
    assert "Compared with lab/tool@2, approved by bob" in others
    assert "src/gone.c" not in others
    assert "src/third.c" in others
    chosen = shown(browser.get("/release/lab/tool/3", base="lab/tool@2"))
    assert "Compared with lab/tool@2." in chosen
    assert "5 added" in shown(browser.get("/release/lab/tool/3", base="nothing"))


def test_a_file_is_shown_in_three_ways_in_colours(two: None, browser: Browser) -> None:
    given = {"path": "src/main.c", "base": "lab/tool@1"}
    unified = browser.get("/release/lab/tool/2/file", **given)
    assert '<span class="k-k">return</span>' in unified
    assert re.search(r'class="sign">-</td><td class="code del">', unified)
    assert re.search(r'class="sign">\+</td><td class="code add">', unified)
    split = browser.get("/release/lab/tool/2/file", **given, view="split")
    row = next(r for r in split.split("<tr>") if "return" in shown(r))
    assert [shown(cell) for cell in re.findall(r'class="code[^>]*>(.*?)</td>', row)] == [
        "    return 0;",
        "    return 1;",
    ]
    whole = browser.get("/release/lab/tool/2/file", **given, view="whole")
    assert "int main(void)" in shown(whole)
    assert len(re.findall('class="code add"', whole)) == 1


def test_a_file_that_did_not_change_is_shown_whole(two: None, browser: Browser) -> None:
    page = browser.get("/release/lab/tool/2/file", path="logo.bin", base="lab/tool@2")
    assert "No lines are shown: binary" in page
    assert "not changed" in page
    browser.get("/release/lab/tool/2/file", 404, path="no/such/file")


def test_a_renamed_file_is_one_change(desk: Desk, browser: Browser) -> None:
    text = b"".join(b"line %d\n" % number for number in range(20))
    desk.release("1", packed({"old/name.c": text, "same.txt": b"same\n"}))
    desk.release("2", packed({"new/name.c": text + b"more\n", "moved.txt": b"same\n"}))
    page = shown(browser.get("/release/lab/tool/2", base="lab/tool@1"))
    assert "2 renamed." in page
    assert "was old/name.c" in page
    file = shown(browser.get("/release/lab/tool/2/file", path="new/name.c", base="lab/tool@1"))
    assert "was old/name.c" in file
    assert "+more" in file.replace("\n", "")
    assert "line 3\n" not in file, "only what is new"


def test_text_is_found_in_changed_files_or_in_all(two: None, browser: Browser) -> None:
    given = {"base": "lab/tool@1"}
    found = shown(browser.get("/release/lab/tool/2/search", q="return", **given))
    assert "src/main.c:3" in found
    assert "run.sh:1" not in shown(
        browser.get("/release/lab/tool/2/search", q="#!", base="lab/tool@2")
    )
    everywhere = {"q": "#!", "base": "lab/tool@2", "in": "all"}
    assert "run.sh:1" in shown(browser.get("/release/lab/tool/2/search", **everywhere))


def test_nothing_hostile_runs_or_hides_on_any_page(
    desk: Desk, browser: Browser, terminal: Terminal
) -> None:
    desk.release("1", packed({"a": b"\n"}))
    recipe = desk.release("2", packed(HOSTILE))
    note = f"draft: <script>alert(5)</script> {BIDI}"
    recipe.write_text(f"# {note}\n{recipe.read_text()}")
    said = "<script>alert(6)</script>\n<b>bold</b>"
    assert terminal.sign("comment", "2", "ada", "--text", said, "--path", "<script>.c").code == 0
    start = f"/{browser.secrets.folder}/release/lab/tool/2"
    waiting, seen = deque([start]), {start}
    while waiting:
        answer = browser.client.get(waiting.popleft(), headers=GERMAN)
        assert answer.status_code in {200, 404}, answer.url
        assert len(answer.content) < 3 << 20
        found = Links(answer.text)
        assert not found.running, answer.url
        assert not {BIDI, BELL, "\r"} & set(answer.text)
        for link in found.links:
            target = str(answer.url.join(link)).split("#")[0]
            if target not in seen and "/release/lab/tool/2" in target:
                seen.add(target)
                waiting.append(target)
    assert len(seen) > len(HOSTILE) * 3
    long = shown(browser.get("/release/lab/tool/2/file", path="long.js"))
    assert f"cut: the line has {10 << 20} bytes" in long


def test_a_release_without_a_recipe_or_source_is_one_message(
    two: None, desk: Desk, browser: Browser
) -> None:
    assert "there is no recipe of lab/tool@9" in browser.get("/release/lab/tool/9", 404)
    (desk.recipes / "tool-1-0.tar").write_bytes(b"other")
    assert "is not the pinned file" in browser.get("/release/lab/tool/1", 502)
    assert "no run here" in browser.get("/release/lab/tool/2/log", 404)


def test_a_recipe_that_was_changed_is_read_anew(two: None, desk: Desk, browser: Browser) -> None:
    before = browser.get("/release/lab/tool/2")
    path = desk.recipes / "2.yaml"
    recipe = json.loads(path.read_text())
    recipe["build"]["steps"] = [["false"]]
    path.write_text(json.dumps(recipe))
    claim = re.compile(r"<dt>Claim</dt><dd><code>(\w+)")
    assert claim.findall(before) != claim.findall(browser.get("/release/lab/tool/2"))


def test_inferred_values_are_shown_with_their_bits(desk: Desk, browser: Browser) -> None:
    path = desk.release("1", packed(ONE))
    inferred = "# inferred: build.clock 1700000000 (31 bits): the newest member's time"
    path.write_text(f"# draft: by a search\n{inferred}\n{path.read_text()}")
    page = shown(browser.get("/release/lab/tool/1/recipe"))
    assert "build.clock 1700000000 (31 bits): the newest member's time" in page
    assert "The recipe is a draft" in shown(browser.get("/release/lab/tool/1"))


def test_who_approved_what_and_whether_it_counts_is_listed(
    two: None, desk: Desk, browser: Browser, terminal: Terminal
) -> None:
    create_key(desk.folder, "eve")
    terminal.sign("approve", "2", "bob")
    terminal.sign("approve", "2", "eve")
    page = shown(browser.get("/release/lab/tool/2"))
    assert "1 of 1 reviewers needed" in page
    assert "no: its key is not in the policy" in page
    assert page.count("yes") == 1
    terminal.sign("withdraw", "2", "bob")
    page = shown(browser.get("/release/lab/tool/2"))
    assert page.count("no: it was withdrawn") == 2
