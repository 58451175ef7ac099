"""The server of the review pages: loopback alone, one reviewer, until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from builders.core.errors import UsageError
from pipelines.review.access import Access, Secrets
from pipelines.review.reading_room import ReadingRoom
from pipelines.review.review_pages import ReviewPages

ADDRESS = "127.0.0.1"


def serve_reviews(
    room: ReadingRoom, *, port: int, words: tuple[str, ...], announce: Callable[[str], None]
) -> None:
    """Serve the pages of `room` on loopback until the process is interrupted.

    `port` 0 takes a free one; `words` are the options that name the center on a command line;
    `announce` is called with the address to open, which holds the token. Raises `UsageError` for a
    port that is taken.
    """
    try:
        listener = socket.create_server((ADDRESS, port))
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used", got=error.strerror, todo="Choose another one: --port"
        ) from error
    with listener:
        host = f"{ADDRESS}:{listener.getsockname()[1]}"
        known = Secrets()
        pages = ReviewPages(room, folder=f"/{known.folder}", words=words)
        settings = uvicorn.Config(
            Access(pages.application(), host=host, known=known),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            limit_concurrency=32,
            timeout_graceful_shutdown=2,
        )
        announce(f"http://{host}/?token={known.token}")
        uvicorn.Server(settings).run(sockets=[listener])
