"""A browser, which the tests of this folder share, and a portal of three centers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser

from tests.browser.evidence import Evidence
from tests.browser.served import Portal, build, served
from tests.browser.shown import fill
from tests.browser.watched import Visitor, running_chromium
from tests.centers.three import Three


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; a machine without it fails the suite."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Visitor]:
    """Opens pages; at its end the test fails for what a page did that none may do.

    Pictures that it takes are kept in the folder `SAMEBITS_SCREENSHOTS`, if that is set.
    """
    kept = os.environ.get("SAMEBITS_SCREENSHOTS")
    made = Visitor(chromium, pictures=Path(kept) if kept else None)
    yield made
    made.close()
    assert made.faults == []


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The portal of three centers that have found all that a page can show.

    It is built once for all processes of a test run, and no test changes it.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which the processes share
    out, centers = folder / "portal", folder / "centers-of-portal"
    with FileLock(folder / "portal.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # nothing here has to survive a power cut
        if not out.exists():
            with Evidence(centers) as evidence:
                fill(evidence)
            build(evidence.three, out)
    with served("portal", "serve", out, "--port", "0") as origin:
        yield Portal(origin=origin, out=out, three=Three(centers))
