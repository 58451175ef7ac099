"""A browser, which the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.watched import Visitor, running_chromium


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; a machine without it fails the suite."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Visitor]:
    """Opens pages; at its end the test fails for what a page did that none may do."""
    made = Visitor(chromium)
    yield made
    made.close()
    assert made.faults == []
