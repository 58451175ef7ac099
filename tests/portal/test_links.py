"""Every link of every page leads to a file of the portal."""

from __future__ import annotations

from html.parser import HTMLParser
from posixpath import dirname, normpath
from urllib.parse import unquote, urlsplit

from infra.bench.madeup import MadeUpFile
from tests.consensus.world import CONTENT, FILE
from tests.portal.built_portal import BuiltPortal

DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}


class Links(HTMLParser):
    """Collects what a page leads to, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"} and value is not None:
                self.found.add(value)


def test_no_link_is_dead(portal: BuiltPortal) -> None:
    portal.publish("europe")
    portal.publish("asia", files=DIFFERENT, run="20260103T030405Z-00000003")
    portal.build()
    files = portal.files()
    dead = set()
    for page in (name for name in files if name.endswith(".html")):
        links = Links()
        links.feed(files[page].decode())
        for link in links.found:
            parts = urlsplit(link)
            if parts.scheme or not parts.path:
                continue
            target = normpath(f"/{dirname(page)}/{unquote(parts.path)}").strip("/")
            if not {target, f"{target}/index.html".lstrip("/")} & files.keys():
                dead.add((page, link))
    assert not dead
