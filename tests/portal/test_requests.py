"""The pages of requests: who asks, how far each request is, and nothing by people nobody knows."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from builders.core.enums import Verdict
from pipelines.portal.pages.requests import RequestPage, RequestsPage, request_pages
from pipelines.portal.rendering import html
from pipelines.requests.messages import note_run, receipt_key
from pipelines.requests.offer import publish_offer
from pipelines.requests.overview import RequestState
from tests.policy.reviews.people import EVE
from tests.requests.office import CENTER, HERE, NOW, OTHER_RELEASE, Center, signed


@pytest.fixture
def office(tmp_path: Path) -> Center:
    return Center(folder=tmp_path)


def made(office: Center) -> tuple[RequestsPage, list[RequestPage]]:
    handler = office.handler
    first, *others = request_pages(
        office.store, HERE, (CENTER.public,), handler.policy, office.now, releases={"lab/engine@1"}
    )
    assert isinstance(first, RequestsPage)
    return first, [page for page in others if isinstance(page, RequestPage)]


def shown(office: Center) -> RequestPage:
    (page,) = made(office)[1]
    return page


class Text(HTMLParser):
    """The text of a page, and its elements."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_request_is_followed_from_its_record_to_its_verdict(office: Center) -> None:
    asked = office.ask()
    page = shown(office)
    assert (page.request.state, page.request.position, page.waiting) == ("waiting", 1, 1)
    assert page.path == f"requests/{asked.digest}/"
    office.look()
    page = shown(office)
    assert (page.request.state, page.request.position) == (RequestState.ACCEPTED, 1)
    assert [receipt.answer for receipt in page.request.receipts] == ["accepted"]
    note_run(office.store, HERE, asked.digest, "20260301T120000Z-00000001")
    page = shown(office)
    assert (page.request.state, page.request.position) == (RequestState.RUNNING, None)
    assert page.request.runs == ("20260301T120000Z-00000001",)
    office.verdict = Verdict.DIFFERENT
    office.serve()
    page = shown(office)
    assert (page.request.state, page.request.verdict, page.waiting) == ("answered", "DIFFERENT", 0)
    text = Text(html(page, "en")).text
    assert "answered: DIFFERENT" in text
    assert text.index("Asked") < text.index("Accepted") < text.index("Run") < text.index("Done")
    assert "Take it back" not in text
    jsonschema.validate(json.loads(page.to_json()), json.loads(page.schema_file().data))
    assert "What was found of the release" in text


def test_the_line_has_the_order_in_which_the_center_serves(office: Center) -> None:
    late = office.ask(nonce="nonce-late", ago=timedelta(minutes=1))
    early = office.ask(nonce="nonce-early", ago=timedelta(minutes=9), release=OTHER_RELEASE)
    page, _ = made(office)
    assert [(one.request, one.position) for one in page.open] == [
        (early.digest, 1),
        (late.digest, 2),
    ]
    assert [item.digest for item in office.look().open] == [early.digest, late.digest]


def test_what_nobody_known_has_signed_is_counted_and_not_shown(office: Center) -> None:
    office.ask(signed(EVE, name="ada", release="lab/engine@1"))
    page, others = made(office)
    assert (page.requests, others, page.unknown) == ((), [], 1)
    assert (
        "1 record that nobody in the policy has signed is not shown." in Text(html(page, "en")).text
    )


def test_a_receipt_of_somebody_else_is_told(office: Center) -> None:
    asked = office.ask()
    office.store.put_record(receipt_key(HERE, asked.digest, 1), b"<script>alert(1)</script>")
    page = shown(office)
    assert page.request.state is RequestState.DISPUTED
    found = Text(html(page, "en"))
    assert found.tags.count("script") == 2, "those of the page itself"
    assert "no receipt of the center" in found.text


def test_the_page_prepares_what_the_command_takes(office: Center) -> None:
    publish_offer(office.handler, NOW)
    page, _ = made(office)
    assert page.requesters == ("ada", "bob")
    assert page.offered == len(page.releases) == 2
    text = html(page, "en").decode()
    assert "samebits request new VENDOR/PRODUCT@VERSION --center asia --store ADDRESS" in text
    assert '<option value="lab/engine@1">' in text
    assert json.loads(page.to_json())["schema"] == "samebits/portal/requests/v1"


def test_words_are_german_in_german(office: Center) -> None:
    office.ask()
    text = Text(html(shown(office), "de")).text
    assert "wartet" in text
    assert "Das Zentrum hat sie noch nicht angesehen." in text
