"""A client of an ASGI application in this process, which keeps its cookies."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class AsgiClient:
    """Sends requests to an application as if it were at `origin`, and follows no redirects."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        transport = httpx.ASGITransport(app=app)
        self._http = httpx.AsyncClient(transport=transport, base_url=origin)

    def get(self, url: str, **given: Any) -> httpx.Response:
        return asyncio.run(self._http.get(url, **given))

    def post(self, url: str, **given: Any) -> httpx.Response:
        return asyncio.run(self._http.post(url, **given))
