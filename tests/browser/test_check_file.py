"""A visitor checks a file: on the portal, and without any server from a copied folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from builders.core.digest import Digest
from pipelines.portal.verifier_file import NAME
from tests.browser.accessible import overflow, violations
from tests.browser.served import Portal
from tests.browser.shown import AGENT, HOSTILE, agent
from tests.browser.watched import Visitor

CHECK = "/check/"
GOOD, ALTERED = agent("6.4"), agent("6.4").replace(b"server = one", b"server = two")


def chosen(page: Page, folder: Path, data: bytes, *more: Path) -> None:
    """Choose a file with these bytes, and others with it."""
    path = folder / f"{Digest.of(data).hex[:8]}-{AGENT}"
    path.write_bytes(data)
    page.set_input_files("#file", [path, *more])


def answer(page: Page) -> str:
    """Return the first line of the answer, once there is one."""
    expect(page.locator("#answer h2")).to_be_visible(timeout=300_000)
    return page.inner_text("#answer h2").strip()


def fingerprint(portal: Portal) -> str:
    chain = json.loads((portal.current / "policy/chain.json").read_bytes())
    found: str = chain["policies"][0]["sha256"]
    return found


def test_a_good_file_is_reproduced_and_says_by_whom(
    portal: Portal, visitor: Visitor, tmp_path: Path
) -> None:
    page = visitor.open(portal.url(CHECK))
    chosen(page, tmp_path, GOOD)
    assert answer(page) == "Reproduced"
    text = page.inner_text("#answer")
    for center in ("europe", "asia", "americas"):
        assert f"{center}-trust" in text
    assert str(Digest.of(GOOD)) in text
    assert all(one.request.method == "GET" for one in visitor.responses), "nothing is uploaded"
    asked = [url for url in visitor.requests if "/files/" in url]
    assert asked == [portal.url(f"files/{Digest.of(GOOD).hex[:2]}.json")], "and no more is told"
    assert page.evaluate("document.activeElement.tagName") == "H2"
    assert violations(page) == []
    page.set_viewport_size({"width": 320, "height": 800})
    assert overflow(page) == 0
    assert page.evaluate("localStorage.length") == 0


def test_a_dropped_file_is_checked_and_its_name_is_text(portal: Portal, visitor: Visitor) -> None:
    page = visitor.open(portal.url(CHECK))
    dropped = page.evaluate_handle(
        """([bytes, name]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name));
            return transfer;
        }""",
        [list(GOOD), HOSTILE],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    assert answer(page) == "Reproduced"
    shown = page.inner_text("#answer dd")
    assert shown == HOSTILE.replace("\u202e", r"\u{202e}").replace("\u200b", r"\u{200b}")
    assert page.locator("#answer img, #answer script").count() == 0


@pytest.mark.parametrize(
    ("data", "word"), [(ALTERED, "Unknown file"), (agent("6.5"), "Not reproduced")]
)
def test_another_file_is_not(
    portal: Portal, visitor: Visitor, tmp_path: Path, data: bytes, word: str
) -> None:
    page = visitor.open(portal.url(CHECK))
    chosen(page, tmp_path, data)
    assert answer(page) == word


def test_an_answer_that_comes_late_does_not_stand_in_for_that_about_another_file(
    portal: Portal, visitor: Visitor, tmp_path: Path
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page = visitor.open(portal.url(CHECK))
    page.route("**/asia-*.bundle.tar", hold)
    with page.expect_request("**/asia-*.bundle.tar"):
        chosen(page, tmp_path, GOOD)
    chosen(page, tmp_path, ALTERED)
    assert answer(page) == "Unknown file"
    with page.expect_response("**/asia-*.bundle.tar"):
        held.pop().continue_()
    page.unroute("**/asia-*.bundle.tar")
    page.wait_for_timeout(2000)  # as long as it takes to check what had been held up
    assert answer(page) == "Unknown file"


def test_altered_evidence_is_refused(portal: Portal, visitor: Visitor, tmp_path: Path) -> None:
    def alter(route: Route) -> None:
        body = route.fetch().body()
        place = body.index(b"IDENTICAL") if b"IDENTICAL" in body else len(body) // 2
        route.fulfill(body=body[:place] + b"i" + body[place + 1 :])

    page = visitor.open(portal.url(CHECK))
    page.route("**/asia-*.bundle.tar", alter)
    chosen(page, tmp_path, GOOD)
    assert answer(page) == "Refused"


def test_the_first_policy_is_compared_and_kept_only_if_the_visitor_says_so(
    portal: Portal, visitor: Visitor, tmp_path: Path
) -> None:
    page = visitor.open(portal.url(CHECK))
    expect(page.locator("#compared")).to_contain_text("not compared it yet")
    assert page.inner_text("#fingerprint").replace(" ", "") == fingerprint(portal)
    page.fill("#expected", "0" * 64)
    expect(page.locator("#compared")).to_contain_text("another one")
    chosen(page, tmp_path, GOOD)
    assert answer(page) == "Refused"
    page.fill("#expected", fingerprint(portal).upper())
    expect(page.locator("#compared")).to_contain_text("the one that you expect")
    page.reload()
    expect(page.locator("#compared")).to_contain_text("not compared it yet")
    page.fill("#expected", fingerprint(portal))
    page.check("#remember")
    page.reload()
    expect(page.locator("#compared")).to_contain_text("the one that you expect")
    page.uncheck("#remember")
    page.reload()
    expect(page.locator("#compared")).to_contain_text("not compared it yet")


def test_the_keyboard_alone_suffices_and_a_digest_is_enough(
    portal: Portal, visitor: Visitor
) -> None:
    page = visitor.open(portal.url(CHECK))
    expect(page.locator("#policy")).to_be_visible()
    page.focus("#file")
    page.keyboard.press("Tab")
    page.keyboard.type("nothing")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_contain_text("64 hexadecimal digits")
    page.fill("#digest", str(Digest.of(GOOD)))
    page.focus("#digest")
    page.keyboard.press("Enter")
    expect(page.locator("#answer h2")).to_contain_text("Reproduced")


def test_hashing_a_large_file_is_told_and_can_be_cancelled(
    portal: Portal, visitor: Visitor, tmp_path: Path
) -> None:
    large, medium = tmp_path / "large.bin", tmp_path / "medium.bin"
    with large.open("wb") as stream:
        stream.truncate(1 << 30)
    medium.write_bytes(bytes(range(256)) * (40 << 10))
    page = visitor.open(portal.url(CHECK))
    page.set_input_files("#file", large)
    expect(page.locator("#bar")).not_to_have_attribute("value", "0")
    page.keyboard.press("Enter")  # the button to cancel has the focus
    expect(page.locator("#progress")).to_be_hidden()
    expect(page.locator("#answer")).to_be_hidden()
    page.set_input_files("#file", medium)
    assert answer(page) == "Unknown file"
    assert str(Digest.of(medium.read_bytes())) in page.inner_text("#answer")
    with large.open("ab") as stream:
        stream.truncate((1 << 30) + 1)
    page.set_input_files("#file", large)
    expect(page.locator("#answer")).to_contain_text("larger than 1 GB")


def test_a_copied_folder_needs_no_server(portal: Portal, visitor: Visitor, tmp_path: Path) -> None:
    usb = tmp_path / "usb"
    shutil.copytree(portal.current, usb)
    page = visitor.open((usb / NAME).as_uri())
    expect(page.locator("#compared")).to_contain_text("not compared it yet")
    chosen(page, tmp_path, GOOD)
    assert answer(page) == "Not proven", "a copy could bring its own centers"
    expect(page.locator("#answer")).to_contain_text("europe-trust")
    page.fill("#expected", fingerprint(portal))
    expect(page.locator("#answer h2")).to_contain_text("Reproduced")
    chosen(page, tmp_path, ALTERED)
    expect(page.locator("#answer h2")).to_contain_text("Unknown file")
    assert violations(page) == []


def test_a_copied_folder_brings_data_and_nothing_else(
    portal: Portal, visitor: Visitor, tmp_path: Path
) -> None:
    usb = tmp_path / "usb"
    shutil.copytree(portal.current, usb)
    shard = usb / f"files/{Digest.of(ALTERED).hex[:2]}.css"
    shard.write_text("body, h1 { display: none } :root { --samebits: 'not packed' }")
    page = visitor.open((usb / NAME).as_uri())
    page.fill("#expected", fingerprint(portal))
    chosen(page, tmp_path, ALTERED)
    assert answer(page) == "Not proven"
    assert page.locator("h1").is_visible(), "it styles nothing here"
    assert "script-src 'sha256-" in page.content()
    assert page.locator("iframe").count() == 0


def test_a_bundle_and_a_policy_are_enough(portal: Portal, visitor: Visitor, tmp_path: Path) -> None:
    """The offline file alone in a folder; two bundles, since the policy asks for two operators."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(portal.current / NAME, alone)
    bundles = sorted((portal.current / "bundles/acme/agent/6.4").glob("*.bundle.tar"))
    assert len(bundles) == 3
    policy = next((portal.current / "policy").glob("*.dsse.json"))
    # There is no portal in its folder, for which it looks first.
    visitor.allowed += ["not loaded: file://", "console: Failed to load resource"]
    page = visitor.open((alone / NAME).as_uri())
    expect(page.locator("#no-portal")).to_be_visible(timeout=300_000)
    chosen(page, tmp_path, GOOD, *bundles[:2], policy)
    assert answer(page) == "Not proven"
    page.fill("#expected", fingerprint(portal))
    expect(page.locator("#answer h2")).to_contain_text("Reproduced")
    chosen(page, tmp_path, GOOD, bundles[0], policy)
    expect(page.locator("#answer")).to_contain_text("asks for 2 operators")
    expect(page.locator("#answer h2")).to_contain_text("Not proven")
