"""The pages of requests, made again between two nights; nothing else of the portal is.

A requester follows a request while the center runs it. No release is joined and no log is read for
that: the next generation is the one before with other pages below `requests/`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import SamebitsError
from pipelines.portal.assets_folder import assets_folder
from pipelines.portal.build import portal_folder
from pipelines.portal.pages.requests import REQUESTS, request_pages
from pipelines.portal.rendering import render
from pipelines.portal.site_file import KeptPath
from pipelines.portal.site_folder import SiteFolder
from pipelines.portal.site_store import SiteStore
from pipelines.portal.site_writer import files_in
from pipelines.requests.messages import request_prefix
from pipelines.storage.opening import StoreAddress, open_store
from pipelines.verify.session import Session

_GRACE = 20.0
_LOG = logging.getLogger("samebits")


def refresh_requests(session: Session, place: StoreAddress, *, now: datetime) -> bool:
    """Make the pages of requests again, in a generation of their own if one of them has changed.

    Returns whether one has. Nothing is done where no portal was built by this version of samebits.
    `place` is that of `build_portal`, `now` is UTC. Raises as that does.
    """
    site = SiteFolder(portal_folder(session, place))
    if not site.current.exists():
        return False
    with site.locked():
        before = site.state()
        if before is None or not any(
            path.startswith(assets_folder()) for path in files_in(before.common_files)
        ):
            return False
        pages = request_pages(
            session.store,
            session.center.id,
            session.statement_keys,
            session.policy(now),
            now,
            releases=before.releases.keys(),
        )
        made = [file for page in pages for file in render(page)]
        there = files_in(before.files)
        kept = [path for path in there if not path.startswith(REQUESTS)]
        now_there = {file.path: Digest.of(file.data).hex for file in made}
        if {**{path: there[path] for path in kept}, **now_there} == there:
            return False
        writer = site.begin(before)
        files = writer.make([*map(KeptPath, kept), *made], before.files)
        for part in (before.common_files, *(one.files for one in before.releases.values())):
            writer.keep(part)
        state = before.model_copy(update={"number": site.next_number(), "files": files})
        site.finish(writer, state)
        if not isinstance(place, Path):
            SiteStore(open_store(place)).publish(site)
    return True


@contextmanager
def requests_followed(session: Session, *, every: float = 5.0) -> Iterator[None]:
    """Keep the pages of requests as the store is, while the block lasts and once at its end.

    The store is listed every few seconds, and pages are made when there is something new. What goes
    wrong is logged: it keeps no request from being served.
    """
    place, ended, seen = session.center.portal, threading.Event(), list[str]()
    if place is None:
        yield
        return

    def look() -> None:
        nonlocal seen
        try:
            names = list(session.store.list(request_prefix(session.center.id)))
            if names != seen:
                refresh_requests(session, place, now=datetime.now(UTC))
                seen = names
        except (SamebitsError, OSError) as error:
            _LOG.warning("the pages of requests are not made: %s", error)

    def follow() -> None:
        look()
        while not ended.wait(every):
            look()
        look()

    thread = threading.Thread(target=follow, name="samebits-requests", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_GRACE)  # a portal that is being built may keep it waiting
