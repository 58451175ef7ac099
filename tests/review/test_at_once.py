"""Several pages at once: none waits for another, and none loses the files that it reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any

import pytest

from pipelines.review.file_view import file_view
from pipelines.review.reading_room import MAX_OPEN
from pipelines.review.review_pages import AT_ONCE
from pipelines.verify.source_diff import SourceChange
from tests.desk import ONE, TWO, Desk, packed
from tests.review.conftest import Browser

FILE = "/release/lab/tool/2/file"


class SlowView:
    """Makes the view of a file once it is let go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on, self._make = Event(), Event(), file_view
        monkeypatch.setattr("pipelines.review.review_pages.file_view", self._slow)

    def _slow(self, change: SourceChange, *given: Any) -> Any:
        self.begun.set()
        assert self.go_on.wait(20)
        return self._make(change, *given)


def test_other_pages_are_made_while_one_file_is_compared(
    desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO))
    slow = SlowView(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        file = pool.submit(browser.get, FILE, path="run.sh")
        try:
            assert slow.begun.wait(20)
            for page in ("/", "/release/lab/tool/2", "/release/lab/tool/1", "/assets/review.css"):
                browser.get(page)
            assert not file.done()
        finally:
            slow.go_on.set()
        assert "#!/bin/sh" in file.result(20)


def test_few_pages_are_made_at_once(
    desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.release("2", packed(TWO))
    begun, go_on = Semaphore(0), Event()
    make = file_view

    def counted(*given: Any) -> Any:
        begun.release()
        assert go_on.wait(20)
        return make(*given)

    monkeypatch.setattr("pipelines.review.review_pages.file_view", counted)
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        asked = [pool.submit(browser.get, FILE, path="run.sh") for _ in range(2 * AT_ONCE)]
        try:
            assert all(begun.acquire(timeout=300) for _ in range(AT_ONCE))
            assert not begun.acquire(timeout=0.2), "the others wait"
        finally:
            go_on.set()
        assert all("#!/bin/sh" in one.result(30) for one in asked)


def test_a_source_that_is_pushed_out_stays_while_a_page_reads_it(
    desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [str(number) for number in range(2, MAX_OPEN + 4)]
    for name in names:
        desk.release(name, packed(TWO))

    def unpacked() -> int:
        return len([*(desk.home / "work").glob("source-*")])

    slow = SlowView(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        file = pool.submit(browser.get, FILE, path="run.sh")
        try:
            assert slow.begun.wait(20)
            for name in names[1:]:
                browser.get(f"/release/lab/tool/{name}")
            assert unpacked() == len(names)
        finally:
            slow.go_on.set()
        assert "#!/bin/sh" in file.result(20)
    assert unpacked() == MAX_OPEN


def test_a_release_is_unpacked_once_however_many_pages_ask(desk: Desk, browser: Browser) -> None:
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        opened = [*pool.map(lambda _: browser.room.open("lab/tool@2"), range(AT_ONCE))]
    assert len({id(one) for one in opened}) == 1
