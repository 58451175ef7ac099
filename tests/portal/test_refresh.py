"""Between two nights the pages of requests are made again, and nothing else of the portal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipelines.portal.refresh import refresh_requests, requests_followed
from pipelines.requests.messages import store_request
from tests.command import wait_until
from tests.policy.reviews.people import EVE
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal
from tests.requests.office import signed


def ask(portal: BuiltPortal, nonce: str = "nonce-0001") -> None:
    """Put a request into the store of the center, by somebody whom nobody knows."""
    with portal.centers.session("europe") as session:
        store_request(session.store, signed(EVE, center="europe", nonce=nonce))


def refresh(portal: BuiltPortal) -> bool:
    with portal.centers.session("europe") as session:
        return refresh_requests(session, portal.out, now=datetime.now(UTC))


def test_only_the_pages_of_requests_are_made_again(portal: BuiltPortal) -> None:
    assert not refresh(portal), "there is no portal yet"
    portal.publish()
    portal.build()
    assert not refresh(portal), "nobody has asked"
    before, page = portal.files(), portal.out / "current" / RELEASE_PAGE / "index.html"
    kept = page.stat().st_ino
    ask(portal)
    assert refresh(portal)
    after = portal.files()
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed == {f"requests/{name}" for name in ("index.html", "index.de.html", "index.json")}
    assert portal.twin("requests/")["unknown"] == 1
    assert page.stat().st_ino == kept
    assert not refresh(portal)
    portal.build()
    assert portal.files()["requests/index.json"] == after["requests/index.json"]


def test_they_follow_the_store_while_requests_are_served(portal: BuiltPortal) -> None:
    file = portal.centers.file("europe")
    file.write_text(f"{file.read_text()}\nportal: {portal.out}\n")
    portal.build()

    def unknown() -> int:
        return int(portal.twin("requests/")["unknown"])

    with portal.centers.session("europe") as session, requests_followed(session, every=0.02):
        ask(portal)
        wait_until(lambda: unknown() == 1)
    with portal.centers.session("europe") as session, requests_followed(session, every=60):
        ask(portal, "nonce-0002")
    assert unknown() == 2, "what came last is there at the end"


def test_a_portal_that_cannot_be_written_keeps_no_request_from_being_served(
    portal: BuiltPortal, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "current").mkdir()
    (other / "thing").touch()
    file = portal.centers.file("europe")
    file.write_text(f"{file.read_text()}\nportal: {other}\n")
    with portal.centers.session("europe") as session, requests_followed(session):
        ask(portal)
    assert sorted(path.name for path in other.iterdir()) == ["current", "thing"]
