"""Who gets a page: the browser with the token of this start, and only from these pages."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from pipelines.review.access import COOKIE, Access, Secrets
from tests.review.asgi_client import AsgiClient

HOST = "127.0.0.1:8123"
OWN = {"origin": f"http://{HOST}"}
KNOWN = Secrets(token="the-token", cookie="the-cookie", folder="folder")
COOKIES = {"cookie": f"{COOKIE}=the-cookie"}


@pytest.fixture
def client() -> AsgiClient:
    app = Access(PlainTextResponse("private source"), host=HOST, known=KNOWN)
    return AsgiClient(app, f"http://{HOST}")


def test_the_token_is_exchanged_for_a_cookie_of_one_folder(client: AsgiClient) -> None:
    assert client.get("/folder/").status_code == 403
    answer = client.get("/?token=the-token")
    assert (answer.status_code, answer.headers["location"]) == (303, "/folder/")
    said = answer.headers["set-cookie"]
    assert said == f"{COOKIE}=the-cookie; HttpOnly; Path=/folder/; SameSite=strict"
    assert client.get("/folder/x").text == "private source"
    assert client.get("/else/x").status_code == 403, "it is not sent to another folder"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": f"{COOKIE}=the-cooki"},
        {"cookie": f"{COOKIE}=the-token"},
        {"cookie": f"{COOKIE}="},
        {"cookie": f"a(b=c; {COOKIE}=the-cookie"},
        {"authorization": "the-cookie"},
        {**COOKIES, "host": "evil.example:8123"},
        {**COOKIES, "host": "localhost:8123"},
        {**COOKIES, "host": "127.0.0.1"},
        {**COOKIES, "origin": "http://evil.example"},
        {**COOKIES, "origin": "null"},
        {**COOKIES, "origin": "http://127.0.0.1:8124"},
        {**COOKIES, "sec-fetch-site": "cross-site"},
        {**COOKIES, "sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_nobody_else_reads_anything(client: AsgiClient, headers: dict[str, str]) -> None:
    answer = client.get("/folder/", headers=headers)
    assert answer.status_code in {403, 421}
    assert "private source" not in answer.text
    assert "the-cookie" not in answer.text


@pytest.mark.parametrize("token", ["", "the-toke", "the-tokenn", "the-cookie", "é\udc80"])
def test_another_token_opens_nothing(client: AsgiClient, token: str) -> None:
    answer = client.get("/?token=" + token.encode("utf-8", "surrogatepass").hex())
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_token_opens_one_address_alone(client: AsgiClient) -> None:
    assert client.get("/folder/?token=the-token").status_code == 403
    assert client.get("/").status_code == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_a_page_is_typed_or_followed_to(client: AsgiClient, site: str) -> None:
    headers = {**COOKIES, "sec-fetch-site": site}
    assert client.get("/folder/", headers=headers).status_code == 200


def test_two_hosts_or_origins_are_none(client: AsgiClient) -> None:
    twice: Any = [("host", HOST), ("host", HOST), *COOKIES.items()]
    assert client.get("/folder/", headers=twice).status_code == 421
    twice = [("origin", OWN["origin"]), ("origin", "http://evil.example"), *COOKIES.items()]
    assert client.get("/folder/", headers=twice).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({**OWN, "sec-fetch-site": "same-origin"}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({**OWN, "sec-fetch-site": "none"}, 403),
    ],
    ids=str,
)
def test_a_form_is_one_of_these_pages(
    client: AsgiClient, headers: dict[str, str], status: int
) -> None:
    assert client.post("/folder/x", headers={**COOKIES, **headers}).status_code == status


def test_no_answer_is_kept_framed_or_given_to_other_origins(client: AsgiClient) -> None:
    for headers in (COOKIES, {}, {**COOKIES, **OWN}):
        answer = client.get("/folder/", headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_no_web_socket_is_opened() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/folder/", "query_string": b"", "headers": []}
    app = Access(PlainTextResponse("private source"), host=HOST, known=KNOWN)
    asyncio.run(app(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_secrets_are_compared_in_constant_time(
    client: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return one == other

    monkeypatch.setattr(secrets, "compare_digest", compare)
    client.get("/?token=guess")
    client.get("/folder/", headers={"cookie": f"{COOKIE}=guess"})
    assert compared == [b"the-token", b"the-cookie"]


def test_each_start_has_secrets_of_its_own_which_are_not_shown() -> None:
    one, other = Secrets(), Secrets()
    assert len({one.token, one.cookie, one.folder, other.token, other.cookie, other.folder}) == 6
    assert min(len(one.token), len(one.cookie)) >= 43
    assert repr(one) == "Secrets()"
