"""The log explorer: any leaf, proved in the browser by what the portal publishes of the log."""

from __future__ import annotations

import json

from playwright.sync_api import Page, Route, expect

from pipelines.log.checkpoint import LogIdentity
from pipelines.log.leaf import read_leaf
from pipelines.log.merkle import leaf_hash
from pipelines.log.notekey import NoteKey
from pipelines.log.proof import LogProof
from tests.browser.served import Portal
from tests.browser.watched import Visitor


def ask(page: Page, index: int) -> None:
    page.get_by_label("Index").fill(str(index))
    page.get_by_role("button", name="Show and verify").click()


def field(page: Page, name: str) -> str:
    return page.locator(f'[data-field="{name}"]').text_content() or ""


def test_a_leaf_and_its_neighbours_are_proved(portal: Portal, visitor: Visitor) -> None:
    page = visitor.open(portal.url("/logs/europe/"))
    twin = json.loads((portal.current / "logs/europe/index.json").read_bytes())
    log = LogIdentity.of(NoteKey.parse(twin["key"]))
    for index in (0, 1, twin["log"]["size"] - 1):
        ask(page, index)
        expect(page.locator('[data-field="index"]')).to_have_text(str(index))
        expect(page.get_by_text("Verified in this browser")).to_be_visible()
        leaf = read_leaf(
            json.dumps(json.loads(field(page, "leaf")), separators=(",", ":")).encode()
        )
        hashed = leaf_hash(leaf.to_bytes())
        assert field(page, "hash") == hashed.hex()
        proof = LogProof.parse(field(page, "file").encode())
        assert proof.index == index
        assert proof.verify(hashed, log).checkpoint.size == twin["log"]["size"]
    expect(page.get_by_text("the leaf after")).to_be_hidden()
    page.get_by_text("the leaf before").click()
    expect(page.locator('[data-field="index"]')).to_have_text(str(twin["log"]["size"] - 2))
    assert "asia" in field(page, "cosigners")


def test_a_leaf_that_is_not_there_is_no_failure(portal: Portal, visitor: Visitor) -> None:
    page = visitor.open(portal.url("/logs/asia/#leaf-123456"))
    expect(page.get_by_text("The log has no leaf with that index.")).to_be_visible()
    expect(page.locator("#leaf")).to_be_hidden()


def test_an_altered_copy_of_the_log_proves_nothing(portal: Portal, visitor: Visitor) -> None:
    page = visitor.open(portal.url("/logs/europe/"))

    def alter(route: Route) -> None:
        body = route.fetch().body()
        route.fulfill(
            body=body.replace(b"acme/", b"evil/"), content_type="application/octet-stream"
        )

    page.route("**/tile/entries/**", alter)
    ask(page, 0)
    expect(page.get_by_text("This leaf is not proved")).to_be_visible()
    expect(page.locator("#leaf")).to_be_hidden()


def test_without_scripts_the_newest_leaves_are_listed(portal: Portal, visitor: Visitor) -> None:
    page = visitor.open(portal.url("/logs/europe/"), java_script_enabled=False)
    expect(page.get_by_role("button", name="Show and verify")).to_be_hidden()
    expect(page.get_by_text("With JavaScript this page shows")).to_be_visible()
    assert page.locator("tbody tr").count() > 5
