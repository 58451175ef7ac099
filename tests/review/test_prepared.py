"""What a page prepares is signed in the terminal, which believes none of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import UsageError
from pipelines.review.prepared import Prepared
from pipelines.review.prepared_files import PreparedFiles
from tests.command import Ended
from tests.desk import ONE, TWO, Desk, packed
from tests.review.conftest import ORIGIN, Browser, Terminal


@pytest.fixture(autouse=True)
def releases(desk: Desk) -> None:
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO))


def command(page: str) -> list[str]:
    """Return the command line that a page shows, with the key of the desk."""
    found = re.search(r'<pre class="command"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    return shlex.split(unescape(found[1]))


def sign(terminal: Terminal, words: list[str], *more: str) -> Ended:
    program, group, *rest = words
    assert (program, group) == ("samebits", "review")
    rest[rest.index("--key") + 1] = str(terminal.desk.folder / "ada.key")
    return terminal.run(*rest, *more)


def prepared_file(words: list[str]) -> Path:
    return Path(words[words.index("--prepared") + 1])


def stored(desk: Desk, folder: str) -> list[Path]:
    return sorted((desk.home / "store/public" / folder).rglob("*.dsse.json"))


def test_an_approval_is_prepared_in_the_page_and_signed_in_the_terminal(
    desk: Desk, browser: Browser, terminal: Terminal
) -> None:
    words = command(browser.prepare("2", says="approve"))
    assert prepared_file(words).stat().st_mode & 0o077 == 0
    asked = sign(terminal, words)
    assert asked.code == 64, "nobody answered"
    plan = json.loads(prepared_file(words).read_text())
    for digest in (*plan["sources"], plan["claim"], plan["scope"]):
        assert digest in asked.err, "shown before the question"
    assert stored(desk, "reviews") == []
    copy = desk.folder / "copy.json"
    copy.write_bytes(prepared_file(words).read_bytes())
    assert sign(terminal, words, "--yes").code == 0
    assert len(stored(desk, "reviews")) == 1
    assert "1 of 1 reviewers needed" in browser.get("/release/lab/tool/2")
    assert not prepared_file(words).exists(), "it is done"
    assert "not signed yet" in browser.get(f"/prepared/{prepared_file(words).name}", 404)
    words[words.index("--prepared") + 1] = str(copy)
    assert sign(terminal, words, "--yes").code == 0
    assert copy.exists(), "it is not of the pages"


def test_what_nobody_signs_is_removed_after_a_week(desk: Desk, browser: Browser) -> None:
    def age(name: str, days: float) -> None:
        then = time.time() - days * 86_400
        os.utime(folder / name, (then, then))

    def prepare(says: str) -> str:
        return prepared_file(command(browser.prepare("2", says=says))).name

    folder = desk.home / "prepared"
    approve, withdraw = prepare("approve"), prepare("withdraw")
    age(approve, 7.01)
    age(withdraw, 6.9)
    assert approve not in browser.get(f"/prepared/{withdraw}")
    assert [path.name for path in folder.iterdir()] == [withdraw]
    age(withdraw, 7.01)
    approve = prepare("approve")
    assert [path.name for path in folder.iterdir()] == [approve]
    age(approve, 6.9)
    assert prepare("approve") == approve
    PreparedFiles(browser.room, ())
    assert time.time() - (folder / approve).stat().st_mtime < 3600
    age(approve, 7.01)
    PreparedFiles(browser.room, ())
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("claim", "c" * 64, "names another claim"),
        ("scope", "d" * 64, "names another scope"),
        ("sources", ["e" * 64], "names another source"),
        ("sources", [], "names another source"),
        ("release", "lab/tool@1", "names another release"),
        ("reviewer", "bob", "names another reviewer"),
        ("says", "withdraw", "is not to approve"),
        ("says", "comment", "is not what a review page prepares"),
        ("schema", "samebits/prepared/v2", "is not what a review page prepares"),
        ("extra", 1, "is not what a review page prepares"),
    ],
)
def test_a_prepared_file_that_lies_is_refused(
    desk: Desk, browser: Browser, terminal: Terminal, field: str, value: Any, said: str
) -> None:
    words = command(browser.prepare("2", says="approve"))
    path = prepared_file(words)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    ended = sign(terminal, words, "--yes")
    assert ended.code == 64
    ended.assert_clear()
    assert said in ended.err
    assert stored(desk, "reviews") == []


@pytest.mark.parametrize(("data", "said"), [(b"no json", "Expecting value"), (b"{}", "release")])
def test_what_is_no_prepared_file_is_one_message(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=f"is not what a review page prepares; got .*{said}"):
        Prepared.read(path)


def test_a_recipe_that_was_exchanged_since_is_refused(
    desk: Desk, browser: Browser, terminal: Terminal
) -> None:
    words = command(browser.prepare("2", says="approve"))
    desk.release("2", packed(TWO | {"back.c": b"door\n"}))
    ended = sign(terminal, words, "--yes")
    assert (ended.code, "names another source" in ended.err) == (64, True)
    assert stored(desk, "reviews") == []


def test_a_question_is_asked_answered_and_withdrawn_through_the_pages(
    desk: Desk, browser: Browser, terminal: Terminal
) -> None:
    form = {"says": "question", "text": "Why\r\n0?", "path": "src/main.c", "line": "3"}
    words = command(browser.prepare("2", **form))
    asked = sign(terminal, words)
    assert "| 0?" in asked.err
    assert "src/main.c:3" in asked.err
    record = sign(terminal, words, "--yes", "--json").document()
    assert record["not_shown"] is None
    page = browser.get("/release/lab/tool/2")
    assert 'class="state">open<' in page
    (question,) = set(re.findall(r'name="question" value="(\w+)"', page))
    answer = ("--answer", question[:12], "--text", "Because.")
    assert terminal.sign("comment", "2", "bob", *answer).code == 0
    page = browser.get("/release/lab/tool/2")
    assert 'class="state">answered<' in page
    assert "Because." in page
    withdrawal = command(browser.prepare("2", says="withdrawal", question=question))
    assert sign(terminal, withdrawal, "--yes").code == 0
    assert 'class="state">withdrawn<' in browser.get("/release/lab/tool/2")
    listed = terminal.run("questions", desk.recipes / "2.yaml", "--json").document()
    assert [q["state"] for q in listed["questions"]] == ["withdrawn"]


@pytest.mark.parametrize(
    "form",
    [
        {"says": "question", "text": ""},
        {"says": "question", "text": "a\x1bb"},
        {"says": "question", "text": "x" * 4001},
        {"says": "question", "text": "x", "line": "3"},
        {"says": "approve", "text": "x"},
        {"says": "answer", "text": "x"},
        {"says": "delete"},
        {},
    ],
    ids=lambda form: f"{form.get('says')}-{len(form)}-{len(form.get('text', ''))}",
)
def test_a_form_that_says_nothing_is_refused(
    desk: Desk, browser: Browser, form: dict[str, str]
) -> None:
    path = f"/{browser.secrets.folder}/release/lab/tool/2/prepare"
    answer = browser.client.post(path, data=form, headers={"origin": ORIGIN})
    assert answer.status_code == 400
    assert not list((desk.home / "prepared").glob("*"))


def test_no_page_can_name_a_file_elsewhere(browser: Browser) -> None:
    for name in ("..%2F..%2Fcenter.yaml", "%2Fetc%2Fpasswd", "none.json"):
        answer = browser.client.get(f"/{browser.secrets.folder}/prepared/{name}")
        assert answer.status_code == 404
