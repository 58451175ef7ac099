"""The build log and the difference of the last run, and source that nobody else may see."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.evidence.report import Report
from pipelines.judge.difference import CauseName
from pipelines.review.review_pages import LOG_PIECE
from tests.desk import ONE, Desk, packed
from tests.review.conftest import Browser, Terminal
from tests.review.last_run import BELL, BIDI, HTML, LOG, store_run
from tests.review.test_review_pages import Links, shown


@pytest.fixture
def run(desk: Desk, browser: Browser, tmp_path: Path) -> Report:
    """The run of lab/tool@1 at this center, which found a difference."""
    desk.release("1", packed(ONE))
    return store_run(browser.room.session.store, tmp_path / "scene")


def test_the_build_log_is_shown_in_pages_from_its_end(run: Report, browser: Browser) -> None:
    assert f"The last run here is DIFFERENT, {run.run}" in shown(browser.get("/release/lab/tool/1"))
    page = browser.get("/release/lab/tool/1/log")
    last = -(-len(LOG) // LOG_PIECE)
    assert f"Page {last} of {last}" in shown(page)
    first = browser.get("/release/lab/tool/1/log", page="1")
    assert r"\x1b[2J<script>alert(1)</script> \u202e\x07" in shown(first)
    numbers = [re.findall(r"<tr><td class=.number.>(\d+)<", text) for text in (first, page)]
    assert (numbers[0][0], numbers[1][-1]) == ("1", "6001"), "an empty line is last"
    for text in (page, first):
        assert not Links(text).running
        assert not {BIDI, BELL, "\x1b"} & set(text)
    assert f"Page {last} of" in shown(browser.get("/release/lab/tool/1/log", page="999999999"))


def test_the_difference_is_shown_in_depth(run: Report, browser: Browser) -> None:
    text = browser.get("/release/lab/tool/1/depth")
    page = shown(text)
    assert str(CauseName.NONDETERMINISTIC) in page
    assert r"<i>\x07</i> at 12:00" in page
    assert r"<b>\u202e.bin" in page
    assert not Links(text).running


def test_what_diffoscope_wrote_can_run_nothing(run: Report, browser: Browser) -> None:
    path = f"/{browser.secrets.folder}/release/lab/tool/1/diffoscope"
    answer = browser.client.get(path, params={"artefact": "0"})
    assert answer.content == HTML
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy
    assert "allow-" not in policy
    assert browser.client.get(path, params={"artefact": "7"}).status_code == 404


def test_a_log_that_this_store_does_not_hold_is_one_message(run: Report, browser: Browser) -> None:
    digest = run.attempts[-1].rebuild.log
    assert digest is not None
    stored = browser.desk.home / f"store/private/cas/sha256/{digest.hex[:2]}/{digest.hex}"
    stored.write_bytes(b"other")
    assert "This cannot be shown" in browser.get("/release/lab/tool/1/log", 502)
    stored.unlink()
    assert "This cannot be shown" in browser.get("/release/lab/tool/1/log", 404)


def test_closed_source_is_read_here_and_what_is_said_of_it_stays_here(
    desk: Desk, browser: Browser, terminal: Terminal
) -> None:
    source = packed({"quiet_engine.c": b"int ratchet;\n"})
    path = desk.release("1", source, visibility="private")
    assert "quiet_engine.c" in browser.get("/release/lab/tool/1")
    words = ("--question", "--text", "Why a ratchet?", "--path", "quiet_engine.c")
    assert terminal.sign("comment", "1", "ada", *words).code == 0
    assert terminal.sign("approve", "1", "ada").code == 0
    page = shown(browser.get("/release/lab/tool/1"))
    assert "Why a ratchet?" in page
    assert "1 of 1 reviewers needed" in page
    public = b"".join(p.read_bytes() for p in (desk.home / "store/public").rglob("*.json"))
    recipe = json.loads(path.read_text())
    for text in ("ratchet", "quiet_engine", str(Digest.of(source)), recipe["inputs"][0]["sha256"]):
        assert text.encode() not in public
    listed = terminal.run("questions", path, "--json").document()
    assert [q["content"]["text"] for q in listed["questions"]] == ["Why a ratchet?"]
    place = str(desk.home / "store/public")
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    taken = Terminal(Desk(elsewhere)).run("import", place, "--json").document()
    assert sorted(row["review"].split("/")[1] for row in taken["reviews"]) == [
        "comments",
        "reviews",
    ]
