"""That what a page must not do or be is noticed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.accessible import overflow, violations
from tests.browser.watched import Visitor

POOR = "<p style='color: #ccc; width: 400px'>pale <a href=x><img src=data:,></a>"
POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
BAD = {
    "console": ("<script>console.error('broken')</script>", "console: broken"),
    "exception": ("<script>throw new Error('thrown')</script>", "exception: thrown"),
    "policy": (f"{POLICY}<script>1</script>", "Content Security Policy"),
    "style": (f"{POLICY}<p style='color: red'>x</p>", "Content Security Policy"),
    "origin": ("<img src='http://127.0.0.2:1/x.png'>", "asks another origin"),
    "missing": ("<img src='/x.png'>", "status 404"),
    "dialog": ("<script>alert('hello')</script>", "dialog: hello"),
    "window": ("<script>open('about:blank#x')</script>", "opened a window"),
}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("what", BAD)
def test_a_page_is_faulted_for(what: str, chromium: Browser, folder: Path, origin: str) -> None:
    text, expected = BAD[what]
    (folder / f"{what}.html").write_text(f"<!doctype html><title>x</title>{text}")
    visitor = Visitor(chromium)
    page = visitor.open(f"{origin}/{what}.html")
    page.wait_for_timeout(50)
    visitor.close()
    assert [fault for fault in visitor.faults if expected in fault], visitor.faults


def test_a_harmless_page_has_no_fault(visitor: Visitor, folder: Path, origin: str) -> None:
    (folder / "good.html").write_text(f"<!doctype html>{POLICY}<title>x</title><p>hello")
    assert visitor.open(f"{origin}/good.html").inner_text("p") == "hello"


def test_what_some_cannot_read_is_found(visitor: Visitor, folder: Path, origin: str) -> None:
    (folder / "poor.html").write_text(f"<!doctype html><html><title>x</title>{POOR}")
    page = visitor.open(f"{origin}/poor.html", width=320)
    rules = {line.partition(":")[0] for line in violations(page)}
    assert rules == {"color-contrast", "html-has-lang", "image-alt", "link-name"}
    assert overflow(page) > 0
