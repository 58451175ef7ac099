"""The pages of requests in a browser: one prepares what is signed elsewhere, one follows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders.core.enums import Verdict
from pipelines.portal.assets_folder import asset_files
from pipelines.portal.pages.requests import request_pages
from pipelines.portal.rendering import render
from pipelines.requests.offer import publish_offer
from pipelines.requests.prepared_request import read_prepared
from tests.browser.accessible import violations
from tests.browser.served import served
from tests.browser.watched import Visitor
from tests.requests.office import CENTER, HERE, NOW, Center


@dataclass
class Site:
    """The pages of requests alone, as they are served."""

    office: Center
    folder: Path
    origin: str = ""

    def write(self) -> None:
        """Make the pages as the store is now."""
        handler = self.office.handler
        pages = request_pages(
            self.office.store, HERE, (CENTER.public,), handler.policy, self.office.now
        )
        for file in [*asset_files(), *(file for page in pages for file in render(page))]:
            path = self.folder / "current" / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
        for page in ("index.html", "index.de.html", "index.json"):  # where the brand leads
            (self.folder / "current" / page).touch()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(Center(folder=tmp_path_factory.mktemp("office")), tmp_path_factory.mktemp("site"))
    publish_offer(made.office.handler, NOW)
    made.write()
    with served("portal", "serve", made.folder, "--port", "0") as origin:
        made.origin = origin
        yield made


def test_a_request_is_prepared_with_the_keyboard_alone(
    site: Site, visitor: Visitor, tmp_path: Path
) -> None:
    visitor.allowed.append("downloads ")
    page = visitor.open(f"{site.origin}/requests/?release=lab/engine@1")
    page.get_by_label("Your name in the policy").focus()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    command = page.locator("#request-command").inner_text()
    assert command == (
        "samebits request new lab/engine@1 --center asia --store ADDRESS --requester ada "
        "--key ada.key --valid 2h --wait"
    )
    for _ in ("the command", "to copy it", "to save it"):
        page.keyboard.press("Tab")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    path = tmp_path / saved.value.suggested_filename
    saved.value.save_as(path)
    wanted = read_prepared(path)
    assert (wanted.release, wanted.requester, wanted.center) == ("lab/engine@1", "ada", HERE)
    assert wanted.validity.total_seconds() == 7200
    assert violations(page) == []


def test_what_a_shell_would_read_is_no_command(site: Site, visitor: Visitor) -> None:
    page = visitor.open(f"{site.origin}/requests/?release=lab/engine@1;id")
    page.get_by_label("Your name in the policy").fill("ada")
    assert "VENDOR/PRODUCT@VERSION" in page.locator("#request-command").inner_text()
    assert not page.get_by_role("button", name="Copy the command").is_visible()


def test_a_page_of_a_request_renews_itself_until_the_answer(site: Site, visitor: Visitor) -> None:
    asked = site.office.ask()
    site.write()
    page = visitor.open(f"{site.origin}/requests/{asked.digest}/")
    assert "It is number 1 in line" in page.locator(".notice").inner_text()
    assert violations(page) == []
    page.wait_for_load_state("networkidle")
    site.office.verdict = Verdict.IDENTICAL
    site.office.serve()
    site.write()
    page.get_by_text("answered: IDENTICAL").first.wait_for()
    assert page.get_by_role("status").inner_text().startswith("answered: IDENTICAL")
    assert not page.get_by_text("Take it back").is_visible()
