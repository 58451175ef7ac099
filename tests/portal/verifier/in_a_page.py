"""A page that can import the modules of the verifier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route

from pipelines.portal.verifier import modules
from tests.browser.watched import running_chromium

_ORIGIN = "https://verifier.test"


@contextmanager
def verifier_page() -> Iterator[Page]:
    """Open a page whose modules are those of the verifier; no server is asked."""
    with running_chromium() as browser:
        page = browser.new_page()
        page.route(f"{_ORIGIN}/**", _fulfil)
        page.goto(_ORIGIN)
        yield page


def _fulfil(route: Route) -> None:
    name = route.request.url.removeprefix(f"{_ORIGIN}/")
    text = modules()[name] if name else "<!doctype html><title>verifier</title>"
    route.fulfill(body=text, content_type="text/javascript" if name else "text/html")
