"""Serving a site over HTTP, with the headers about security that any server of it should send.

Files are looked up in the generation that is current when each is asked for.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, UsageError
from pipelines.portal.content_security import headers
from pipelines.portal.paths import check_path

INDEX = "index.html"
_TYPES = {
    ".atom": "application/atom+xml",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".tar": "application/x-tar",
    ".txt": "text/plain; charset=utf-8",
}


class SiteReader(Protocol):
    """The current generation of a site."""

    def read(self, path: str) -> bytes:
        """Return a file; raises `NotFoundError`."""


def media_type(path: str) -> str:
    """Return the media type of a file of the site."""
    return _TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")


def served(site: SiteReader) -> Starlette:
    """Return the application that serves a site; it only reads."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_answer, site, request)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "HEAD"])])


def _answer(site: SiteReader, request: Request) -> Response:
    path = request.path_params["path"]
    if not path or path.endswith("/"):
        path += INDEX
    try:
        data = site.read(check_path(path))
    except (NotFoundError, UsageError):
        return _missing(site, request, path)
    tag = f'"{Digest.of(data).hex}"'
    kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
    sent = {**headers(path), "ETag": tag, "Cache-Control": kept}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=sent)
    return Response(data, media_type=media_type(path), headers=sent)


def _missing(site: SiteReader, request: Request, path: str) -> Response:
    """Return that there is no such file; a folder without its slash leads to its page."""
    try:
        site.read(check_path(f"{path}/{INDEX}"))
    except (NotFoundError, UsageError):
        return Response("Not found\n", 404, headers(path), media_type="text/plain")
    return RedirectResponse(request.url.path.rpartition("/")[2] + "/", 308, headers(path))
