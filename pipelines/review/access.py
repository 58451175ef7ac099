"""Who may see the review pages: the browser that was given the token of this start.

The token is in the address that the command prints. It is exchanged for a cookie, which is sent to
one random folder alone, as cookies are shared by all ports of a host. A request must name this very
host, so that no other name can be bound to it, and come from these pages or from nowhere. Secrets
are compared in constant time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "samebits-review"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every response, where it has no other. With `no-referrer` a form would have no origin."""
_TODO = "Open the address that `samebits review serve` has printed.\n"


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What is new at each start; never shown by accident."""

    token: str = field(default_factory=_secret, repr=False)
    cookie: str = field(default_factory=_secret, repr=False)
    folder: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)


class Access:
    """Refuses what may not see the pages; an ASGI application around another one."""

    def __init__(self, app: ASGIApp, *, host: str, known: Secrets) -> None:
        """Guard `app` at `host`, which is an address and a port."""
        self._app, self._host, self._secrets = app, host, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on; web sockets are closed."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        response = self._answer(scope)
        await (response or self._app)(scope, receive, send_guarded)

    def _answer(self, scope: Scope) -> Response | None:
        """Return the answer of the guard; None for a request that is handed on."""
        headers = Headers(scope=scope)
        if headers.getlist("host") != [self._host]:
            return PlainTextResponse("not the host of these pages\n", 421)
        if not self._from_these_pages(scope["method"], headers):
            return PlainTextResponse("a request from another page\n", 403)
        token = QueryParams(scope["query_string"]).get("token")
        if scope["path"] == "/" and token is not None:
            return self._exchange(token)
        if not _same(_cookie(headers), self._secrets.cookie):
            return PlainTextResponse(_TODO, 403)
        return None

    def _from_these_pages(self, method: str, headers: Headers) -> bool:
        """Say whether a request was made by these pages, or, if it changes nothing, by no page."""
        origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
        reads = method in {"GET", "HEAD"}
        own = origins == [f"http://{self._host}"] or (reads and not origins)
        return own and set(sites) <= ({"same-origin", "none"} if reads else {"same-origin"})

    def _exchange(self, token: str) -> Response:
        if not _same(token, self._secrets.token):
            return PlainTextResponse(_TODO, 403)
        response = RedirectResponse(f"/{self._secrets.folder}/", 303)
        response.set_cookie(
            COOKIE,
            self._secrets.cookie,
            path=f"/{self._secrets.folder}/",
            httponly=True,
            samesite="strict",
        )
        return response


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie("; ".join(headers.getlist("cookie"))).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _same(given: str, known: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), known.encode())
