"""A browser in which no page of ours can do what none may do without failing its test.

That is: an error or warning on the console, as a breach of the Content-Security-Policy is; an
exception, a request to another origin, a request that fails, a dialog, a window, a download.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, Response, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
"""Of Debian's package: the engine without windows, which takes a third less time."""
_ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nobody else can be asked
    "--disable-gpu",
)
_LEFT = "net::ERR_ABORTED"
"""A file that was still being loaded when the visitor went on to another page."""
_MILLISECONDS = 300_000
"""How long a page has for what it has to do: far more than it takes on a loaded machine."""
_OWN_SCHEMES = frozenset({"data", "blob"})


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start Chromium, and stop it at the end; raises playwright's `Error` where it is missing.

    Meanwhile an event loop counts as running in this thread, and `asyncio.run` is refused.
    """
    expect.set_options(timeout=_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """Opens pages, and remembers what they did that none of them may do."""

    browser: Browser
    pictures: Path | None = None
    """Where pictures of pages are kept."""
    allowed: list[str] = field(default_factory=list)
    """What a test expects: a fault that contains one of these texts is none."""
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """The addresses that were asked for, in order."""
    responses: list[Response] = field(default_factory=list)
    _contexts: ExitStack = field(default_factory=ExitStack)

    def open(self, url: str, *, width: int = 1280, height: int = 800, **context: Any) -> Page:
        """Open a page in a window of its own; `context` is handed to `Browser.new_context`."""
        opened = self.browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", **context
        )
        self._contexts.callback(opened.close)
        opened.set_default_timeout(_MILLISECONDS)
        page = opened.new_page()
        opened.on("page", lambda other: self._fault(page, f"opened a window: {other.url}"))
        self._watch(page, _origin(url))
        page.goto(url)
        return page

    def keep(self, page: Page, name: str) -> None:
        """Keep a picture of a page, where pictures are kept."""
        if self.pictures is not None:
            path = self.pictures / f"{re.sub('[^a-z0-9]+', '-', name.lower())[:100]}.png"
            page.screenshot(path=path, full_page=True)

    def close(self) -> None:
        """Close all pages."""
        self._contexts.close()

    def weight(self) -> int:
        """Return the bytes of all bodies that were answered."""
        return sum(len(response.body()) for response in self.responses)

    def _watch(self, page: Page, origin: str) -> None:
        page.on(
            "console",
            lambda said: (
                self._fault(page, f"console: {said.text}")
                if said.type in {"error", "warning"}
                else None
            ),
        )
        page.on("pageerror", lambda error: self._fault(page, f"exception: {error}"))
        page.on("download", lambda saved: self._fault(page, f"downloads {saved.url}"))

        def dialog(shown: Any) -> None:
            self._fault(page, f"dialog: {shown.message}")
            shown.dismiss()

        page.on("dialog", dialog)

        def requested(request: Request) -> None:
            self.requests.append(request.url)
            if urlsplit(request.url).scheme not in _OWN_SCHEMES and _origin(request.url) != origin:
                self._fault(page, f"asks another origin: {request.url}")

        def failed(request: Request) -> None:
            if request.failure != _LEFT:
                self._fault(page, f"not loaded: {request.url}: {request.failure}")

        def answered(response: Response) -> None:
            self.responses.append(response)
            if response.status >= 400:
                self._fault(page, f"status {response.status}: {response.url}")

        page.on("request", requested)
        page.on("requestfailed", failed)
        page.on("response", answered)

    def _fault(self, page: Page, what: str) -> None:
        if not any(text in what for text in self.allowed):
            self.faults.append(f"{page.url}: {what}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
