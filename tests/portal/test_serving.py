"""The portal over HTTP: files, headers, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from pipelines.portal.serving import served
from pipelines.portal.site_folder import SiteFolder
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal


class Client:
    """Asks the application itself, without a network."""

    def __init__(self, site: SiteFolder) -> None:
        self._transport = httpx.ASGITransport(served(site))

    def get(self, path: str, method: str = "GET", **given: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport) as client:
                return await client.request(method, f"http://portal{path}", **given)

        return asyncio.run(ask())


@pytest.fixture
def client(portal: BuiltPortal) -> Client:
    portal.build()
    return Client(SiteFolder(portal.out))


def test_a_page_comes_with_its_headers(client: Client, portal: BuiltPortal) -> None:
    answer = client.get(f"/{RELEASE_PAGE}")
    assert answer.text == portal.html(RELEASE_PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_unchanged_file_is_not_sent_again(client: Client) -> None:
    tag = client.get("/").headers["etag"]
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 304


def test_a_folder_without_its_slash_leads_to_the_page(client: Client) -> None:
    answer = client.get(f"/{RELEASE_PAGE.rstrip('/')}")
    assert (answer.status_code, answer.headers["location"]) == (308, "1.0/")


@pytest.mark.parametrize(
    "path", ["/none", "/%2e%2e/states/1.json", "/..%2fstates/1.json", "/%00", "//", "/a//b"]
)
def test_nothing_else_is_there(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_nothing_can_be_sent(client: Client) -> None:
    assert client.get("/", "POST").status_code == 405


def test_assets_are_kept_by_browsers(client: Client, portal: BuiltPortal) -> None:
    (style,) = [path for path in portal.files() if path.endswith("portal.css")]
    assert "immutable" in client.get(f"/{style}").headers["cache-control"]
